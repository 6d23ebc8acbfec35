package inet_test

import (
	"context"
	"fmt"
	"net"
	"testing"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/inet"
	"github.com/tenon-net/tenon/transport/transporttest"
)

func TestTCP(t *testing.T) {
	transporttest.Run(t, transporttest.Harness{
		Kind: kind(t, "tcp"),
		Pair: func(t testing.TB) (a, b transport.Conn) { return pair(t, "tcp", "tcp-listen:127.0.0.1:0") },
		Endpoint: func(t testing.TB) transport.Endpoint {
			return &inet.Dial{Addr: listen(t, "tcp-listen:127.0.0.1:0").Addr().String()}
		},
		Addresses: []string{
			"tcp:example.org:80", "tcp:", "tcp:/path", "tcp:[::1]:http,family=6", "TCP-CONNECT:h:1,pf=ip4,nodelay",
			"tcp://example.org:80,keepalive,keepidle=60,tos=0x10", "tcp:h:1,bind=[::1]:4000", "tcp:h:1,bind=10.0.0.1,sp=53",
		},
		Bad: map[string]string{
			"tcp:80":                  "there is no host before the port",
			"tcp:example.org":         "there is no port after the host",
			"tcp:::1:80":              "an IPv6 address is written in brackets: [::1]:80",
			"tcp:h:65536":             "port 65536 is out of range: 0 to 65535",
			"tcp:h:1,family=7":        "family: must be any, ipv4 or ipv6",
			"tcp:h:1,bind=5000":       "bind: must be [HOST][:PORT], as in 10.0.0.1, [::1]:5000 or :5000; a port alone is written :5000",
			"tcp:h:1,tos=256":         "tos: must be a whole number from 0 to 255, or 0x0 to 0xff",
			"tcp:h:1,ttl=0":           "ttl: must be a whole number from 1 to 255",
			"tcp:h:1,sourceport=0":    "sourceport: must be a whole number from 1 to 65535",
			"tcp:h:1,keepalive=maybe": "keepalive: must be yes, no or a duration such as 30s",
			"tcp:h:1,backlog=3":       `unknown option "backlog"`,
		},
		Options: dialOptions,
	})
}

func TestTCPListen(t *testing.T) {
	transporttest.Run(t, transporttest.Harness{
		Kind: kind(t, "tcp-listen"),
		Pair: func(t testing.TB) (a, b transport.Conn) {
			b, a = pair(t, "tcp", "tcp-listen:0")
			return a, b
		},
		Endpoint: func(testing.TB) transport.Endpoint { return &inet.Listen{Addr: ":0"} },
		Addresses: []string{
			"tcp-listen:8080", "TCP-LISTEN:8080,reuseaddr", "tcp-l:*:0", "tcp-listen:[::]:http,ipv6only",
			"tcp-listen:8080,bind=127.0.0.1,backlog=16,so-rcvbuf=64k",
		},
		Bad: map[string]string{
			"tcp-listen:":            "there is no port to listen on",
			"tcp-listen:localhost":   "there is no port to listen on",
			"tcp-listen:99999":       "port 99999 is out of range: 0 to 65535",
			"tcp-listen:1,backlog=0": "backlog: must be a whole number from 1 to 1048576",
		},
		Options: listenOptions,
	})
}

// TestPresets checks that the kinds for one family say what they mean.
func TestPresets(t *testing.T) {
	for _, name := range []string{"tcp4", "tcp6", "tcp4-listen", "tcp6-listen"} {
		t.Run(name, func(t *testing.T) {
			k := kind(t, name)
			transporttest.Run(t, transporttest.Harness{Kind: k, Addresses: []string{k.Example}})
			base := kind(t, k.Stack)
			if _, err := transporttest.Fill(base, base.Example+","+k.With); err != nil {
				t.Errorf("With %q: %v", k.With, err)
			}
			if base.Traits != k.Traits {
				t.Errorf("Traits %+v, want those of %s: %+v", k.Traits, k.Stack, base.Traits)
			}
		})
	}
}

func FuzzTCP(f *testing.F) {
	transporttest.Fuzz(f, kind(f, "tcp"), "tcp:[::1]:1,bind=[::1]:2,tos=0xff,keepalive=1e99s,mark=-1,rcvbuf=9999999T")
}

func FuzzTCPListen(f *testing.F) {
	transporttest.Fuzz(f, kind(f, "tcp-listen"), "tcp-listen:*:1,bind=[::],backlog=7,family=inet6")
}

func kind(t testing.TB, name string) transport.Kind {
	t.Helper()
	k, ok := inet.Kinds().Lookup(name)
	if !ok {
		t.Fatalf("there is no kind %s", name)
	}
	return k
}

// fill returns the endpoint that an address of the family stands for.
func fill[T transport.Endpoint](t testing.TB, name, text string) T {
	t.Helper()
	e, err := transporttest.Fill(kind(t, name), text)
	if err != nil {
		t.Fatal(err)
	}
	return e.(T)
}

type acceptor interface {
	transport.Acceptor
	Addrs() []net.Addr
}

// listen listens until the test ends.
func listen(t testing.TB, text string) acceptor {
	t.Helper()
	a, err := fill[*inet.Listen](t, "tcp-listen", text).Listen(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a.(acceptor)
}

// pair returns a dialed Conn and what a listener made of it. Options for the
// dialer come after its kind, as in "tcp,ttl=3".
func pair(t testing.TB, dial, listener string) (dialed, accepted *inet.Conn) {
	t.Helper()
	name, options := dial, ""
	if i := len("tcp"); len(dial) > i {
		name, options = dial[:i], dial[i:]
	}
	a := listen(t, listener)
	c, err := fill[*inet.Dial](t, name, fmt.Sprintf("%s:%s%s", name, a.Addr(), options)).Dial(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	s, err := a.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return c.(*inet.Conn), s.(*inet.Conn)
}
