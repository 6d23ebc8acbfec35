package link

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/transport"
)

// A behindNode has links that say direct, and streams that go through a relay all the same: as
// when the direct way is dead, and that has not been noticed yet.
type behindNode struct{ *peertest.Node }

type behindStream struct{ transport.Stream }

func (behindStream) Path() peer.Path { return peer.Relayed }

func (n behindNode) Open(ctx context.Context, to peer.ID, proto string) (transport.Stream, error) {
	s, err := n.Node.Open(ctx, to, proto)
	if err != nil {
		return nil, err
	}
	return behindStream{s}, nil
}

// A session knows which path it goes over. One that took a dead direct link of its peer for
// its own path stayed on the relay for ever: nothing seemed to be better than what it had.
func TestTheStreamTellsThePath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &peertest.World{}
		a, b := w.Node("a", nil), w.Node("b", nil)
		near, far := New(behindNode{a}, Options{}), New(b, Options{})
		s, path, err := near.openBelow(t.Context(), b.Self())
		if err != nil {
			t.Fatal(err)
		}
		if path != peer.Relayed || near.path(b.Self()) != peer.Direct {
			t.Errorf("a stream that was opened is %s, and the links say %s", path, near.path(b.Self()))
		}
		if path := far.pathOf(behindStream{}, a.Self()); path != peer.Relayed || far.path(a.Self()) != peer.Direct {
			t.Errorf("one that was accepted is %s, and the links say %s", path, far.path(a.Self()))
		}
		s.Close() //nolint:errcheck // it returns nil
		for _, n := range []interface{ Close() error }{near, far, a, b} {
			n.Close() //nolint:errcheck // it returns nil
		}
	})
}
