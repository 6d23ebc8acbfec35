package share

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// A keeping is a memory that keeps the manifest, and wants only some of the groups.
type keeping struct {
	*memory
	head    Head
	index   manifest.Index
	skipped []tree.Run
}

func (k *keeping) Learn(x manifest.Index, _, skip func(tree.Run)) error {
	k.index = x
	for _, r := range k.skipped {
		skip(r)
	}
	return nil
}

func (k *keeping) Keep(h Head) error {
	if k.index.Size() != h.Size {
		return errors.New("Keep is told of another manifest than Learn was")
	}
	k.head = h
	return nil
}

func (k *keeping) manifest() *bytes.Reader {
	p := make([]byte, k.index.Size())
	k.index.ReadAt(p, 0) //nolint:errcheck // it is there
	return bytes.NewReader(p)
}

// What an earlier process knew of the manifest is not fetched again, be it all of it or not,
// and only what is new is when it has grown meanwhile.
func TestRestore(t *testing.T) {
	for _, byRoot := range []bool{false, true} {
		virtually(t, func(t *testing.T, w *world) {
			a := w.party("sharer", nil)
			w.sharer = a
			blocks := a.store.fill(slices.Repeat([]int64{100}, 8_000)...)
			add := func(from, to int) {
				for i := from; i < to; i++ {
					if err := a.Add(blocks[i], i == len(blocks)-1, a.node.Key().SignAs); err != nil {
						t.Fatal(err)
					}
				}
			}
			known := len(blocks) - 1
			if byRoot {
				known++
			}
			add(0, known)
			get := func(name string, had *keeping) *keeping {
				k := &keeping{memory: new(memory)}
				b := w.party(name, func(c *Config) {
					c.Store = k
					if byRoot {
						c.Root, c.Sharer = a.Root, somebody()
					}
				})
				b.store = k.memory
				w.Delay(a.node, b.node, 20*time.Millisecond)
				if had != nil {
					if err := b.Restore(had.head, had.manifest()); err != nil {
						t.Fatal(err)
					}
				}
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				b.get(ctx, a)
				select {
				case <-b.Over():
				case <-time.After(time.Minute): // of virtual time
				}
				if have, of := b.Have(); have != of || of == 0 {
					t.Errorf("%s: %d of %d groups are there", name, have, of)
				}
				stop()
				b.Close()
				return k
			}
			first := get("first", nil)
			sent := a.Traffic().Manifest
			if want := tree.Shape(first.head.Size).Groups(); sent < want {
				t.Errorf("%d groups of the manifest were sent, of %d", sent, want)
			}
			add(known, len(blocks))
			get("second", first)
			grown := tree.Shape(a.head.Size).Groups() - first.head.Size/tree.Group
			if byRoot {
				grown = 0
			}
			if more := a.Traffic().Manifest - sent; more != grown {
				t.Errorf("%d groups of the manifest were sent again, of %d; want %d", more, sent, grown)
			}
		})
	}
}

// What nobody vouches for is not taken, and leaves no trace.
func TestRestoreWrong(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a := w.share(slices.Repeat([]int64{1}, 3000)...)
		k := &keeping{index: a.Index()}
		manifest := func(change func([]byte) []byte) *bytes.Reader {
			p := make([]byte, a.head.Size)
			k.manifest().Read(p) //nolint:errcheck // it is there
			return bytes.NewReader(change(p))
		}
		same := func(p []byte) []byte { return p }
		for name, test := range map[string]struct {
			head   func(h *Head)
			change func([]byte) []byte
			root   bool
		}{
			"another signature": {func(h *Head) { h.Sig[7]++ }, same, false},
			"another size":      {func(h *Head) { h.Size-- }, same, false},
			"a size below zero": {func(h *Head) { h.Size = -1 }, same, false},
			"a great size":      {func(h *Head) { h.Size = 1 << 50 }, same, false},
			"not final":         {func(h *Head) { h.Final = false }, same, true},
			"another root":      {func(h *Head) { h.Hash[3]++ }, same, true},
			"a changed byte":    {func(*Head) {}, func(p []byte) []byte { p[len(p)/2] ^= 1; return p }, false},
			"too few bytes":     {func(*Head) {}, func(p []byte) []byte { return p[:len(p)-1] }, true},
			"none":              {func(*Head) {}, func([]byte) []byte { return nil }, true},
		} {
			b := w.party(name, func(c *Config) {
				if test.root {
					c.Root, c.Sharer = a.Root, somebody()
				}
			})
			h := a.head
			test.head(&h)
			if err := b.Restore(h, manifest(test.change)); !errors.Is(err, ErrHead) {
				t.Errorf("%s: %v", name, err)
			}
			if err := b.Restore(a.head, manifest(same)); err != nil {
				t.Errorf("after %s, the right one: %v", name, err)
			}
		}
	})
}

// What is not wanted is neither asked for, nor waited for, nor told of to others, though
// others fetch the share too.
func TestSkip(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a := w.share(100*group, 300*group, 5)
		skipped := []tree.Run{{From: 10, To: 90}, {From: 100, To: 101}, {From: 250, To: 401}}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		whole := w.party("whole", nil)
		b := w.party("some", func(c *Config) { c.Store = &keeping{memory: new(memory), skipped: skipped} })
		for _, p := range []*party{whole, b} {
			w.Delay(a.node, p.node, 20*time.Millisecond)
			p.get(ctx, a)
		}
		<-b.Over()
		if err := b.Err(); err != nil {
			t.Fatal(err)
		}
		whole.wait(a)
		time.Sleep(time.Minute) // of virtual time: nothing more comes
		if have, of := b.Have(); have != of-80-1-151 {
			t.Errorf("%d of %d groups are there", have, of)
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, r := range skipped {
			if b.picker.done.scan(r.From, r.To, false) != r.To {
				t.Errorf("some of %v has come", r)
			}
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		if x := a.sessions[b.Self]; x == nil || x.m.all || x.m.have.has(250/piece) || x.m.have.has(1) {
			t.Error("it was told that it has what it skips")
		}
	})
}
