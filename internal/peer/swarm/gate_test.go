package swarm

import (
	"fmt"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/tenon-net/tenon/internal/peer"
)

type connAt struct{ ma.Multiaddr }

func (c connAt) LocalMultiaddr() ma.Multiaddr  { return c.Multiaddr }
func (c connAt) RemoteMultiaddr() ma.Multiaddr { return c.Multiaddr }

// Who has an address and makes keys cannot fill the log with words that he was turned away;
// somebody else is told of nevertheless.
func TestTurnedAwayTooOften(t *testing.T) {
	told := map[string]int{}
	n := newNet(t, func(c *Config) {
		c.Admit = func(peer.ID) peer.Admission { return peer.Refused }
		c.Events = func(e Event) {
			if e.What == Turned {
				told[e.Addr]++
			}
		}
	})
	flood, other := "/ip4/192.0.2.1/tcp/1", "/ip4/198.51.100.1/tcp/1"
	try := func(at string) {
		id, err := lib(peer.NewKey().ID())
		if err != nil {
			t.Fatal(err)
		}
		if (gate{n}).InterceptSecured(network.DirInbound, id, connAt{ma.StringCast(at)}) {
			t.Fatal("a stranger is let in")
		}
	}
	for range 1000 {
		try(flood)
	}
	try(other)
	if told[flood] != turnedBurst || told[other] != 1 {
		t.Errorf("%v", told)
	}
	for i := range 1000 {
		try(fmt.Sprintf("/ip4/203.0.%d.%d/tcp/1", i/250, i%250))
	}
	if len(told) > turnedHosts+2*turnedBurst {
		t.Errorf("%d hosts are told of", len(told))
	}
}
