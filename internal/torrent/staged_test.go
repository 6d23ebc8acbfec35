//go:build !notorrent

package torrent

import (
	"sync"
	"testing"

	"github.com/anacrolix/torrent/metainfo"

	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/stage"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// Pieces are verified beside each other, and share groups. Whoever sees the last one finds every group noted.
func TestAllMeansAll(t *testing.T) {
	const pieces, size = 64, 16 << 10
	info := &metainfo.Info{Name: "x", PieceLength: size, Length: pieces * size, Pieces: make([]byte, 20*pieces)}
	for range 20 {
		l, err := newLayout(info, metainfo.Hash{1}, 1)
		if err != nil {
			t.Fatal(err)
		}
		st, err := stage.New(stage.Config{Target: t.TempDir(), ID: stageID(metainfo.Hash{1})})
		if err != nil {
			t.Fatal(err)
		}
		if err := st.Learn(l.index, nil, nil); err != nil {
			t.Fatal(err)
		}
		s := newStaged(l, st, func(manifest.Entry) bool { return true }, false)
		var verifying sync.WaitGroup
		for i := range pieces {
			verifying.Go(func() { stagedPiece{s, i}.MarkComplete() }) //nolint:errcheck // it returns nil
		}
		<-s.all
		var groups int64
		st.Have(func(r tree.Run) { groups += r.To - r.From })
		verifying.Wait()
		st.Close() //nolint:errcheck // nothing is in it
		if want := int64(pieces * size / tree.Group); groups != want {
			t.Fatalf("all is there, and %d groups are noted of %d", groups, want)
		}
	}
}
