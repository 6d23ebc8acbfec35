package node

import (
	"slices"
	"testing"
)

func TestPlaces(t *testing.T) {
	const (
		loop  = "/ip4/127.0.0.1/tcp/4001"
		local = "/ip6/fe80::1/tcp/4001"
		home  = "/ip4/192.168.1.2/tcp/4001"
		relay = "/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWRelay"
		quic  = "/ip4/192.0.2.1/udp/4001/quic-v1/p2p/12D3KooWRelay"
		inner = "/ip4/127.0.0.1/tcp/1/p2p/12D3KooWRelay"
		other = "/ip4/192.0.2.9/tcp/4001/p2p/12D3KooWOther"
	)
	for _, c := range []struct{ addrs, relays, own, via []string }{
		{[]string{loop, home, local, home}, nil, []string{home}, nil},
		{[]string{loop}, nil, []string{loop}, nil},
		{[]string{loop, inner + circuit}, nil, []string{loop}, []string{inner}},
		{[]string{loop, quic + circuit, relay + circuit, inner + circuit}, []string{quic, other}, nil, []string{relay, other}},
	} {
		own, via := places(c.addrs, c.relays)
		if !slices.Equal(own, c.own) || !slices.Equal(via, c.via) {
			t.Errorf("%q, %q\n%q, %q\nwant\n%q, %q", c.addrs, c.relays, own, via, c.own, c.via)
		}
	}
	if all := reached([]string{home}, []string{relay, other + circuit}); !slices.Equal(all, []string{home, relay + circuit, other + circuit}) {
		t.Errorf("%q", all)
	}
}
