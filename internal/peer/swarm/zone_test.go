package swarm

import (
	"net"
	"strings"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"
)

// Two computers and a cable have addresses with a zone only, and libp2p dials none of these: the peers found and paired
// with each other, and then could not be reached. Loopback can be given its zone as well, and is everywhere.
func TestDialInZone(t *testing.T) {
	zone := ""
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range all {
		if i.Flags&net.FlagLoopback != 0 {
			zone = "/ip6zone/" + i.Name
		}
	}
	for over, listen := range map[string]string{"TCP": "/ip6/::1/tcp/0", "QUIC": "/ip6/::1/udp/0/quic-v1"} {
		for _, lanOnly := range []bool{false, true} {
			a, b := newNet(t, func(c *Config) { c.LANOnly = lanOnly }), newNet(t, nil, listen)
			b.Serve("echo", echo)
			at := zone + b.Addrs()[0]
			a.AddAddrs(b.Self(), at)
			finish(t, say(t, a, b, "hello"))
			if got := a.links.to(b.lib())[0].addr; got != zone+b.Addrs()[0] && got != b.Addrs()[0] {
				t.Errorf("%s: reached at %s", over, got)
			}
			if err := a.dialAddr(t.Context(), b.lib(), ma.StringCast(at)); err != nil {
				t.Errorf("%s: once more: %v", over, err)
			}
			a.Close() //nolint:errcheck // it returns nil
			b.Close() //nolint:errcheck // it returns nil
			if over != "TCP" {
				continue // who sends to a closed port hears nothing of it
			}
			c := newNet(t, nil)
			c.AddAddrs(b.Self(), at)
			if _, err := c.Open(t.Context(), b.Self(), "echo"); err == nil || !strings.Contains(err.Error(), ": "+at+": ") {
				t.Errorf("nobody is there any more: %v", err)
			}
		}
	}
}

// The swarm sees no address that it would leave out, and everybody else sees those that were told.
func TestZonedBook(t *testing.T) {
	a, b := newNet(t, nil), newNet(t, nil)
	all := []string{"/ip4/10.0.0.7/tcp/1", "/ip6/fd00::1/tcp/1", "/ip6zone/eth0/ip6/fe80::1/tcp/1", "/ip6zone/eth0/ip6/fe80::1/udp/1/quic-v1"}
	a.addAddrs(b.lib(), all, time.Minute)
	seen := map[string]bool{}
	for _, v := range a.swarm.Peerstore().Addrs(b.lib()) {
		if a.swarm.TransportForDialing(v) == nil {
			t.Errorf("%s: no transport", v)
		}
		if is := undisguised(v); is.Equal(v) != !isZoned(is) {
			t.Errorf("%s is %s", v, is)
		} else {
			seen[is.String()] = true
		}
	}
	for _, text := range all {
		if !seen[text] {
			t.Errorf("%s is not dialed", text)
		}
	}
	if told := texts(a.host.Peerstore().Addrs(b.lib())); strings.Contains(strings.Join(told, " "), "eth0/ip6zone") || len(told) != len(all) {
		t.Errorf("%q", told)
	}
	for text, want := range map[string]string{
		"/ip6zone/e0/ip6/fe80::7/tcp/1":         "fe80::7%e0",
		"/ip6/fe80::7/tcp/1":                    "fe80::7",
		"/ip4/10.0.0.7/tcp/1":                   "10.0.0.7",
		"/ip6zone/e0/ip6/fe80::7/udp/1":         "",
		"/ip6zone/e0/ip6/fe80::7/udp/1/quic-v1": "",
	} {
		at, _ := tcpAddr(ma.StringCast(text)).(*net.TCPAddr)
		if want == "" && at != nil || want != "" && (at == nil || (&net.IPAddr{IP: at.IP, Zone: at.Zone}).String() != want) {
			t.Errorf("%s: %v", text, at)
		}
	}
	for _, text := range []string{"/ip6zone/e0/ip6/fe80::7/udp/1/quic-v1", "/ip6zone/e0/ip6zone/e0/ip6/fe80::7/udp/1/quic-v1"} {
		if at := udpAddr(ma.StringCast(text)); at == nil || at.Zone != "e0" {
			t.Errorf("%s: %v", text, at)
		}
	}
}
