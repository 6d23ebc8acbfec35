package proxy

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

func TestParseVia(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("from/file\nmore"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PROXY_TEST_SECRET", "from env")
	for text, want := range map[string]Hop{
		"socks5://p":                         {Scheme: "socks5", Host: "p", Port: "1080"},
		"SOCKS5H://p:1081/":                  {Scheme: "socks5", Host: "p", Port: "1081"},
		"socks4://p:socks":                   {Scheme: "socks4", Host: "p", Port: "socks"},
		"socks4a://u@[2001:db8::1]:9050":     {Scheme: "socks4a", Host: "2001:db8::1", Port: "9050", User: "u"},
		"http://u:p@h":                       {Scheme: "http", Host: "h", Port: "8080", User: "u", Password: opt.Plain("p")},
		"https://h":                          {Scheme: "https", TLS: true, Host: "h", Port: "443"},
		"socks5://b%40x:a%2Fb%3A%25@p":       {Scheme: "socks5", Host: "p", Port: "1080", User: "b@x", Password: opt.Plain("a/b:%")},
		"socks5://u:a:b@p":                   {Scheme: "socks5", Host: "p", Port: "1080", User: "u", Password: opt.Plain("a:b")},
		"socks5://u:@" + file + "@p:1":       {Scheme: "socks5", Host: "p", Port: "1", User: "u", Password: opt.Plain("from/file")},
		"socks5://u:env:PROXY_TEST_SECRET@p": {Scheme: "socks5", Host: "p", Port: "1080", User: "u", Password: opt.Plain("from env")},
		"socks5://u:pass:env:x@p":            {Scheme: "socks5", Host: "p", Port: "1080", User: "u", Password: opt.Plain("env:x")},
		"http://u@[fe80::1%25eth0]:8":        {Scheme: "http", Host: "fe80::1%eth0", Port: "8", User: "u"},
	} {
		got, err := ParseVia(text)
		got.Password = opt.Plain(got.Password.Text()) // without the file
		if got != want || err != nil {
			t.Errorf("%s: got %+v, error %v, want %+v", text, got, err, want)
		}
	}
}

func TestBadVia(t *testing.T) {
	const secret = "hunter2"
	for text, want := range map[string]string{
		"":                                  "a proxy is written",
		"p:1080":                            "a proxy is written",
		"ftp://p":                           "the scheme of a proxy",
		"socks://p":                         "the scheme of a proxy",
		"socks5://":                         "come the host",
		"socks5://:1080":                    "come the host",
		"socks5://*:1080":                   "come the host",
		"socks5://p:1080/path":              "come the host",
		"socks5://p:70000":                  "out of range",
		"socks5://2001:db8::1":              "in brackets",
		"socks5://u:" + secret + "%zz@p":    "bad %-escape",
		"socks5://u:" + secret + "/x@p":     "%2F",
		"socks5://:" + secret + "@p":        "user name",
		"socks4://u:" + secret + "@p":       "no password",
		"http://u:@p":                       "is empty",
		"http://u:pass:@p":                  "must not be empty",
		"http://u%3Av:" + secret + "@p":     "no colon",
		"http://u:" + secret + "%0d%0aX@p":  "control characters",
		"socks5://u:env:NO_SUCH_VARIABLE@p": "NO_SUCH_VARIABLE",
		"socks5://u:@/no/such/file@p":       "/no/such/file",
		"socks5://" + strings.Repeat("u", 300) + ":x@p": "255 bytes",
		"socks4a://u%00@p": "255 bytes",
	} {
		_, err := ParseVia(text)
		if err == nil || !strings.Contains(err.Error(), want) || !errors.Is(err, transport.ErrUsage) {
			t.Errorf("%.40s: error %v, want %q", text, err, want)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("the error %q has the password", err)
		}
	}
}

func TestHopHidesItsPassword(t *testing.T) {
	for text, want := range map[string]string{
		"socks5://bob:hunter2@p": "socks5://bob:…@p:1080",
		"socks5://bob@[::1]":     "socks5://…@[::1]:1080",
		"https://p":              "https://p:443",
	} {
		h, err := ParseVia(text)
		if got := h.String(); got != want || err != nil {
			t.Errorf("%s: got %s, error %v, want %s", text, got, err, want)
		}
	}
}

func TestBadTargets(t *testing.T) {
	for _, l := range []transport.Layer{
		&SOCKS5{Target: "nowhere"}, &SOCKS5{Target: "h:0"}, &SOCKS5{Target: "a\r\nb:80"}, &SOCKS5{Target: "[fe80::1%eth0]:80"},
		&SOCKS5{Target: "h:80", Password: opt.Plain("p")}, &SOCKS5{Target: strings.Repeat("h", 256) + ":80"},
		&SOCKS4{Target: "[2001:db8::1]:80"}, &SOCKS4{Target: "h\x00:80", Remote: true}, &SOCKS4{Target: "1.2.3.4:80", User: "a\x00b"},
		&HTTPConnect{Target: "a b:80"}, &HTTPConnect{Target: "h:80", Header: []string{"A: b\r\nC: d"}}, &HTTPConnect{Target: "h:80", User: "a:b"},
		&HTTPConnect{Target: "h:80", User: "a", Password: opt.Plain("\n")},
	} {
		if _, err := answered(t, l, ""); !errors.Is(err, transport.ErrUsage) {
			t.Errorf("%+v: error %v, want transport.ErrUsage", l, err)
		}
	}
}
