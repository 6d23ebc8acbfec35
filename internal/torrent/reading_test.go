//go:build !notorrent

package torrent

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/anacrolix/torrent/metainfo"
	"github.com/anacrolix/torrent/storage"

	"github.com/tenon-net/tenon/internal/freeport"
)

// late is a storage whose reading fails when the torrent is closed.
type late struct {
	nowherePiece
	asked, closed chan struct{}
	once          *sync.Once
}

func (l late) OpenTorrent(context.Context, *metainfo.Info, metainfo.Hash) (storage.TorrentImpl, error) {
	return storage.TorrentImpl{Piece: func(metainfo.Piece) storage.PieceImpl { return l }, Close: func() error { return nil }}, nil
}

func (late) Completion() storage.Completion { return storage.Completion{Ok: true, Complete: true} }

func (l late) ReadAt([]byte, int64) (int, error) {
	l.once.Do(func() { close(l.asked) })
	<-l.closed
	return 0, errors.New("it is late")
}

// The engine panics if reading fails while a torrent is being closed, and never gets to know that it did.
func TestReadsInVain(t *testing.T) {
	torrent := torrentOf(t, makeTree(t), "http://127.0.0.1:1/announce")
	for range 5 {
		addr := "127.0.0.1:" + freeport.Get(t)
		f := Fetch{Source: torrent, Target: t.TempDir(), Config: Config{Listen: addr}}
		spec, err := f.spec()
		if err != nil {
			t.Fatal(err)
		}
		store := late{asked: make(chan struct{}), closed: make(chan struct{}), once: new(sync.Once)}
		spec.Storage = store
		sw, err := f.open(spec, true, true)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var asking sync.WaitGroup
		asking.Go(func() {
			Fetch{Source: torrent, Target: t.TempDir(), Config: Config{Listen: here, Peers: []string{addr}}}.Run(ctx) //nolint:errcheck // it gets nothing
		})
		<-store.asked
		sw.close()
		close(store.closed)
		cancel()
		asking.Wait()
	}
}
