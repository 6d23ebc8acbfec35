package scan

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/internal/share"
	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// A memory is a getter's Store.
type memory struct {
	mu    sync.Mutex
	files map[string]*memoryFile
}

type memoryFile struct {
	of    *memory
	data  []byte
	nodes tree.NodeMap
}

func (m *memory) Open(_ int, e manifest.Entry) (share.Blob, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.files == nil {
		m.files = map[string]*memoryFile{}
	}
	if m.files[e.Path] == nil {
		m.files[e.Path] = &memoryFile{of: m, data: make([]byte, e.Size)}
	}
	return m.files[e.Path], nil
}

func (m *memory) Got(tree.Run) {}

func (f *memoryFile) ReadAt(p []byte, off int64) (int, error) {
	f.of.mu.Lock()
	defer f.of.mu.Unlock()
	return bytes.NewReader(f.data).ReadAt(p, off)
}

func (f *memoryFile) WriteAt(p []byte, off int64) (int, error) {
	f.of.mu.Lock()
	defer f.of.mu.Unlock()
	return copy(f.data[off:], p), nil
}

func (f *memoryFile) Close() error      { return nil }
func (f *memoryFile) Nodes() tree.Nodes { return &f.nodes }
func (f *memoryFile) Trusted() bool     { return false }

// A directory is fetched while it is still being hashed, from the disk that it is on. A file
// that has changed by then is named, and is not sent.
func TestShare(t *testing.T) {
	dir := makeTree(t)
	write(t, filepath.Join(dir, "z"), random(50_000))
	var world peertest.World
	node := func(name string) *peertest.Node {
		n := world.Node(name, nil)
		t.Cleanup(func() { n.Close() })
		return n
	}
	from, to := node("sharer"), node("getter")
	config := share.Config{ID: share.ID{1}, Secret: []byte("sixteen bytes..."), Sharer: from.Self()}

	said := make(chan share.Event, 1000)
	var sharer *share.Share
	var s *Scan
	changed := false
	var err error
	s, err = New(Config{Paths: []string{dir}, now: later, Add: func(p []byte, final bool) error {
		if s.Progress().Entries == 11 && !changed { // z is not what it was when the getter comes to it
			changed = true
			write(t, filepath.Join(dir, "z"), make([]byte, 50_000))
		}
		return sharer.Add(p, final, from.Key().SignAs)
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	give := config
	give.Self, give.Store = from.Self(), s
	give.Events = func(e share.Event) {
		if e.Kind == share.Unsent {
			said <- e
		}
	}
	sharer = share.New(give)
	defer sharer.Close()
	var hub share.Hub
	hub.Put(sharer)
	from.Serve(share.Proto, hub.Handle)

	var store memory
	get := config
	get.Self, get.Store = to.Self(), &store
	getter := share.New(get)
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	defer getter.Close()
	all.Go(func() { getter.Join(ctx, to, from.Self()) })
	if err := s.Run(ctx); err != nil {
		t.Fatal(err)
	}

	var e share.Event
	select {
	case e = <-said:
	case <-getter.Over():
		t.Fatal("the file that has changed was sent:", getter.Err())
	}
	if e.Peer != (peer.ID{}) && e.Peer != to.Self() || !errors.Is(e.Err, tree.ErrChanged) || !strings.Contains(e.Err.Error(), "d/z") {
		t.Errorf("%v: %s: %v", e.Peer, e.Text, e.Err)
	}
	write(t, filepath.Join(dir, "z"), random(50_000)) // it is again
	stop()
	all.Wait()
	ctx, stop2 := context.WithCancel(t.Context())
	defer stop2()
	all.Go(func() { getter.Join(ctx, to, from.Self()) })
	select {
	case <-getter.Over():
	case e := <-said:
		t.Errorf("%s: %v", e.Text, e.Err)
	}
	if err := getter.Err(); err != nil {
		t.Error(err)
	}
	stop2()
	store.mu.Lock()
	defer store.mu.Unlock()
	for name, size := range sizes {
		if size > 0 && !bytes.Equal(store.files["d/"+name].data, random(size)) {
			t.Errorf("%s is not what was shared", name)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "z")); err != nil || !bytes.Equal(store.files["d/z"].data, random(50_000)) {
		t.Errorf("z is not what was shared: %v", err)
	}
}
