package plan_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/internal/plan"
)

// Nothing of a secret is shown: not in a name, an error, what its caret points into,
// a hint, or an explanation, wherever the mistake is and however the text breaks.
func TestSecretsAreMasked(t *testing.T) {
	for _, addr := range []string{
		"ws://me:hunter2@127.0.0.1:1/",
		"ws://hunter2@127.0.0.1:1/",
		"ws:hunter2@127.0.0.1:1/",
		"tcp:127.0.0.1:1,via=socks4a://hunter2@127.0.0.1:1",
		"ws://127.0.0.1:1/p?token=hunter2",
		"ws://127.0.0.1:1/p#token=hunter2",
		"ws://127.0.0.1:1/,path=/p#hunter2",
		"ws://127.0.0.1:1/,header=hunter2",
		"ws://127.0.0.1:1/,user=me:hunter2",
		"socks5:127.0.0.1:a:1,socksuser=me:hunter2",
		"http-proxy-listen:1,proxy-user=me:hunter2",
		"http-proxy-listen:1,users=me:hunter2",
		"ws://127.0.0.1:1/,user=me,password=hunter2",
		"ws://127.0.0.1:1/,user=me,password=squid,fish",
		"ws://127.0.0.1:1/,user=me,password='squid,fish",
		"ws://127.0.0.1:1/,password=x'squid,fish',token=hunter2",
		"ws://127.0.0.1:1/,token=squid,fish=3",
		"ws://127.0.0.1:1/,passwort=hunter2",
		"ws://127.0.0.1:1/,password=squid,,fish",
		"ws://127.0.0.1:1/,passwort=squid,fish",
		"tcp:127.0.0.1:1,password=squid,fish",
		"http-proxy-listen:1,password=squid,fish,hunter2=1",
		"nokind:1,password=squid,fish",
		"tcp:127.0.0.1:1,via=socks5://me:hunter2@127.0.0.1:1",
		"tcp:127.0.0.1:1,via=http://me:hunter2@127.0.0.1:1",
		"tcp:127.0.0.1:1,via=socks5://me:squid,fish@127.0.0.1:1",
		"ws://127.0.0.1:1/,header='Authorization: Bearer hunter2'",
		"ws://127.0.0.1:1/,header=Authorization: Bearer squid,fish",
		"ws://127.0.0.1:1/,path=/p?squid,fish",
		"exec:true,env=PASSWORD=hunter2",
		"exec:true,env=PASSWORD=squid,fish",
		"tcp:127.0.0.1:1,via=ftp://me:hunter2@127.0.0.1:1",
		"example.org:80,password=hunter2",
		"10.0.0.1:80,password=hunter2",
		"me:hunter2@example.org:80",
		"https://me:hunter2@example.org:80",
		"nokind:me:hunter2@example.org:80,password=fish",
		"w'hunter2",
		"ws://127.0.0.1:1/,='hunter2",
	} {
		for _, tail := range []string{"", ",passwor=x", ",'", ",connect-timeout=soon", ",max=3", ",nosuch"} {
			text := addr + tail
			p, err := plan.Parse(text, kinds)
			var shown string
			if err != nil {
				shown = err.Error()
				if at := (*address.Error)(nil); errors.As(err, &at) {
					shown += "\n" + at.Caret() + "\n" + strings.Join(at.Hints, "\n")
				}
			} else {
				shown = p.Name()
				for _, s := range p.CommonSettings() {
					shown += "\n" + s.Value
				}
				for part := range p.All() {
					for _, s := range part.Settings() {
						shown += "\n" + s.Value
					}
				}
			}
			for _, word := range []string{"hunter2", "squid", "fish"} {
				if strings.Contains(shown, word) {
					t.Errorf("%s\nshows %s:\n%s", text, word, shown)
				}
			}
		}
	}
}

// What is no secret is still shown: an error that hides everything helps nobody.
func TestMistakesAreShown(t *testing.T) {
	for text, want := range map[string]string{
		"tcp:example.org:80,keepalvie=5s":            "tcp:example.org:80,keepalvie=**\n",
		"tcp:example.org:80,connect-timeout=soon":    "tcp:example.org:80,connect-timeout=soon\n",
		"ws://me:x@h/,password=abc,ping=soon":        "ws://me:*@h/,password=***,ping=soon\n",
		"udp-recv:5000,join=[ff02::114]@eth0,nosuch": "udp-recv:5000,join=[ff02::114]@eth0,nosuch\n",
		"unix:/tmp/me@home,nosuch":                   "unix:/tmp/me@home,nosuch\n",
		"tpc:example.org:80":                         "tpc:example.org:80\n",
		"ws://h/p?q=1,nosuch":                        "ws://h/p?***,nosuch\n",
		"peer:tenon1qqqq,nosuch":                     "peer:tenon1****,nosuch\n",
		"peer:alice/db":                              "peer:alice/db\n",
		"tcp:example.org:80,nosuch,connect-timeout":  "tcp:example.org:80,nosuch,connect-timeout\n",
	} {
		_, err := plan.Parse(text, kinds)
		var at *address.Error
		if !errors.As(err, &at) || !strings.HasPrefix(at.Caret(), want) {
			t.Errorf("%s: %v\n%s\nwant\n%s", text, err, at.Caret(), want)
		}
	}
}
