package mailbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/internal/peer/pair"
	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/transport"
)

// A place is a relay with a mailbox, in virtual time.
type place struct {
	t      *testing.T
	world  peertest.World
	relay  *peertest.Node
	server Server
	nodes  []*peertest.Node
}

// at runs a test at a new place.
func at(t *testing.T, test func(t *testing.T, p *place)) {
	synctest.Test(t, func(t *testing.T) {
		p := &place{t: t}
		p.relay = p.world.Node("relay", nil)
		p.relay.Serve(Proto, p.server.Handle)
		test(t, p)
		p.server.Close() //nolint:errcheck // it returns nil
		for _, n := range append(p.nodes, p.relay) {
			n.Close() //nolint:errcheck // it returns nil
		}
		empty(t, &p.server)
	})
}

// node makes a node that a delay of 20 ms separates from the relay.
func (p *place) node(name string) *peertest.Node {
	n := p.world.Node(name, nil)
	p.world.Delay(n, p.relay, 20*time.Millisecond)
	p.nodes = append(p.nodes, n)
	return n
}

func (p *place) opener(n *peertest.Node) Opener {
	return func(ctx context.Context) (transport.Stream, error) { return n.Open(ctx, p.relay.Self(), Proto) }
}

func (p *place) offer(n *peertest.Node, number int) *Channel {
	p.t.Helper()
	c, err := Offer(p.t.Context(), p.opener(n), number)
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

func (p *place) join(n *peertest.Node, number int) (transport.Stream, error) {
	s, err := p.opener(n)(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	return Join(p.t.Context(), s, number)
}

// serve accepts joiners on behalf of an offer until ctx ends.
func serve(ctx context.Context, c *Channel, o *pair.Offer) {
	for {
		s, err := c.Accept(ctx)
		if err != nil {
			return
		}
		go o.Accept(ctx, s) //nolint:errcheck // Wait says how it ends
	}
}

func TestPair(t *testing.T) {
	at(t, func(t *testing.T, p *place) {
		alice, bob := p.node("alice"), p.node("bob")
		c := p.offer(alice, 0)
		if c.Number() != 1 {
			t.Errorf("the first channel is %d", c.Number())
		}
		o := pair.NewOffer(pair.NewCode(c.Number()), pair.Side{Key: alice.Key(), Name: "alice"})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go serve(ctx, c, o)
		begin := time.Now()
		s, err := p.join(bob, 1)
		if err != nil {
			t.Fatal(err)
		}
		joined, err := pair.Join(t.Context(), s, o.Code(), pair.Side{Key: bob.Key(), Name: "bob"})
		if err != nil {
			t.Fatal(err)
		}
		offered, err := o.Wait(t.Context())
		if err != nil || joined.Peer != alice.Self() || offered.Peer != bob.Self() || joined.Words != offered.Words {
			t.Errorf("%+v, %+v, %v", joined, offered, err)
		}
		t.Logf("paired %v after the code was typed, 40 ms from the relay", time.Since(begin))
		cancel()
		synctest.Wait()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		time.Sleep(Grace + time.Second)
		if _, err := p.join(bob, 1); !errors.Is(err, ErrNoChannel) {
			t.Errorf("the channel is there after Close: %v", err)
		}
	})
}

// An attempt that is broken off leaves the channel to the next one.
func TestManyAttempts(t *testing.T) {
	at(t, func(t *testing.T, p *place) {
		alice, bob := p.node("alice"), p.node("bob")
		c := p.offer(alice, 77)
		for i := range 5 {
			go func() {
				s, err := p.join(bob, 77)
				if err != nil {
					t.Error(i, err)
					return
				}
				fmt.Fprintf(s, "try %d", i) //nolint:errcheck // the other side sees it
				s.CloseWrite()              //nolint:errcheck // the other side sees it
				if b, err := io.ReadAll(s); err != nil || string(b) != fmt.Sprintf("no %d", i) {
					t.Errorf("%d: %q, %v", i, b, err)
				}
				s.Close() //nolint:errcheck // it returns nil
			}()
			s, err := c.Accept(t.Context())
			if err != nil {
				t.Fatal(i, err)
			}
			if b, err := io.ReadAll(s); err != nil || string(b) != fmt.Sprintf("try %d", i) {
				t.Errorf("%d: %q, %v", i, b, err)
			}
			fmt.Fprintf(s, "no %d", i) //nolint:errcheck // the other side sees it
			s.Close()                  //nolint:errcheck // it returns nil
			synctest.Wait()
			time.Sleep(5 * time.Second)
		}
		c.Close() //nolint:errcheck // it returns nil
	})
}

func TestNumbers(t *testing.T) {
	at(t, func(t *testing.T, p *place) {
		alice, carol := p.node("alice"), p.node("carol")
		one, two := p.offer(alice, 0), p.offer(carol, 0)
		if one.Number() != 1 || two.Number() != 2 {
			t.Errorf("numbers %d, %d", one.Number(), two.Number())
		}
		if _, err := Offer(t.Context(), p.opener(carol), 1); !errors.Is(err, ErrTaken) {
			t.Errorf("carol gets alice's channel: %v", err)
		}
		if _, err := Offer(t.Context(), p.opener(carol), MaxChannel+1); !errors.Is(err, ErrNoChannel) {
			t.Errorf("a number that is none: %v", err)
		}
		one.Close() //nolint:errcheck // it returns nil
		time.Sleep(time.Second)
		if three := p.offer(carol, 0); three.Number() != 1 {
			t.Errorf("a channel that was given up is not given to the next one, but %d", three.Number())
		}
	})
}

func TestAChannelRunsOut(t *testing.T) {
	at(t, func(t *testing.T, p *place) {
		alice := p.node("alice")
		c := p.offer(alice, 0)
		begin := time.Now()
		if d := time.Until(c.Ends()); d > Lifetime || d < Lifetime-2*time.Second {
			t.Errorf("it says that it has %v", d)
		}
		if _, err := c.Accept(t.Context()); !errors.Is(err, ErrExpired) {
			t.Errorf("Accept: %v", err)
		}
		if d := time.Since(begin); d < Lifetime-time.Second || d > Lifetime+time.Second {
			t.Errorf("it has run out after %v", d)
		}
	})
}

// An offerer that loses the relay for a moment keeps its number, and nobody else gets it
// meanwhile.
func TestTheOffererIsLostForAMoment(t *testing.T) {
	at(t, func(t *testing.T, p *place) {
		alice, bob := p.node("alice"), p.node("bob")
		c := p.offer(alice, 0)
		accepted := make(chan error, 1)
		go func() {
			_, err := c.Accept(t.Context())
			accepted <- err
		}()
		synctest.Wait()
		p.world.Break(alice, p.relay)
		if _, err := Offer(t.Context(), p.opener(bob), 1); !errors.Is(err, ErrTaken) {
			t.Errorf("somebody else has got the channel: %v", err)
		}
		time.Sleep(3 * time.Second)
		p.world.Heal(alice, p.relay)
		time.Sleep(6 * time.Second)
		if _, err := p.join(bob, 1); err != nil {
			t.Fatal(err)
		}
		if err := <-accepted; err != nil {
			t.Error(err)
		}
		c.Close() //nolint:errcheck // it returns nil
	})
}

// When an offerer does not come back, its channel ends.
func TestTheOffererIsLostForGood(t *testing.T) {
	at(t, func(t *testing.T, p *place) {
		alice, bob := p.node("alice"), p.node("bob")
		p.offer(alice, 0)
		p.world.Break(alice, p.relay)
		time.Sleep(Grace + time.Second)
		if _, err := p.join(bob, 1); !errors.Is(err, ErrNoChannel) {
			t.Error(err)
		}
	})
}
