package node

import (
	"slices"
	"testing"

	"github.com/tenon-net/tenon/internal/peer"
)

// Addresses that are told are used only if they are no nearer to this node than who tells them.
func TestScopes(t *testing.T) {
	for addr, want := range map[string]scope{
		"/ip4/127.0.0.1/tcp/1":                   machine,
		"/ip6/::1/udp/1/quic-v1":                 machine,
		"/ip4/0.0.0.0/tcp/1":                     machine,
		"/ip6/::ffff:127.0.0.1/tcp/1":            machine,
		"/ip4/no/tcp/1":                          machine,
		"/ip4/10.1.2.3/tcp/1":                    network,
		"/ip4/192.168.1.1/udp/1/quic-v1":         network,
		"/ip4/169.254.1.1/tcp/1":                 network,
		"/ip4/100.64.0.1/tcp/1":                  network,
		"/ip6/fe80::1/tcp/1":                     network,
		"/ip6/fd00::1/tcp/1":                     network,
		"/ip4/198.51.100.7/tcp/1":                everybody,
		"/ip6/2001:db8::1/tcp/1":                 everybody,
		"/ip6zone/eth0/ip6/fe80::1/tcp/1":        network,
		"/ip6zone/lo/ip6/::1/tcp/1":              machine,
		"/dns4/relay.example/tcp/1":              everybody,
		"/ip4/198.51.100.7/tcp/1/p2p-circuit":    everybody,
		"/ip4/127.0.0.1/tcp/1/p2p/x/p2p-circuit": machine,
	} {
		if got := scopeOf(addr); got != want {
			t.Errorf("%s is of scope %d, not %d", addr, got, want)
		}
	}
}

// Whoever is far, or behind a relay, tells of what is far only.
func TestBelieved(t *testing.T) {
	all := []string{"/ip4/127.0.0.1/tcp/1", "/ip4/10.1.2.3/tcp/1", "/ip4/198.51.100.7/tcp/1"}
	for want, from := range map[int]peer.Link{
		0: {Path: peer.Direct, Addr: "/ip4/127.0.0.1/tcp/9"},
		1: {Path: peer.Direct, Addr: "/ip4/10.9.9.9/tcp/9"},
		2: {Path: peer.Direct, Addr: "/ip4/203.0.113.1/tcp/9"},
	} {
		if got := believed(from, all); !slices.Equal(got, all[want:]) {
			t.Errorf("from %s: %q", from.Addr, got)
		}
	}
	for _, from := range []peer.Link{{}, {Path: peer.Relayed, Addr: "/ip4/127.0.0.1/tcp/9/p2p-circuit"}} {
		if got := believed(from, all); !slices.Equal(got, all[2:]) {
			t.Errorf("by %v: %q", from, got)
		}
	}
}
