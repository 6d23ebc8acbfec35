package share

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/tree"
)

var secret = []byte("sixteen bytes...")

// A party is a node that takes part in one share.
type party struct {
	*Share
	t     *testing.T
	node  *peertest.Node
	store *memory
	hub   Hub
	said  chan Event

	unserve func()
	drop    func()
}

// world is where parties meet.
type world struct {
	peertest.World
	t      *testing.T
	sharer *party
	blocks [][]byte

	sparse  bool  // what is shared is nearly all zeros
	limited int64 // how many bytes a second the sharer sends, if not 0
}

func (w *world) party(name string, config func(*Config)) *party {
	p := &party{t: w.t, node: w.Node(name, nil), store: new(memory), said: make(chan Event, 1000)}
	c := Config{Self: p.node.Self(), ID: ID{1}, Secret: secret, Store: p.store, Events: func(e Event) { p.said <- e }}
	if w.sharer != nil {
		c.Sharer = w.sharer.Self
	} else {
		c.Sharer = c.Self
	}
	if config != nil {
		config(&c)
	}
	p.Share = New(c)
	p.drop = p.hub.Put(p.Share)
	p.unserve = p.node.Serve(Proto, p.hub.Handle)
	w.t.Cleanup(func() {
		p.Close()
		p.node.Close()
	})
	return p
}

// share makes a party that shares files of these sizes.
func (w *world) share(sizes ...int64) *party {
	w.sharer = w.party("sharer", func(c *Config) { c.Up = w.limited })
	w.sharer.store.sparse = w.sparse
	w.blocks = w.sharer.store.fill(sizes...)
	for i, b := range w.blocks {
		if err := w.sharer.Add(b, i == len(w.blocks)-1, w.sharer.node.Key().SignAs); err != nil {
			w.t.Fatal(err)
		}
	}
	return w.sharer
}

// get has a party join until ctx ends.
func (p *party) get(ctx context.Context, from ...*party) {
	var ids []peer.ID
	for _, f := range from {
		ids = append(ids, f.Self)
	}
	p.working.Add(1)
	go func() {
		defer p.working.Done()
		p.Join(ctx, p.node, ids...)
	}()
}

// wait waits until everything is there, and compares it.
func (p *party) wait(with *party) {
	p.t.Helper()
	select {
	case <-p.Over():
	case <-time.After(time.Hour):
		have, of := p.Have()
		p.t.Fatalf("%d of %d groups are there", have, of)
	}
	if err := p.Err(); err != nil {
		p.t.Fatal(err)
	}
	for n, f := range with.store.files {
		if len(f.data) > 0 && !bytes.Equal(p.store.files[n].data, f.data) {
			p.t.Errorf("file %d differs", n)
		}
	}
	if _, of := p.Have(); p.store.groups != of {
		p.t.Errorf("the store was told of %d groups, of %d", p.store.groups, of)
	}
}

// heard returns the next event of a kind that a party was told of, if there is one.
func (p *party) heard(kind EventKind) (Event, bool) {
	for {
		select {
		case e := <-p.said:
			if e.Kind == kind {
				return e, true
			}
		default:
			return Event{}, false
		}
	}
}

// fewer is how many of a kind a test has: with the race detector, which takes many times as long for
// the same, fewer, and it says so. ./check runs such tests without it, too, with all.
func fewer(t *testing.T, all, less int) int {
	if !raced {
		return all
	}
	t.Logf("%d, and not %d, because of the race detector", less, all)
	return less
}

func virtually(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, &world{t: t}) })
}

const group = tree.Group

// What one has another gets, whatever the sizes, and by root or by signature.
func TestOneToOne(t *testing.T) {
	for _, test := range []struct {
		name  string
		sizes []int64
	}{
		{"nothing", nil},
		{"an empty file", []int64{0}},
		{"a byte", []int64{1}},
		{"a group", []int64{group}},
		{"a group and a byte", []int64{group + 1}},
		{"some of each", []int64{0, 1, group - 1, group, group + 1, 0, 10*group + 7, 5, 64 * group, 0}},
		{"one that is large", []int64{200*group + 5}},
		{"many that are small", slices.Repeat([]int64{100, 200, 300}, 300)},
		{"a manifest of many blocks", slices.Repeat([]int64{1}, 6_000)},
	} {
		for _, byRoot := range []bool{false, true} {
			t.Run(fmt.Sprint(test.name, " ", byRoot), func(t *testing.T) {
				virtually(t, func(t *testing.T, w *world) {
					a := w.share(test.sizes...)
					b := w.party("getter", func(c *Config) {
						if byRoot {
							c.Root, c.Sharer = a.Root, peer.ID{}
						}
					})
					w.Delay(a.node, b.node, 20*time.Millisecond)
					ctx, stop := context.WithCancel(t.Context())
					defer stop()
					b.get(ctx, a)
					b.wait(a)
					stop()
				})
			})
		}
	}
}

// A share can be fetched while it grows.
func TestGrows(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a := w.party("sharer", nil)
		w.sharer = a
		blocks := a.store.fill(append(slices.Repeat([]int64{100}, 6_000), slices.Repeat([]int64{70 * group, 5}, 1)...)...)
		b := w.party("getter", nil)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		b.get(ctx, a)
		for i, block := range blocks {
			if err := a.Add(block, i == len(blocks)-1, a.node.Key().SignAs); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Second) // of virtual time
			have, of := b.Have()
			if want, _ := a.Have(); have != want || of != want {
				t.Errorf("after %d blocks %d of %d groups are there, want %d", i+1, have, of, want)
			}
		}
		b.wait(a)
		stop()
	})
}

// A share that grows fast is fetched while it does, though the other side hears of each
// step later.
func TestGrowsFast(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a := w.party("sharer", nil)
		w.sharer = a
		blocks := a.store.fill(slices.Repeat([]int64{100}, 20_000)...)
		b := w.party("getter", nil)
		w.Delay(a.node, b.node, 40*time.Millisecond)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		b.get(ctx, a)
		for i, block := range blocks {
			const cuts = 7 // not where groups end, but entries may be cut: it is the Builder's to wait
			for c := range cuts {
				part := block[len(block)*c/cuts : len(block)*(c+1)/cuts]
				if err := a.Add(part, i == len(blocks)-1 && c == cuts-1, a.node.Key().SignAs); err != nil {
					t.Fatal(err)
				}
				time.Sleep(10 * time.Millisecond)
			}
		}
		b.wait(a)
		stop()
		b.Close()
		close(b.said)
		for e := range b.said {
			if e.Kind != Joined && e.Kind != Finished && e.Kind != Left {
				t.Errorf("%s: %v", e.Text, e.Err)
			}
		}
	})
}

// Who has not the secret, or asks for what is not there, gets one answer.
func TestRefused(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a := w.share(1, 2, 3)
		for name, change := range map[string]func(*Config){
			"secret": func(c *Config) { c.Secret = []byte("other") },
			"none":   func(c *Config) { c.Secret = nil },
			"share":  func(c *Config) { c.ID[3]++ },
		} {
			b := w.party(name, change)
			if err := b.Ask(t.Context(), b.node, a.Self); !errors.Is(err, ErrGone) {
				t.Errorf("%s: %v", name, err)
			}
		}
		friend := w.party("friend", func(c *Config) { c.Secret = nil })
		a.Admit = func(who peer.ID, proved bool) bool { return proved || who == friend.Self }
		if err := friend.Ask(t.Context(), friend.node, a.Self); !errors.Is(err, ErrGone) {
			t.Errorf("a friend who does not know that %v has the share: %v", a.Self, err)
		}
	})
}

// A provider that sends a wrong byte is not asked any more, and the rest comes from others.
func TestWrongByte(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a := w.share(100*group, 200*group)
		bad := w.party("bad", nil)
		bad.store.fill(100*group, 200*group)
		for i, b := range w.blocks {
			if err := bad.Add(b, i == len(w.blocks)-1, a.node.Key().SignAs); err != nil {
				t.Fatal(err)
			}
		}
		reads, spoiled := 0, []byte(nil)
		bad.store.spoil = func(n int, p []byte) {
			if reads++; reads == 40 && len(p) > 0 {
				spoiled = bytes.Clone(p)
				p[len(p)/2] ^= 4
			}
		}
		b := w.party("getter", nil)
		for _, p := range []*party{a, bad} {
			w.Delay(p.node, b.node, 20*time.Millisecond)
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		b.get(ctx, a, bad)
		b.wait(a)
		stop()
		b.Close()
		close(b.said)
		for e := range b.said {
			if e.Kind != Banned {
				continue
			}
			if e.Peer != bad.Self || !errors.Is(e.Err, tree.ErrWrongData) || !strings.HasPrefix(e.File, "file 00000") || e.Offset%group != 0 ||
				!bytes.Equal(spoiled, a.store.files[int(e.File[len(e.File)-1]-'0')].data[e.Offset:][:group]) {
				t.Errorf("%+v", e)
			}
			if banned := b.Status().Banned; len(banned) != 1 || banned[0].Peer != e.Peer || banned[0].File != e.File || banned[0].Offset != e.Offset || banned[0].When.IsZero() {
				t.Errorf("%+v are banned", banned)
			}
			return
		}
		t.Error("nobody was told who has sent a wrong byte")
	})
}

// Several getters at once get it from each other, too.
func TestSwarm(t *testing.T) {
	for _, many := range []int{2, fewer(t, 8, 4)} {
		t.Run(fmt.Sprint(many), func(t *testing.T) {
			virtually(t, func(t *testing.T, w *world) {
				a := w.share(slices.Repeat([]int64{7 * group, 100, 200 * group}, 4)...)
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				var getters []*party
				for i := range many {
					g := w.party(fmt.Sprint("getter", i), nil)
					w.Delay(a.node, g.node, 20*time.Millisecond)
					getters = append(getters, g)
					g.get(ctx, a)
				}
				lost, all := int64(0), int64(0)
				for _, g := range getters {
					g.wait(a)
					lost, all = lost+g.Traffic().Lost, all+g.Traffic().Got
				}
				stop()
				_, of := a.Have()
				if sent := a.Traffic().Sent; float64(sent) > 1.15*float64(of) {
					t.Errorf("the sharer has sent %d groups for %d", sent, of)
				}
				if float64(lost) > 0.02*float64(all) {
					t.Errorf("%d of %d groups came twice", lost, all)
				}
			})
		})
	}
}

// A file that has changed at its only provider is told of, and everything else comes.
func TestChangedFile(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a := w.share(1, 2, 300, 5, 3*group)
		a.store.files[2].data = []byte("changed")
		a.store.changed = map[int]bool{2: true}
		b := w.party("getter", nil)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		b.get(ctx, a)
		time.Sleep(30 * time.Second) // of virtual time
		if have, of := b.Have(); have != of-1 {
			t.Errorf("%d of %d groups are there, want all but one", have, of)
		}
		stop()
		if e, ok := a.heard(Unsent); !ok || !errors.Is(e.Err, tree.ErrChanged) || e.Peer != b.Self || e.File != "file 000002" {
			t.Errorf("the sharer is told %+v", e)
		}
		if e, ok := b.heard(Stuck); !ok || !errors.Is(e.Err, errRefused) || e.Peer != a.Self || e.File != "file 000002" {
			t.Errorf("the getter is told %+v", e)
		}
	})
}

// What a hundred bytes can claim is not remembered group by group.
func TestTooLarge(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a := w.party("sharer", nil)
		var manifestBytes []byte
		e := manifest.Encoder{Emit: func(b []byte) error { manifestBytes = append(manifestBytes, b...); return nil }}
		if err := errors.Join(e.Add(manifest.Entry{Path: "x", Kind: manifest.File, Mode: 0o644, Size: 1<<63 - 1, Holes: true}), e.Finish()); err != nil {
			t.Fatal(err)
		}
		if err := a.Add(manifestBytes, true, a.node.Key().SignAs); !errors.Is(err, errTooLarge) {
			t.Errorf("the sharer: %v", err)
		}
	})
}
