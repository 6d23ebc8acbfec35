package node

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"

	"github.com/tenon-net/tenon/internal/peer"
)

// Addresses that are told are used only if they are no nearer to this node than who tells them.
func TestScopes(t *testing.T) {
	for addr, want := range map[string]scope{
		"/ip4/127.0.0.1/tcp/1":                                  machine,
		"/ip6/::1/udp/1/quic-v1":                                machine,
		"/ip4/0.0.0.0/tcp/1":                                    machine,
		"/ip6/::ffff:127.0.0.1/tcp/1":                           machine,
		"/ip4/no/tcp/1":                                         machine,
		"/ip4/10.1.2.3/tcp/1":                                   network,
		"/ip4/192.168.1.1/udp/1/quic-v1":                        network,
		"/ip4/169.254.1.1/tcp/1":                                network,
		"/ip4/100.64.0.1/tcp/1":                                 network,
		"/ip6/fe80::1/tcp/1":                                    network,
		"/ip6/fd00::1/tcp/1":                                    network,
		"/ip4/198.51.100.7/tcp/1":                               everybody,
		"/ip6/2001:db8::1/tcp/1":                                everybody,
		"/ip6zone/eth0/ip6/fe80::1/tcp/1":                       network,
		"/ip6zone/lo/ip6/::1/tcp/1":                             machine,
		"/ip4/0.1.2.3/tcp/1":                                    machine,
		"/ip4/255.255.255.255/udp/1/quic-v1":                    network,
		"/ip6/::10.1.2.3/tcp/1":                                 machine,
		"/ip6/64:ff9b::a01:203/tcp/1":                           network,
		"/ip6/64:ff9b::7f00:1/tcp/1":                            machine,
		"/ip6/64:ff9b::c633:6407/tcp/1":                         everybody,
		"/ip6/2002:a01:203::1/tcp/1":                            network,
		"/ip6/2002:c633:6407::1/tcp/1":                          everybody,
		"/ip6/fec0::1/tcp/1":                                    network,
		"/dns/relay.example/tcp/1":                              unknown,
		"/dns4/relay.example/tcp/1":                             unknown,
		"/dns6/relay.example/tcp/1":                             unknown,
		"/dnsaddr/relay.example":                                unknown,
		"/unix/run/x":                                           unknown,
		"/p2p/x/p2p-circuit":                                    unknown,
		"":                                                      unknown,
		"/ip4/198.51.100.7/tcp/443/tls/sni/relay.example/ws":    everybody,
		"/ip4/198.51.100.7/tcp/1/p2p-circuit/ip4/127.0.0.1":     machine,
		"/ip4/198.51.100.7/tcp/1/p2p-circuit/dns4/router/tcp/1": unknown,
		"/ip4/198.51.100.7/tcp/1/p2p-circuit":                   everybody,
		"/ip4/127.0.0.1/tcp/1/p2p/x/p2p-circuit":                machine,
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
		if got := believed(nearest(from), all); !slices.Equal(got, all[want:]) {
			t.Errorf("from %s: %q", from.Addr, got)
		}
	}
	names := []string{"/dns4/router.example/tcp/1", "/dns/localhost/tcp/1/ws", "/dnsaddr/relay.example/p2p/x/p2p-circuit"}
	for _, from := range []string{"/ip4/127.0.0.1/tcp/9", "/ip4/203.0.113.1/tcp/9"} { // whatever they stand for
		if got := believed(nearest(peer.Link{Path: peer.Direct, Addr: from}), names); len(got) > 0 {
			t.Errorf("from %s: %q", from, got)
		}
	}
	if got := believed(nearest(peer.Link{Path: peer.Direct, Addr: "/dns4/a.example/tcp/9"}), all); !slices.Equal(got, all[2:]) {
		t.Errorf("from who is at a name: %q", got)
	}
	for _, from := range []peer.Link{{}, {Path: peer.Relayed, Addr: "/ip4/127.0.0.1/tcp/9/p2p-circuit"}} {
		if got := believed(nearest(from), all); !slices.Equal(got, all[2:]) {
			t.Errorf("by %v: %q", from, got)
		}
	}
}

// A name that is told counts for what it stands for when it is looked up, and that is what is dialed.
func TestNamesAreJudged(t *testing.T) {
	stands := map[string][]string{
		"relay.example":  {"198.51.100.7", "2001:db8::1"},
		"router.example": {"192.168.1.1", "127.0.0.1", "::1", "::ffff:10.0.0.1", "64:ff9b::a00:1"},
		"both.example":   {"10.0.0.1", "198.51.100.8"},
	}
	ask := func(_ context.Context, network, host string) (all []netip.Addr, err error) {
		for _, text := range stands[host] {
			if ip := netip.MustParseAddr(text); network == "ip" || (network == "ip4") == ip.Is4() {
				all = append(all, ip)
			}
		}
		if len(all) == 0 {
			return nil, errors.New("no such host")
		}
		return all, nil
	}
	for addr, want := range map[string][]string{
		"/dns4/relay.example/tcp/1":                          {"/ip4/198.51.100.7/tcp/1"},
		"/dns6/relay.example/udp/1/quic-v1":                  {"/ip6/2001:db8::1/udp/1/quic-v1"},
		"/dns/relay.example/tcp/443/wss/p2p/x/p2p-circuit":   {"/ip4/198.51.100.7/tcp/443/tls/sni/relay.example/ws/p2p/x/p2p-circuit", "/ip6/2001:db8::1/tcp/443/tls/sni/relay.example/ws/p2p/x/p2p-circuit"},
		"/dns4/relay.example/tcp/443/tls/ws":                 {"/ip4/198.51.100.7/tcp/443/tls/sni/relay.example/ws"},
		"/dns4/both.example/tcp/1":                           {"/ip4/198.51.100.8/tcp/1"},
		"/dns/router.example/tcp/1":                          nil,
		"/dns4/nowhere.example/tcp/1":                        nil,
		"/dnsaddr/relay.example":                             nil,
		"/ip4/198.51.100.7/tcp/1":                            nil, // it is no name
		"/dns4/relay.example/tcp/1/p2p-circuit/ip4/10.0.0.1": nil,
		"/dns4/relay.example":                                nil,
	} {
		if got := resolved(t.Context(), ask, everybody, addr); !slices.Equal(got, want) {
			t.Errorf("%s is %q, not %q", addr, got, want)
		}
	}
	if got := resolved(t.Context(), ask, network, "/dns4/router.example/tcp/1"); !slices.Equal(got, []string{"/ip4/192.168.1.1/tcp/1"}) {
		t.Errorf("by somebody of this network: %q", got)
	}
}
