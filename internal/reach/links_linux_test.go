package reach

import (
	"fmt"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/natlab"
)

// ladder are links that get worse, as in the laboratory of iroh.
var ladder = []natlab.Wire{
	{Delay: 10 * time.Millisecond, Jitter: 5 * time.Millisecond, Loss: 0.5},
	{Delay: 100 * time.Millisecond, Jitter: 30 * time.Millisecond, Loss: 3, Reorder: 3},
	{Delay: 200 * time.Millisecond, Jitter: 60 * time.Millisecond, Loss: 5, Reorder: 5},
	{Delay: 300 * time.Millisecond, Jitter: 80 * time.Millisecond, Loss: 8, Reorder: 8},
	{Delay: 500 * time.Millisecond, Jitter: 100 * time.Millisecond, Loss: 12, Reorder: 12},
	{Delay: 800 * time.Millisecond, Jitter: 200 * time.Millisecond, Loss: 20, Reorder: 20},
}

// TestWorstLinks has delay, jitter, loss and reordering on the link of one of two nodes, which talk and
// get a direct way all the same.
func TestWorstLinks(t *testing.T) {
	i := newInternet(t)
	i.makeBlob(1)
	alice, bob := i.pair()
	steps := ladder
	if !*full {
		steps = ladder[1:2]
	}
	for n, w := range steps {
		for _, whose := range []string{"alice", "bob"} {
			t.Run(fmt.Sprintf("step-%d-at-%s", n+1, whose), func(t *testing.T) {
				a, b := natlab.RouterOptions{Kind: natlab.Port}, natlab.RouterOptions{Kind: natlab.Port}
				if whose == "alice" {
					a.Wire = &w
				} else {
					b.Wire = &w
				}
				i.move(alice, bob, i.RouterWith(a), i.RouterWith(b))
				i.becomesDirect(t, bob)
			})
		}
	}
}

// becomesDirect has bob talk to alice, until there is a direct way and over it.
func (i *internet) becomesDirect(t *testing.T, bob *computer) {
	t.Helper()
	v, first, err := firstTalk(bob)
	if err != nil {
		t.Fatal(err)
	}
	direct, is := awaitState(bob, "direct", time.Minute)
	if !is {
		t.Error("not direct")
	}
	for n := range 3 {
		if err := v.ask(n + 1); err != nil {
			t.Error(err)
		}
	}
	if _, err := v.end(); err != nil {
		t.Error(err)
	}
	t.Logf("first byte after %v, direct %v later", first.Round(time.Millisecond), direct.Round(time.Millisecond))
}

// TestInterfaces has many interfaces that lead nowhere, at one of two nodes.
func TestInterfaces(t *testing.T) {
	if !*full {
		t.Skip("a part of make natlab")
	}
	i := newInternet(t)
	i.makeBlob(1)
	alice, bob := i.pair()
	i.move(alice, bob, i.Router(natlab.Port), i.Router(natlab.Port))
	has := map[*computer]int{alice: 1, bob: 1}
	for _, many := range []int{8, 16, 32} {
		for _, c := range []*computer{alice, bob} {
			t.Run(fmt.Sprintf("%d-at-%s", many, c.name), func(t *testing.T) {
				alice.down()
				bob.down()
				c.host.AddDead(many - has[c])
				has[c] = many
				alice.start()
				bob.start()
				i.becomesDirect(t, bob)
			})
		}
	}
}

// TestNAT64 has one of two nodes in a network that has IPv6 only, and reaches IPv4 by its router.
func TestNAT64(t *testing.T) {
	if !*full {
		t.Skip("a part of make natlab")
	}
	i := newInternet(t)
	i.makeBlob(1)
	alice, bob := i.pair()
	for _, whose := range []string{"alice", "bob"} {
		t.Run(whose, func(t *testing.T) {
			a, b := i.RouterWith(natlab.RouterOptions{Kind: natlab.Port, NAT64: true}), i.RouterWith(natlab.RouterOptions{Kind: natlab.Port, Families: natlab.V4})
			if whose == "bob" {
				a, b = b, a
			}
			i.move(alice, bob, a, b)
			i.becomesDirect(t, bob)
		})
	}
}
