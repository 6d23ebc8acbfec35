package meet

import (
	"crypto/sha256"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
)

// A book is the Places of a party.
type book struct {
	world *world

	mu    sync.Mutex // guards what follows
	own   []string
	heard map[peer.ID][]string
	calls int
}

var _ Places = (*book)(nil)

func (b *book) Own() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.own
}

func (b *book) Admitted(id peer.ID) bool {
	b.world.mu.Lock()
	defer b.world.mu.Unlock()
	return slices.Contains(b.world.ids, id) && !b.world.guests[id]
}

// Learnt does not believe what begins with "near".
func (b *book) Learnt(_, id peer.ID, addrs []string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls++
	b.heard[id] = addrs
	return slices.DeleteFunc(slices.Clone(addrs), func(a string) bool { return strings.HasPrefix(a, "near") })
}

// at says where a party is.
func at(addrs ...string) func(*Config) {
	return func(c *Config) { c.Places.(*book).own = addrs }
}

func (p *party) moves(addr string) {
	p.book.mu.Lock()
	defer p.book.mu.Unlock()
	p.book.own = []string{addr}
}

// knows fails the test unless the party has heard that of where another one is.
func (p *party) knows(other *party, addrs ...string) {
	p.world.t.Helper()
	p.book.mu.Lock()
	defer p.book.mu.Unlock()
	if got := p.book.heard[other.node.Self()]; !slices.Equal(got, addrs) {
		p.world.t.Errorf("%s knows of %s: %q, want %q", p.node.Name(), other.node.Name(), got, addrs)
	}
}

// enters makes somebody a member who was let in, or who is to be one no more.
func (w *world) enters(p *party, is bool) {
	w.mu.Lock()
	w.guests = map[peer.ID]bool{p.node.Self(): !is}
	w.mu.Unlock()
	for _, o := range w.all {
		o.MembersChanged()
	}
}

// Members tell each other where the others are, and again when that changes: what they believe of it. Who has still to
// enter is told nothing, nor anybody of it.
func TestPlaces(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a, b, c := w.party("a", at("a:1")), w.party("b", at("b:1", "near:1")), w.party("c", at("c:1"))
		w.Break(b.node, c.node)
		w.mu.Lock()
		w.guests = map[peer.ID]bool{peer.KeyFromSeed(sha256.Sum256([]byte("guest"))).ID(): true} // before it meets anybody
		w.mu.Unlock()
		guest := w.party("guest", at("guest:1"))
		w.Break(b.node, guest.node)
		time.Sleep(time.Minute)
		a.knows(b, "b:1", "near:1")
		b.knows(c, "c:1")
		c.knows(b, "b:1")
		b.knows(guest)
		guest.knows(b)
		guest.knows(a)
		c.moves("c:2")
		time.Sleep(ownEvery + 5*time.Second)
		b.knows(c, "c:2")
		w.enters(guest, true)
		time.Sleep(5 * time.Second)
		guest.knows(a, "a:1")
		guest.knows(b, "b:1")
		b.knows(guest, "guest:1")
		calls := func() (n int) {
			for _, p := range w.all {
				p.book.mu.Lock()
				n += p.book.calls
				p.book.mu.Unlock()
			}
			return n
		}
		before := calls()
		time.Sleep(time.Hour)
		if n := calls() - before; n > 0 {
			t.Errorf("%d times they were told what they knew", n)
		}
	})
}

// Who is none any more is told nothing more, and nobody where it is.
func TestPlacesOfTheRemoved(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a, b, c := w.party("a", at("a:1")), w.party("b", at("b:1")), w.party("c", at("c:1"))
		w.Break(b.node, c.node)
		time.Sleep(time.Minute)
		c.knows(b, "b:1")
		w.remove(c.node.Self())
		for _, p := range []*party{a, b} {
			p.MembersChanged()
		}
		a.moves("a:2")
		b.moves("b:2")
		c.moves("c:2")
		time.Sleep(10 * time.Minute)
		b.knows(a, "a:2")
		b.knows(c, "c:1")
		c.knows(a, "a:1")
		c.knows(b, "b:1")
	})
}

// What is said of somebody whose event is still on its way is not forgotten.
func TestPlacesAhead(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a, b := w.party("a", at("a:1")), w.party("b", at("b:1"))
		time.Sleep(5 * time.Second)
		w.enters(a, false) // as b sees it
		a.moves("a:2")
		time.Sleep(2 * ownEvery)
		b.knows(a, "a:1")
		w.enters(a, true)
		synctest.Wait()
		b.knows(a, "a:2")
	})
}

// Somebody who could not be reached for long is tried at once when another one says where it is now.
func TestHint(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		w.party("a")
		b, c := w.party("b"), w.party("c")
		w.Break(b.node, c.node)
		time.Sleep(time.Hour)
		synctest.Wait()
		w.Heal(b.node, c.node)
		c.moves("c:1")
		time.Sleep(ownEvery + 5*time.Second)
		if !slices.ContainsFunc(b.Peers(), func(p Peer) bool { return p.ID == c.node.Self() }) {
			t.Error("they are not connected")
		}
	})
}

// One who tells of any number of devices is heard of a few.
func TestManyPlaces(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a := w.party("a")
		bad := w.Node("bad", nil)
		defer bad.Close() //nolint:errcheck // it returns nil
		w.admit(bad.Self())
		contact := peer.Contact{ID: bad.Self(), Addrs: []string{"x:1"}}
		s := enter(t, bad, a)
		go func() {
			for range 40 {
				s.Write(framed(framePeers, peer.AppendContacts(nil, slices.Repeat([]peer.Contact{contact}, peer.MaxContacts)...)...)) //nolint:errcheck // hostile
			}
		}()
		time.Sleep(time.Second / 2)
		synctest.Wait()
		a.book.mu.Lock()
		defer a.book.mu.Unlock()
		if a.book.calls != maxHeard {
			t.Errorf("it was told of %d", a.book.calls)
		}
		s.Close() //nolint:errcheck // it returns nil
	})
}
