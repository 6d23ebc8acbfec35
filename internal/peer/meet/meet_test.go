package meet

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/mailbox"
	"github.com/tenon-net/tenon/internal/peer/pair"
	"github.com/tenon-net/tenon/internal/peer/peertest"
)

// A town has relays with mailboxes, in virtual time.
type town struct {
	t     *testing.T
	world peertest.World
	nodes []*peertest.Node
	boxes []*mailbox.Server
}

func inTown(t *testing.T, test func(t *testing.T, w *town)) {
	synctest.Test(t, func(t *testing.T) {
		w := &town{t: t}
		test(t, w)
		for _, s := range w.boxes {
			s.Close() //nolint:errcheck // it returns nil
		}
		for _, n := range w.nodes {
			n.Close() //nolint:errcheck // it returns nil
		}
	})
}

func (w *town) node(name string) *peertest.Node {
	n := w.world.Node(name, nil)
	for _, other := range w.nodes {
		w.world.Delay(n, other, 20*time.Millisecond)
	}
	w.nodes = append(w.nodes, n)
	return n
}

// relay makes a relay on which channels up to a number are taken.
func (w *town) relay(name string, taken int) *peertest.Node {
	w.t.Helper()
	n := w.node(name)
	s := new(mailbox.Server)
	w.boxes = append(w.boxes, s)
	n.Serve(mailbox.Proto, s.Handle)
	others := w.node("others at " + name)
	for range taken {
		if _, err := mailbox.Offer(w.t.Context(), at(others, n).mailbox(n.Self()), 0); err != nil {
			w.t.Fatal(err)
		}
	}
	return n
}

func at(n *peertest.Node, relays ...*peertest.Node) Place {
	p := Place{Open: n.Open}
	for _, r := range relays {
		p.Relays = append(p.Relays, r.Self())
	}
	return p
}

// pairUp has the one pair who has made the offer with the one who joins it.
func pairUp(t *testing.T, from *peertest.Node, o *Offer, by *peertest.Node, place Place) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	offer := pair.NewOffer(pair.NewCode(o.Channel()), pair.Side{Key: from.Key(), Name: "offerer"})
	go func() {
		for {
			s, err := o.Accept(ctx)
			if err != nil {
				return
			}
			go offer.Accept(ctx, s) //nolint:errcheck // Wait has it
		}
	}()
	s, err := place.Join(ctx, o.Channel())
	if err != nil {
		t.Fatal(err)
	}
	joined, err := pair.Join(ctx, s, offer.Code(), pair.Side{Key: by.Key(), Name: "joiner"})
	if err != nil {
		t.Fatal(err)
	}
	offered, err := offer.Wait(ctx)
	if err != nil || offered.Words != joined.Words || offered.Peer != by.Self() || joined.Peer != from.Self() {
		t.Errorf("%+v, %+v, %v", offered, joined, err)
	}
}

func TestPairAtARelay(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		one, two := w.relay("one", 0), w.relay("two", 2)
		alice, bob := w.node("alice"), w.node("bob")
		begin := time.Now()
		o, err := at(alice, one, two).Offer(t.Context())
		if err != nil || len(o.Missing()) > 0 {
			t.Fatal(err, o.Missing())
		}
		if o.Channel() != 3 {
			t.Errorf("the channel is %d; 1 and 2 are taken at one of the relays", o.Channel())
		}
		t.Logf("the code is there after %v", time.Since(begin))
		begin = time.Now()
		pairUp(t, alice, o, bob, at(bob, two))
		t.Logf("paired after %v", time.Since(begin))
		if err := o.Close(); err != nil {
			t.Error(err)
		}
		if _, err := o.Accept(t.Context()); !errors.Is(err, ErrOver) {
			t.Error(err)
		}
		if _, err := at(bob, one, two).Join(t.Context(), 3); !errors.Is(err, ErrNobody) {
			t.Error(err)
		}
	})
}

// A relay that does not answer holds up nobody for long, and is named.
func TestARelayIsLost(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		lost, there := w.relay("lost", 0), w.relay("there", 0)
		alice, bob := w.node("alice"), w.node("bob")
		w.world.Silence(alice, lost)
		w.world.Silence(bob, lost)
		begin := time.Now()
		o, err := at(alice, lost, there).Offer(t.Context())
		if err != nil || len(o.Missing()) != 1 {
			t.Fatal(err, o)
		}
		pairUp(t, alice, o, bob, at(bob, lost, there))
		if d := time.Since(begin); d > 2*time.Second {
			t.Errorf("it has taken %v", d)
		}
		o.Close() //nolint:errcheck // it returns nil
	})
}

// A relay that comes back while the code is shown has the channel then.
func TestARelayComesBack(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		lost, there := w.relay("lost", 0), w.relay("there", 0)
		alice, bob := w.node("alice"), w.node("bob")
		w.world.Break(alice, lost)
		o, err := at(alice, lost, there).Offer(t.Context())
		if err != nil || len(o.Missing()) != 1 {
			t.Fatal(err, o)
		}
		time.Sleep(20 * time.Second)
		w.world.Heal(alice, lost)
		time.Sleep(againMost + time.Second)
		pairUp(t, alice, o, bob, at(bob, lost))
		o.Close() //nolint:errcheck // it returns nil
	})
}

func TestNowhere(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		lost, alice := w.relay("lost", 0), w.node("alice")
		w.world.Break(alice, lost)
		if _, err := at(alice, lost).Offer(t.Context()); !errors.Is(err, ErrNowhere) || !errors.Is(err, peer.ErrUnreachable) {
			t.Error(err)
		}
		if _, err := at(alice, lost).Join(t.Context(), 7); !errors.Is(err, peer.ErrUnreachable) {
			t.Error(err)
		}
		if _, err := (Place{}).Offer(t.Context()); !errors.Is(err, ErrNowhere) {
			t.Error(err)
		}
		if _, err := (Place{}).Join(t.Context(), 7); !errors.Is(err, ErrNowhere) {
			t.Error(err)
		}
	})
}

// A number that another has at one of the relays is not used at any.
func TestTheSameNumberEverywhere(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		one, two := w.relay("one", 0), w.relay("two", 0)
		alice, bob, carol := w.node("alice"), w.node("bob"), w.node("carol")
		for range 2 { // carol has 2 at the first relay only
			c, err := mailbox.Offer(t.Context(), at(carol, one).mailbox(one.Self()), 0)
			if err != nil {
				t.Fatal(err)
			}
			if c.Number() == 1 {
				defer c.Close() //nolint:errcheck // it returns nil
			}
		}
		if _, err := mailbox.Offer(t.Context(), at(carol, two).mailbox(two.Self()), 3); err != nil {
			t.Fatal(err)
		}
		o, err := at(alice, one, two).Offer(t.Context()) // one says 3, two says 1
		if err != nil || len(o.Missing()) > 0 || o.Channel() < ownMin {
			t.Fatal(err, o)
		}
		pairUp(t, alice, o, bob, at(bob, one, two))
		o.Close() //nolint:errcheck // it returns nil
	})
}
