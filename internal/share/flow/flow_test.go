package flow

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/internal/share"
	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// A source has the files of a share; data is read from functions, so that there may be more
// than there is memory.
type source struct {
	entries []manifest.Entry
	data    []io.ReaderAt
	nodes   []*tree.NodeMap
}

func (s *source) add(t *testing.T, path string, size int64, data io.ReaderAt) {
	t.Helper()
	nodes := new(tree.NodeMap)
	root, err := tree.HashAt(data, tree.Shape(size), nodes, 2)
	if err != nil {
		t.Fatal(err)
	}
	s.entries = append(s.entries, manifest.Entry{Path: path, Kind: manifest.File, Size: size, Root: root})
	s.data, s.nodes = append(s.data, data), append(s.nodes, nodes)
}

func (s *source) Open(n int, _ manifest.Entry) (share.Blob, error) {
	return sent{s.data[n], s.nodes[n]}, nil
}
func (s *source) Got(tree.Run) {}

type sent struct {
	io.ReaderAt
	nodes *tree.NodeMap
}

func (b sent) WriteAt([]byte, int64) (int, error) { return 0, os.ErrPermission }
func (b sent) Close() error                       { return nil }
func (b sent) Nodes() tree.Nodes                  { return b.nodes }
func (b sent) Trusted() bool                      { return true }

// ones is as long as anybody likes. Zeros would not be sent.
type ones struct{}

func (ones) ReadAt(p []byte, _ int64) (int, error) {
	for n := copy(p, "\x01"); n > 0 && n < len(p); n *= 2 {
		copy(p[n:], p[:n])
	}
	return len(p), nil
}

func random(size int) []byte {
	p := make([]byte, size)
	rand.NewChaCha8([32]byte{byte(size)}).Read(p) //nolint:errcheck // it does not fail
	return p
}

// run has some share the source and one get it as a stream. When it returns all have ended.
func (s *source) run(t *testing.T, sharers int, f *Flow) (*share.Share, error) {
	t.Helper()
	var blocks [][]byte
	enc := manifest.Encoder{Emit: func(b []byte) error { blocks = append(blocks, bytes.Clone(b)); return nil }}
	for _, e := range s.entries {
		if err := enc.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := enc.Finish(); err != nil {
		t.Fatal(err)
	}
	var world peertest.World
	getter := world.Node("getter", nil)
	defer getter.Close()
	var b *share.Share
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	first := world.Node("sharer", nil)
	defer first.Close()
	for i := range sharers {
		node := first
		if i > 0 {
			node = world.Node("sharer"+string(rune('a'+i)), nil)
			defer node.Close()
		}
		a := share.New(share.Config{Self: node.Self(), ID: share.ID{1}, Sharer: first.Self(), Store: s})
		defer a.Close()
		for i, p := range blocks { // the others have it from the first, as it were
			if err := a.Add(p, i == len(blocks)-1, first.Key().SignAs); err != nil {
				t.Fatal(err)
			}
		}
		var hub share.Hub
		hub.Put(a)
		node.Serve(share.Proto, hub.Handle)
		world.Delay(node, getter, time.Duration(20+30*i)*time.Millisecond)
		if b == nil {
			b = share.New(share.Config{Self: getter.Self(), ID: share.ID{1}, Sharer: first.Self(), Store: f, Passing: true})
		}
		all.Go(func() { b.Join(ctx, getter, node.Self()) })
	}
	err := f.Run(ctx, b)
	stop()
	all.Wait()
	b.Close()
	return b, err
}

// A file comes whole and in order, from one or from several, whatever its size and the
// window.
func TestInOrder(t *testing.T) {
	for _, size := range []int{0, 1, tree.Group, 3*tree.Group + 5, 60*tree.Group + 1} {
		for _, sharers := range []int{1, 3} {
			for _, window := range []int64{1, 5 * tree.Group, 0} {
				synctest.Test(t, func(t *testing.T) {
					var s source
					s.add(t, "a", 3*tree.Group, ones{})
					want := random(size)
					s.add(t, "b", int64(size), bytes.NewReader(want))
					s.add(t, "c", 5, ones{})
					var out bytes.Buffer
					f := New(Config{To: &out, Window: window, Want: func(e manifest.Entry) bool { return e.Path == "b" }})
					b, err := s.run(t, sharers, f)
					if err != nil || !bytes.Equal(out.Bytes(), want) {
						t.Errorf("%d bytes of %d came from %d through a window of %d: %v", out.Len(), size, sharers, window, err)
					}
					if got, groups := b.Traffic().Got, tree.Shape(size).Groups(); got != groups {
						t.Errorf("%d groups came, for %d", got, groups)
					}
					if int64(f.made) > f.window {
						t.Errorf("there were %d buffers, of %d", f.made, f.window)
					}
				})
			}
		}
	}
}

// One stream cannot have several files, nor one that is not there; nothing is written then.
func TestOneFile(t *testing.T) {
	for name, test := range map[string]struct {
		want func(manifest.Entry) bool
		err  error
	}{
		"several": {nil, ErrSeveral},
		"none":    {func(manifest.Entry) bool { return false }, ErrNone},
	} {
		synctest.Test(t, func(t *testing.T) {
			var s source
			s.add(t, "a", 5, ones{})
			s.add(t, "b", 5, ones{})
			var out bytes.Buffer
			if _, err := s.run(t, 1, New(Config{To: &out, Want: test.want})); !errors.Is(err, test.err) || out.Len() > 0 {
				t.Errorf("%s: %d bytes were written: %v", name, out.Len(), err)
			}
		})
	}
}

// A reader that is gone ends it.
func TestBrokenPipe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s source
		s.add(t, "a", 500*tree.Group, ones{})
		r, w := io.Pipe()
		r.CloseWithError(io.ErrClosedPipe)
		if _, err := s.run(t, 1, New(Config{To: w})); !errors.Is(err, io.ErrClosedPipe) {
			t.Error(err)
		}
	})
}

// A slow writer stops now and then, for an hour, and looks how much is there meanwhile.
type slow struct {
	t    *testing.T
	f    *Flow
	n    int64
	most uint64
}

func (w *slow) Write(p []byte) (int, error) {
	if w.n%(256<<20) == 0 {
		time.Sleep(time.Hour) // virtual: everything comes to rest, and nobody loses patience
		w.f.mu.Lock()
		came := int64(len(w.f.came))
		w.f.mu.Unlock()
		if came > w.f.window {
			w.t.Errorf("%d groups are in memory, and there is room for %d", came, w.f.window)
		}
		w.most = max(w.most, heap())
	}
	if bytes.ContainsFunc(p, func(r rune) bool { return r != 1 }) {
		w.t.Error("wrong bytes came")
	}
	w.n += int64(len(p))
	return len(p), nil
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A gigabyte for a reader that is slow takes as much memory as the window, and what sessions
// need; it comes once, and whoever sends it is not lost.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		size := int64(1 << 30)
		if raced { // ./check runs it without the race detector, too
			size = 1 << 28
		}
		var s source
		s.add(t, "a", size, ones{})
		before := heap()
		w := &slow{t: t, most: before}
		w.f = New(Config{To: w, Window: 8 << 20})
		b, err := s.run(t, 2, w.f)
		if err != nil || w.n != size {
			t.Errorf("%d bytes came: %v", w.n, err)
		}
		if got := b.Traffic(); got.Got != size/tree.Group || got.Lost > 0 {
			t.Errorf("%+v groups came", got)
		}
		if int64(w.f.made) > w.f.window {
			t.Errorf("there were %d buffers, of %d", w.f.made, w.f.window)
		}
		w.most -= before
		t.Logf("%d KiB more were in use than before", w.most>>10)
		if w.most > 24<<20 { // the window, and the buffers of two sessions on both sides
			t.Errorf("%d KiB more are in use than before", w.most>>10)
		}
	})
}
