//go:build linux

package inet_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/internal/freeport"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/inet"
	"github.com/tenon-net/tenon/transport/transporttest"
)

// bound opens an end of a kind with some options and returns its local address. Target
// is "HOST:PORT" for kinds that are dialed; those that listen take any port.
func bound(t testing.TB, k transport.Kind, target, options string) (net.Addr, error) {
	t.Helper()
	if strings.Contains(k.Syntax, "[HOST:]") {
		target = "0"
	}
	e, err := transporttest.Fill(k, k.Name+":"+target+","+options)
	if err != nil {
		return nil, err
	}
	if v, ok := e.(transport.Validator); ok {
		if err := v.Validate(); err != nil {
			return nil, err
		}
	}
	if l, ok := e.(transport.Listener); ok {
		a, err := l.Listen(context.Background())
		if err != nil {
			return nil, err
		}
		defer a.Close()
		return a.Addr(), nil
	}
	c, err := e.(transport.Dialer).Dial(context.Background())
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.LocalAddr(), nil
}

// bindKinds are the kinds of the family that have the option bind, and do not stand for
// another kind.
func bindKinds(t testing.TB) (kinds transport.Kinds) {
	for _, k := range inet.Kinds() {
		if k.New == nil {
			continue
		}
		var s opt.Set
		k.New().Bind(&s)
		if s.Lookup("bind") != nil {
			kinds = append(kinds, k)
		}
	}
	if len(kinds) < 6 {
		t.Fatalf("only %d kinds have bind", len(kinds))
	}
	return kinds
}

// Every kind reads bind= in the same way: [HOST][:PORT], a name or an address, and
// brackets only where a port follows.
func TestBindOfEveryKind(t *testing.T) {
	servers := map[string]string{"127.0.0.1": "", "::1": ""}
	for host := range servers {
		for tries := 0; ; tries++ { // one port for TCP and UDP
			l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
			if err != nil {
				t.Fatal(err)
			}
			c, err := net.ListenPacket("udp", l.Addr().String())
			if err != nil && tries < 20 {
				l.Close()
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close(); c.Close() })
			servers[host] = l.Addr().String()
			break
		}
	}
	for _, k := range bindKinds(t) {
		dialed := !strings.Contains(k.Syntax, "[HOST:]")
		for bind, want := range map[string]string{ // to the target and the host
			"127.0.0.1":   "127.0.0.1 127.0.0.1",
			"[::1]":       "::1 ::1",
			"::1":         "::1 ::1",
			"localhost":   "127.0.0.1 127.0.0.1",
			"127.0.0.1:0": "127.0.0.1 127.0.0.1",
			"[::1]:0":     "::1 ::1",
			"localhost:0": "127.0.0.1 127.0.0.1",
		} {
			target, host, _ := strings.Cut(want, " ")
			got, err := bound(t, k, servers[target], "bind="+bind)
			if err != nil || netip.MustParseAddrPort(got.String()).Addr().String() != host {
				t.Errorf("%s,bind=%s: at %v, error %v, want %s", k.Name, bind, got, err, host)
			}
		}
		if dialed {
			// sourceport is the port of bind, too; an address says which of the targets
			// of a name are tried.
			_, port, _ := net.SplitHostPort(servers["::1"])
			for options, want := range map[string]string{"bind=:PORT": "PORT", "bind=*:PORT": "PORT", "bind=localhost:PORT": "PORT", "bind=[::1]:PORT": "PORT", "bind=[::1],sourceport=PORT": "PORT", "sourceport=PORT": "PORT"} {
				free := freeport.Get(t)
				got, err := bound(t, k, "localhost:"+port+",family=ipv6", strings.ReplaceAll(options, "PORT", free))
				if err != nil || !strings.HasSuffix(got.String(), ":"+strings.ReplaceAll(want, "PORT", free)) {
					t.Errorf("%s,%s: at %v, error %v, want port %s", k.Name, options, got, err, free)
				}
			}
		}
		for _, bad := range []string{"", "5000", "::1:x", "h:", "[::1", "a b", "/run/x", "me@h"} {
			if _, err := bound(t, k, servers["::1"], "bind="+bad); err == nil {
				t.Errorf("%s: bind=%s is taken", k.Name, bad)
			}
		}
		if _, err := bound(t, k, servers["127.0.0.1"], "bind=no-such-name.invalid"); err == nil || !strings.Contains(err.Error(), "bind=") && dialed {
			t.Errorf("%s,bind=no-such-name.invalid: error %v", k.Name, err)
		}
	}
}

// Options that contradict each other, or have no effect where they stand, are refused.
func TestOptionsWithoutEffectAreRefused(t *testing.T) {
	for _, text := range []string{
		"tcp:h:1,bind=127.0.0.1:5,sourceport=6",
		"udp:h:1,bind=:5,sp=6",
		"udp-sendto:h:1,bind=:5,sp=6",
		"tcp:127.0.0.1:1,bind=::1",
		"udp:127.0.0.1:1,bind=::1",
		"udp-sendto:127.0.0.1:1,bind=::1",
		"tcp:127.0.0.1:1,family=ipv4,bind=[::1]",
		"tcp-listen:8080,bind=:8081",
		"tcp-listen:127.0.0.1:8080,bind=127.0.0.2",
		"udp-listen:8080,bind=:8081",
		"udp-recv:127.0.0.1:8080,bind=127.0.0.2",
		"tcp:h:1,keepalive=no,keepintvl=5",
		"tcp-listen:1,keepalive=no,keepcnt=5",
		"tcp-listen:1,ipv6only,family=ipv4",
		"tcp-listen:127.0.0.1:1,ipv6only",
		"tcp-listen:[::1]:1,ipv6only=no",
		"udp-sendto:127.0.0.1:1,multicast-ttl=5",
		"udp-sendto:127.0.0.1:1,multicast-loop=no",
		"udp-sendto:127.0.0.1:1,multicast-if=lo",
		"udp-datagram:239.255.0.1:1,ttl=5",
		"udp-datagram:[::1]:1,broadcast",
		"udp-datagram:239.255.0.1:1,join=ff02::1",
		"udp-recv:0.0.0.0:0,join=239.255.0.1,join=ff02::1",
		"tcp:[fe80::1%nosuch0]:1",
		"tcp-listen:[fe80::1%nosuch0]:1",
		"udp:[fe80::1%nosuch0]:1",
		"udp-listen:[fe80::1%nosuch0]:1",
		"tcp:h:1,bind=lo",
	} {
		name, _, _ := strings.Cut(text, ":")
		e, err := transporttest.Fill(udpKind(t, name), text)
		if err == nil {
			switch e := e.(type) {
			case transport.Listener:
				_, err = e.Listen(context.Background())
			case transport.Dialer:
				_, err = e.Dial(context.Background())
			}
		}
		if !errors.Is(err, transport.ErrUsage) {
			t.Errorf("%s: error %v, want transport.ErrUsage", text, err)
		}
	}
}
