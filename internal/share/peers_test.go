package share

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// A notebook is what a party has learnt about where others are, and whom it has dialed.
type notebook struct {
	peer.Network
	mu     sync.Mutex
	addrs  map[peer.ID][]string // as they say themselves
	named  map[peer.ID][]peer.ID
	dialed map[peer.ID]int
	calls  int
	early  []peer.ID // who was dialed before anything was known about it
	given  []peer.ID
}

func newNotebook(given ...*party) *notebook {
	n := &notebook{addrs: map[peer.ID][]string{}, named: map[peer.ID][]peer.ID{}, dialed: map[peer.ID]int{}}
	for _, p := range given {
		n.given = append(n.given, p.Self)
	}
	return n
}

// says returns where a peer says to be.
func (n *notebook) says(id peer.ID) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.addrs[id]
}

func (n *notebook) learnt(from, id peer.ID, addrs []string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.calls++
	if !slices.Contains(n.named[id], from) {
		n.named[id] = append(n.named[id], from)
	}
	n.addrs[id] = addrs
	return addrs
}

func (n *notebook) Open(ctx context.Context, id peer.ID, proto string) (transport.Stream, error) {
	n.mu.Lock()
	n.dialed[id]++
	if n.named[id] == nil && !slices.Contains(n.given, id) {
		n.early = append(n.early, id)
	}
	n.mu.Unlock()
	return n.Network.Open(ctx, id, proto)
}

// Everybody hears where the others are before it dials them, and again when that changes; of
// those who have not proved that they may take part nobody hears, and they hear nothing.
func TestAddresses(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a := w.share(300 * group)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var mu sync.Mutex
		moved := false
		books := map[*party]*notebook{}
		for _, name := range []string{"one", "two", "three"} {
			book := newNotebook(a)
			p := w.party(name, func(c *Config) {
				c.Learnt = book.learnt
				c.Own = func() []string {
					mu.Lock()
					defer mu.Unlock()
					if moved {
						return []string{name + ":2", "bad\n", "", string(bytes.Repeat([]byte{'x'}, 300))}
					}
					return slices.Repeat([]string{name + ":1"}, 12)
				}
			})
			book.Network = p.node
			books[p] = book
			w.Delay(a.node, p.node, 20*time.Millisecond)
			p.working.Add(1)
			go func() {
				defer p.working.Done()
				p.Join(ctx, book, a.Self)
			}()
		}
		stranger := w.party("stranger", func(c *Config) {
			c.Secret = []byte("other")
			c.Learnt = func(from, id peer.ID, addrs []string) []string {
				t.Errorf("a stranger hears of %v", addrs)
				return addrs
			}
		})
		stranger.get(ctx, a)
		look := func(suffix string, count int) {
			t.Helper()
			for p, book := range books {
				book.mu.Lock()
				for o := range books {
					if want := slices.Repeat([]string{o.Share.Own()[0][:len(o.Share.Own()[0])-2] + suffix}, count); o != p && !slices.Equal(book.addrs[o.Self], want) {
						t.Errorf("%v are known, want %v", book.addrs[o.Self], want)
					}
				}
				if book.named[stranger.Self] != nil || book.named[p.Self] != nil {
					t.Error("it was told of a stranger, or of itself")
				}
				if len(book.early) > 0 {
					t.Errorf("%v were dialed before anybody knew where they are", book.early)
				}
				book.mu.Unlock()
				p.mu.Lock()
				if len(p.sessions) != 3 {
					t.Errorf("it has %d sessions, want 3", len(p.sessions))
				}
				p.mu.Unlock()
			}
		}
		time.Sleep(time.Minute) // of virtual time
		look(":1", peer.MaxContactAddrs)
		mu.Lock()
		moved = true
		mu.Unlock()
		time.Sleep(3 * time.Minute)
		look(":2", 1)
		calls := 0
		for _, book := range books {
			calls += book.calls
		}
		time.Sleep(time.Hour)
		for _, book := range books {
			calls -= book.calls
		}
		if calls != 0 {
			t.Errorf("%d times they were told what they knew", -calls)
		}
		stop()
	})
}

// What somebody says of itself that is not believed is told to nobody: who hears it is farther from it than who has heard it
// first, and would believe more.
func TestNotBelieved(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a := w.share(300 * group)
		a.Learnt = func(_, _ peer.ID, addrs []string) []string { return addrs[:len(addrs)-1] }
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		books := map[*party]*notebook{}
		for _, name := range []string{"one", "two"} {
			book := newNotebook(a)
			p := w.party(name, func(c *Config) {
				c.Learnt, c.Own = book.learnt, func() []string { return []string{name + ":1", "near:1"} }
			})
			for o := range books {
				w.Break(p.node, o.node) // they hear of each other from a alone
			}
			book.Network, books[p] = p.node, book
			p.working.Add(1)
			go func() {
				defer p.working.Done()
				p.Join(ctx, book, a.Self)
			}()
		}
		time.Sleep(time.Minute) // of virtual time
		for p := range books {
			for o, book := range books {
				if want := p.Share.Own()[:1]; o != p && !slices.Equal(book.says(p.Self), want) {
					t.Errorf("%v are known, want %v", book.says(p.Self), want)
				}
			}
		}
		stop()
	})
}

// One who tells of any number of peers is heard of a few of them, and others are still found.
func TestManyNames(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a := w.share(3 * group)
		book := newNotebook(a)
		b := w.party("getter", func(c *Config) { c.Learnt = book.learnt })
		book.Network = b.node
		bad := w.party("bad", nil)
		book.given = append(book.given, bad.Self)
		s, err := bad.node.Open(t.Context(), b.Self, Proto)
		if err != nil {
			t.Fatal(err)
		}
		played := make(chan struct{})
		go func() {
			defer close(played)
			s.Write(frame(frameHello, hello{a.ID, bad.proof(bad.Self, b.Self)}.append(nil)...)) //nolint:errcheck // hostile
			for i := range 40 {
				var cs []peer.Contact
				for k := range peer.MaxContacts {
					cs = append(cs, peer.Contact{ID: w0(fmt.Sprint(i, k)), Addrs: []string{"192.0.2.1:1"}})
				}
				s.Write(frame(framePeers, peer.AppendContacts(nil, cs...)...)) //nolint:errcheck // hostile
			}
			time.Sleep(2 * time.Minute)           // of virtual time
			transport.Abort(s, t.Context().Err()) //nolint:errcheck // hostile
		}()
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		b.working.Add(1)
		go func() {
			defer b.working.Done()
			b.Join(ctx, book)
		}()
		time.Sleep(time.Minute)
		book.mu.Lock()
		if book.calls > maxNamed || len(book.dialed) > maxFrom {
			t.Errorf("it was told of %d, and has dialed %d", book.calls, len(book.dialed))
		}
		book.mu.Unlock()
		b.Found(a.Self)
		b.wait(a)
		<-played
		stop()
	})
}
