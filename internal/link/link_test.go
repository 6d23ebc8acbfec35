package link

import (
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/peertest"
)

// set makes two nodes with links that admit each other, and a third.
func set(delay, survive time.Duration) func(t *testing.T) peertest.Set {
	return func(t *testing.T) peertest.Set {
		w := &peertest.World{}
		var stranger *peertest.Node
		admit := func(id peer.ID) bool { return id != stranger.Self() }
		a, b := w.Node("a", admit), w.Node("b", admit)
		stranger = w.Node("stranger", nil)
		w.Delay(a, b, delay)
		over := func(n *peertest.Node) *Network {
			l := New(n, Options{Survive: survive})
			t.Cleanup(func() {
				l.Close() //nolint:errcheck // it returns nil
				n.Close() //nolint:errcheck // it returns nil
			})
			return l
		}
		return peertest.Set{A: over(a), B: over(b), Stranger: over(stranger), Datagrams: true, Break: func() { w.Break(a, b) }}
	}
}

func TestNetwork(t *testing.T)            { peertest.Run(t, set(0, time.Second)) }
func TestNetworkWithLatency(t *testing.T) { peertest.Run(t, set(5*time.Millisecond, time.Second)) }
func TestNetworkThatIsOff(t *testing.T)   { peertest.Run(t, set(0, -1)) }
