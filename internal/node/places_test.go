package node

import (
	"fmt"
	"slices"
	"testing"

	"github.com/tenon-net/tenon/internal/peer"
)

func TestPlaces(t *testing.T) {
	const (
		loop  = "/ip4/127.0.0.1/tcp/4001"
		local = "/ip6/fe80::1/tcp/4001"
		home  = "/ip4/192.168.1.2/tcp/4001"
		far   = "/ip4/198.51.100.1/tcp/4001"
		relay = "/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWRelay"
		quic  = "/ip4/192.0.2.1/udp/4001/quic-v1/p2p/12D3KooWRelay"
		inner = "/ip4/127.0.0.1/tcp/1/p2p/12D3KooWRelay"
		other = "/ip4/192.0.2.9/tcp/4001/p2p/12D3KooWOther"
	)
	for _, c := range []struct{ addrs, relays, own, via []string }{
		{[]string{loop, home, local, home}, nil, []string{home}, nil},
		{[]string{loop}, nil, []string{loop}, nil},
		{[]string{home, home + "/ws", far + "/ws", far}, nil, []string{far, far + "/ws", home, home + "/ws"}, nil},
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

// However many addresses this machine has, others are told the relay by which alone they may reach it.
func TestTold(t *testing.T) {
	relay := "/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWRelay"
	addrs := []string{"/ip4/127.0.0.1/tcp/4001"}
	for i := range 20 {
		addrs = append(addrs, fmt.Sprintf("/ip4/192.168.1.%d/tcp/4001", i))
	}
	far := "/ip4/198.51.100.1/tcp/4001"
	all := told(append(addrs, far, relay+circuit), []string{relay})
	if len(all) != peer.MaxContactAddrs || all[0] != far || all[1] != addrs[1] || all[len(all)-1] != relay+circuit {
		t.Errorf("%q", all)
	}
	if all := told(addrs[:1], nil); !slices.Equal(all, addrs[:1]) {
		t.Errorf("%q", all)
	}
}
