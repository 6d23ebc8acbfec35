package share

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// A patching is a memory that has older versions of files.
type patching struct {
	*memory
	older map[string][]byte

	index manifest.Index
	next  int
	group int64
	files map[int64]patched // by their first groups
	took  map[tree.Run]bool
	calls int
	wait  chan struct{} // if not nil, Patch waits for it
}

type patched struct {
	n     int
	e     manifest.Entry
	first int64
	was   []byte
}

func (p *patching) Learn(x manifest.Index, _, _ func(tree.Run)) error {
	p.index = x
	return nil
}

func (p *patching) Older() (all []tree.Run) {
	for n, e := range p.index.From(p.next) {
		groups := tree.Shape(e.Size).Groups()
		if was := p.older[e.Path]; was != nil && groups > 1 {
			if p.files == nil {
				p.files = map[int64]patched{}
			}
			p.files[p.group] = patched{n, e, p.group, was}
			all = append(all, tree.Run{From: p.group, To: p.group + groups})
		}
		p.next, p.group = n+1, p.group+groups
	}
	return all
}

func (p *patching) Patch(file tree.Run, had func(tree.Run) bool) (more []tree.Run) {
	if p.calls++; p.wait != nil {
		<-p.wait
	}
	f := p.files[file.From]
	b, err := p.Open(f.n, f.e)
	if err != nil {
		panic(err)
	}
	defer b.Close()
	was := tree.File{Shape: tree.Shape(len(f.was)), Nodes: new(tree.NodeMap)}
	was.Root, _ = tree.HashAt(bytes.NewReader(f.was), was.Shape, was.Nodes, 1)
	shape := tree.Shape(f.e.Size)
	err = tree.File{Shape: shape, Root: f.e.Root, Nodes: b.Nodes()}.Compare(was, func(r tree.Run, what tree.Likeness, _ tree.Hash) bool {
		in := tree.Run{From: f.first + r.From, To: f.first + r.To}
		switch what {
		case tree.Same:
			if p.took[in] {
				return true // the first time
			}
			p.took[in] = true
			b.WriteAt(f.was[r.From*group:min(r.To*group, f.e.Size)], r.From*group)
			tree.HashRun(bytes.NewReader(f.was), shape, b.Nodes(), r)
			p.Got(in)
			return had(in)
		case tree.Unknown:
			more = append(more, in)
		}
		return true
	})
	if err != nil {
		panic(err)
	}
	return more
}

// older gives a party the files of another, changed.
func (w *world) older(p *party, change func(n int, was []byte) []byte) *patching {
	k := &patching{memory: p.store, older: map[string][]byte{}, took: map[tree.Run]bool{}}
	for n, f := range w.sharer.store.files {
		if was := change(n, bytes.Clone(f.data)); was != nil {
			k.older[fmt.Sprintf("file %06d", n)] = was
		}
	}
	p.Store = k
	return k
}

// What is the same in an older version is not fetched, wherever it is: a changed group, one
// that is missing at the end, none, all.
func TestPatch(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(was []byte) []byte
		groups int64 // that may come at most
		nodes  int64
	}{
		{"at both ends", func(was []byte) []byte { was[0] ^= 1; was[len(was)-1] ^= 1; return was }, 2, 200},
		{"it was shorter", func(was []byte) []byte { return was[:400*group+17] }, 140, 250},
		{"it was longer", func(was []byte) []byte { return append(was, was[:90*group]...) }, 1, 300},
		{"nothing", func(was []byte) []byte { return was }, 0, 200},
		{"a byte", func(was []byte) []byte { was[300*group+9] ^= 1; return was }, 1, 200},
		{"16 groups, not at the border of any", func(was []byte) []byte { clear(was[100*group+700:][:16*group]); return was }, 17, 200},
		{"everything", func(was []byte) []byte { return bytes.Repeat([]byte{1}, len(was)) }, 501, 501},
	}[:fewer(t, 7, 3)] {
		t.Run(test.name, func(t *testing.T) {
			virtually(t, func(t *testing.T, w *world) {
				a := w.share(5, 500*group+77, 40*group)
				b := w.party("getter", nil)
				k := w.older(b, func(n int, was []byte) []byte {
					if n != 1 {
						return nil
					}
					return test.change(was)
				})
				w.Delay(a.node, b.node, 20*time.Millisecond)
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				b.get(ctx, a)
				<-b.Over()
				if err := b.Err(); err != nil {
					t.Fatal(err)
				}
				stop()
				b.Close()
				for n, f := range a.store.files {
					if !bytes.Equal(f.data, k.memory.files[n].data) {
						t.Errorf("file %d differs", n)
					}
				}
				if got := b.Traffic().Got - 41; got > test.groups {
					t.Errorf("%d groups came, of which %d were needed", got, test.groups)
				}
				if sent := a.Traffic().Nodes; sent > test.nodes || sent == 0 {
					t.Errorf("%d nodes came by themselves", sent)
				}
				if _, of := b.Have(); k.groups != of {
					t.Errorf("the store was told of %d groups, of %d", k.groups, of)
				}
			})
		})
	}
}

// Where nobody has all of a file, and so nobody all of its nodes, the parts are fetched.
func TestPatchFromParts(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a := w.share(640 * group)
		var parts []*party
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		for i := range int64(2) { // each has one half
			p := w.party(fmt.Sprint("part", i), func(c *Config) {
				c.Store = &keeping{memory: new(memory), skipped: []tree.Run{{From: 320 * i, To: 320*i + 320}}}
			})
			p.get(ctx, a)
			<-p.Over()
			parts = append(parts, p)
		}
		a.unserve()
		a.Close()
		b := w.party("getter", nil)
		k := w.older(b, func(_ int, was []byte) []byte { was[5] ^= 1; return was })
		b.get(ctx, parts...)
		select {
		case <-b.Over():
		case <-time.After(10 * time.Minute):
			t.Error("it waits for nodes")
		}
		if err := b.Err(); err != nil || !bytes.Equal(k.memory.files[0].data, a.store.files[0].data) {
			t.Errorf("it differs, %v", err)
		}
		stop()
	})
}

// A share that is closed while files are compared ends the comparison.
func TestPatchEnds(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a := w.share(300*group, 300*group)
		b := w.party("getter", nil)
		k := w.older(b, func(_ int, was []byte) []byte { return was })
		k.wait = make(chan struct{})
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		b.get(ctx, a)
		time.Sleep(30 * time.Second) // of virtual time
		if e, ok := b.heard(Stuck); ok {
			t.Errorf("while files are compared, %s: %v", e.Text, e.Err)
		}
		ended := make(chan struct{})
		go func() {
			b.Close()
			close(ended)
		}()
		time.Sleep(time.Second)
		close(k.wait)
		<-ended
		if k.calls != 1 {
			t.Errorf("%d comparisons were begun", k.calls)
		}
		stop()
	})
}

// Who sends a wrong node is found out, by the file; the right ones come from others.
func TestPatchWrongNode(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a := w.share(300 * group)
		bad := w.party("bad", nil)
		bad.serve(func(x *session, q want) {
			if q.least == 0 {
				x.share = a.Share
				var aw answerWriter
				x.answerOne(&aw, q) //nolint:errcheck // hostile
				return
			}
			x.send(frame(frameAnswer, answerHead{q.number, q.run}.append(nil)...)) //nolint:errcheck // hostile
			x.send(frame(frameData, make([]byte, 20*tree.NodeSize)...))            //nolint:errcheck // hostile
		}, a)
		b := w.party("getter", nil)
		k := w.older(b, func(_ int, was []byte) []byte { return was })
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		b.get(ctx, bad)
		time.Sleep(time.Minute) // of virtual time
		if banned := b.Status().Banned; len(banned) != 1 || banned[0].Peer != bad.Self || banned[0].File != "file 000000" {
			t.Errorf("%+v are banned", banned)
		}
		b.get(ctx, a)
		<-b.Over()
		if err := b.Err(); err != nil || !bytes.Equal(k.memory.files[0].data, a.store.files[0].data) {
			t.Errorf("it differs, %v", err)
		}
		if got := b.Traffic().Got; got > 0 {
			t.Errorf("%d groups came", got)
		}
		stop()
	})
}
