package plan_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/internal/plan"
	"github.com/tenon-net/tenon/transport"
)

var kinds = tenon.DefaultKinds()

func TestPlans(t *testing.T) {
	for _, tt := range []struct{ addr, kind, name string }{
		{"tcp:db:5432", "tcp", "tcp:db:5432"},
		{"TCP:db:5432", "tcp", "tcp:db:5432"},
		{"wss://h/p", "ws+tls+tcp", "wss://h/p"},
		{"tls:h:443", "tls+tcp", "tls:h:443"},
		{"tls-listen:443", "tls+tcp-listen", "tls-listen:443"},
		{"ws+unix:/run/x.sock", "ws+unix", "ws+unix:/run/x.sock"},
		{"exec:cat", "exec", "exec:cat"},
		{"socks5-listen:1080", "socks-server+tcp-listen", "socks5-listen:1080"},
		{"ws://me:secret@h:1/", "ws+tcp", "ws://me:…@h:1/"},
		{"tcp:h:1,via=socks5://u:secret@p:1080", "tcp", "tcp:h:1,via=socks5://u:…@p:1080"},
	} {
		p, err := plan.Parse(tt.addr, kinds)
		if err != nil {
			t.Errorf("%s: %v", tt.addr, err)
			continue
		}
		if got := p.KindName(); got != tt.kind {
			t.Errorf("%s is %s, want %s", tt.addr, got, tt.kind)
		}
		if got := p.Name(); got != tt.name {
			t.Errorf("%s is named %s, want %s", tt.addr, got, tt.name)
		}
	}
	for addr, want := range map[string]string{
		"tcp:h:1,max=3":                      `is for ends that listen`,
		"tcp-listen:1,via=http://x":          `is for ends that are dialed`,
		"exec:cat,via=http://p:1":            `is for ends that are dialed over tcp`,
		"tcp-listen:1,proxy-from=10.0.0.0/8": `needs accept-proxy`,
		"unix-listen:x,allow=10.0.0.0/8":     `is for ends whose clients have IP addresses`,
		"tcp:h:1,resolve=local":              `is for ends that are reached with via`,
		"tcp-listen:1,handshake-timeout=5s":  `is for ends with a handshake`,
		"udp:h:1,readbytes=4":                `is for ends that carry bytes`,
		"tcp-listen:1,once,many":             `contradict each other`,
		"udp:h:1,send-proxy=v1":              `goes before a stream of bytes`,
		"shm-msg-listen:x,accept-proxy":      `goes before a stream of bytes`,
		"socks5-listen:1,proxy-user=x":       `a user name and a password for clients come together`,
		"http-proxy-listen:1,users=@none":    `no such file`,
		"tcp+tls:h:1":                        `is not a layer`,
		"wss+tcp:h:1":                        `has no place for more`,
		"tcp:h:1/path":                       `knows no paths`,
		"null:x":                             `takes no target`,
		"tcp:h:1,nodelay=maybe":              `nodelay must be yes or no`,
		"tcp:h:1,idle":                       `idle needs a value`,
		"tcp:h:1,idle=1,idle=2":              `idle is given twice`,
	} {
		_, err := plan.Parse(addr, kinds)
		if !errors.Is(err, transport.ErrUsage) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want a usage error that says %q", addr, err, want)
		}
	}
}

func FuzzPlan(f *testing.F) {
	for _, addr := range []string{"tcp:db:5432,keepalive=5s", "ws+tls+tcp:[::1]:8/p?q,header='A: b'", "exec:grep -n 'a,b'", "a!!b", "udp-listen:1,idle=3"} {
		f.Add(addr)
	}
	f.Fuzz(func(t *testing.T, addr string) {
		if strings.Contains(addr, "@") {
			return // names a file
		}
		p, err := plan.Parse(addr, kinds)
		if err != nil {
			if !errors.Is(err, transport.ErrUsage) {
				t.Errorf("%q: %v is no usage error", addr, err)
			}
			return
		}
		p.Name()
	})
}
