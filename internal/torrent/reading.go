//go:build !notorrent

package torrent

import (
	"context"
	"io"

	"github.com/anacrolix/torrent/metainfo"
	"github.com/anacrolix/torrent/storage"
)

// ended is a storage of which the engine never sees that reading fails: it panics when that happens while the torrent
// is being closed. Who reads in vain ends the swarm instead, and goes on when nobody is connected any more to whom
// the engine could send what it takes for the file's bytes.
type ended struct {
	storage.ClientImpl
	swarm *swarm
}

// OpenTorrent implements [storage.ClientImpl].
func (e ended) OpenTorrent(ctx context.Context, info *metainfo.Info, hash metainfo.Hash) (storage.TorrentImpl, error) {
	t, err := e.ClientImpl.OpenTorrent(ctx, info, hash)
	piece := t.Piece
	t.Piece = func(p metainfo.Piece) storage.PieceImpl { return endedPiece{piece(p), e.swarm} }
	return t, err
}

type endedPiece struct {
	storage.PieceImpl
	swarm *swarm
}

func (p endedPiece) ReadAt(b []byte, off int64) (int, error) {
	n, err := p.PieceImpl.ReadAt(b, off)
	if err == nil || err == io.EOF {
		return n, err
	}
	p.swarm.fail(err)
	<-p.swarm.opened
	if p.swarm.t == nil {
		return n, err // it was never anybody's
	}
	<-p.swarm.t.Closed()
	clear(b)
	return len(b), nil
}
