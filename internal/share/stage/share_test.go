package stage

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/internal/share"
	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// Open implements share.Store.
func (src *source) Open(n int, _ manifest.Entry) (share.Blob, error) { return memory{src, n}, nil }

// Got implements share.Store.
func (src *source) Got(tree.Run) {}

// A memory is a file of a source, as the sharer has it.
type memory struct {
	src *source
	n   int
}

func (m memory) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(m.src.data[m.n]).ReadAt(p, off)
}
func (m memory) WriteAt([]byte, int64) (int, error) { return 0, io.ErrShortWrite }
func (m memory) Close() error                       { return nil }
func (m memory) Nodes() tree.Nodes                  { return m.src.nodes[m.n] }
func (m memory) Trusted() bool                      { return true }

// A share comes over a network to a real directory, though the getter stops several times;
// nothing comes twice.
func TestOverNetwork(t *testing.T) {
	big := fileOf("photos/sub/zz", 400*group+9)
	src := of(t, append(photos(t).entries, big, twice("photos/twice", big.Path, big.Size))...)
	target := t.TempDir()
	synctest.Test(t, func(t *testing.T) { overNetwork(t, src, target) })
	src.final(target, true)
}

func overNetwork(t *testing.T, src *source, target string) {
	var world peertest.World
	sharer := world.Node("sharer", nil)
	defer sharer.Close()
	a := share.New(share.Config{Self: sharer.Self(), ID: id, Sharer: sharer.Self(), Store: src})
	defer a.Close()
	for i, b := range src.blocks {
		must(t, a.Add(b, i == len(src.blocks)-1, sharer.Key().SignAs))
	}
	var hub share.Hub
	hub.Put(a)
	sharer.Serve(share.Proto, hub.Handle)

	got, lives := int64(0), 0
	for done := false; !done; lives++ {
		if lives > 100 {
			t.Fatalf("%d groups came in %d lives", got, lives)
		}
		s, err := at(t, target, nil)
		must(t, err)
		src.staged(s)
		getter := world.Node("getter"+string(rune('a'+lives)), nil)
		world.Delay(sharer, getter, 20*time.Millisecond)
		b := share.New(share.Config{Self: getter.Self(), ID: id, Root: a.Root, Store: s})
		s.Have(b.Had)
		if h, r, ok := s.Head(); ok {
			must(t, b.Restore(h, r))
		} else if lives > 0 {
			t.Error("it is not known any more how far the manifest is")
		}
		ctx, stop := context.WithCancel(t.Context())
		joined := make(chan struct{})
		go func() {
			defer close(joined)
			b.Join(ctx, getter, sharer.Self())
		}()
		select {
		case <-b.Over():
			must(t, b.Err())
			done = true
		case <-time.After(time.Duration(250+20*lives) * time.Millisecond): // of virtual time
		}
		stop()
		<-joined
		must(t, b.Close())
		getter.Close()
		got += b.Traffic().Got
		if done {
			must(t, end(s))
		}
		must(t, s.Close())
	}
	if lives < 3 {
		t.Errorf("it was there after %d lives", lives)
	}
	if once := src.groups - 401; got != once { // one is there twice
		t.Errorf("%d groups came, for %d", got, once)
	}
	if sent := a.Traffic().Manifest; sent > 2 { // it has one, which is asked for once to prove its size
		t.Errorf("%d groups of the manifest came", sent)
	}
}

// What cannot be at the target ends a share before anything but the manifest has come.
func TestStopsShare(t *testing.T) {
	src := photos(t)
	target := t.TempDir()
	put(t, filepath.Join(target, "photos/sub/tool"), []byte("mine"))
	synctest.Test(t, func(t *testing.T) {
		var world peertest.World
		sharer, getter := world.Node("sharer", nil), world.Node("getter", nil)
		defer sharer.Close()
		defer getter.Close()
		a := share.New(share.Config{Self: sharer.Self(), ID: id, Sharer: sharer.Self(), Store: src})
		defer a.Close()
		for i, b := range src.blocks {
			must(t, a.Add(b, i == len(src.blocks)-1, sharer.Key().SignAs))
		}
		var hub share.Hub
		hub.Put(a)
		sharer.Serve(share.Proto, hub.Handle)
		s, err := at(t, target, nil)
		must(t, err)
		b := share.New(share.Config{Self: getter.Self(), ID: id, Root: a.Root, Sharer: peer.ID{}, Store: s})
		defer b.Close()
		b.Ask(t.Context(), getter, sharer.Self()) //nolint:errcheck // Err has it
		<-b.Over()
		wantErr(t, b.Err(), ErrExists)
		if got := b.Traffic().Got; got > 0 {
			t.Errorf("%d groups have come", got)
		}
	})
	if p, err := os.ReadFile(filepath.Join(target, "photos/sub/tool")); err != nil || string(p) != "mine" {
		t.Errorf("%q, %v", p, err)
	}
}
