//go:build !notorrent

package torrent

import (
	"context"
	"crypto/sha1" //nolint:gosec // BEP 3 says so
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/anacrolix/torrent/metainfo"
	"github.com/anacrolix/torrent/storage"
)

// maxOpen is how many files are open at a time.
const maxOpen = 64

// A source is a file that is handed on.
type source struct {
	root  *os.Root
	name  string // in it
	mtime time.Time
}

// placed reads a torrent out of files that are where they belong, and writes nothing.
type placed struct {
	*layout
	sources map[int]source // by number of entry

	mu     sync.Mutex
	open   map[int]*os.File
	closed bool
}

// OpenTorrent implements [storage.ClientImpl].
func (s *placed) OpenTorrent(context.Context, *metainfo.Info, metainfo.Hash) (storage.TorrentImpl, error) {
	return storage.TorrentImpl{
		Piece: func(p metainfo.Piece) storage.PieceImpl { return placedPiece{s, p.Index()} },
		Close: func() error { return nil },
	}, nil
}

func (s *placed) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, f := range s.open {
		f.Close() //nolint:errcheck // it was only read
	}
	clear(s.open)
}

// read reads what is at an offset of a file, which is still what it was.
func (s *placed) read(sp span, p []byte, off int64) error {
	if sp.n < 0 {
		clear(p)
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fs.ErrClosed
	}
	from := s.sources[sp.n]
	f := s.open[sp.n]
	if f == nil {
		if len(s.open) >= maxOpen {
			for n, old := range s.open {
				old.Close() //nolint:errcheck // it was only read
				delete(s.open, n)
				break
			}
		}
		var err error
		if f, err = from.root.Open(from.name); err != nil {
			return err
		}
		if s.open == nil {
			s.open = map[int]*os.File{}
		}
		s.open[sp.n] = f
	}
	if _, err := f.ReadAt(p, off); err != nil {
		return fmt.Errorf("%q: %w", sp.entry.Path, err)
	}
	fi, err := f.Stat()
	if err == nil && (fi.Size() != sp.entry.Size || !fi.ModTime().Equal(from.mtime)) {
		err = fmt.Errorf("%q: %w", sp.entry.Path, errChanged)
	}
	return err
}

var errChanged = errors.New("the file has changed since it was hashed")

type placedPiece struct {
	*placed
	i int
}

func (p placedPiece) ReadAt(b []byte, off int64) (n int, err error) {
	size := p.pieceSize(p.i)
	if off >= size {
		return 0, io.EOF
	}
	if int64(len(b)) > size-off {
		b, err = b[:size-off], io.EOF
	}
	err2 := p.across(int64(p.i)*p.piece+off, int64(len(b)), func(s span, at, length int64) error {
		if err := p.read(s, b[n:n+int(length)], at); err != nil {
			return err
		}
		n += int(length)
		return nil
	})
	if err2 != nil {
		return 0, err2
	}
	return n, err
}

func (p placedPiece) WriteAt([]byte, int64) (int, error) { return 0, fs.ErrPermission }

func (p placedPiece) MarkComplete() error { return nil }

func (p placedPiece) MarkNotComplete() error { return nil }

func (p placedPiece) Completion() storage.Completion {
	return storage.Completion{Ok: true, Complete: true}
}

// verify tells whether all of a torrent is at the target already. It reads everything if all files are
// there with the right sizes.
func (l *layout) verify(ctx context.Context, info *metainfo.Info, root *os.Root) (*placed, error) {
	s := &placed{layout: l, sources: map[int]source{}}
	for n, e := range l.index.From(0) {
		fi, err := root.Lstat(e.Path)
		if err != nil || !fi.Mode().IsRegular() && e.Size > 0 || fi.Mode().IsRegular() && fi.Size() != e.Size {
			return nil, err
		}
		s.sources[n] = source{root, e.Path, fi.ModTime()}
	}
	for i := range l.count {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		sum := sha1.New() //nolint:gosec // BEP 3 says so
		if _, err := io.Copy(sum, io.NewSectionReader(placedPiece{s, i}, 0, l.pieceSize(i))); err != nil {
			s.close()
			return nil, err
		}
		if hash := info.Piece(i).V1Hash(); string(sum.Sum(nil)) != string(hash.Value[:]) {
			s.close()
			return nil, nil
		}
	}
	return s, nil
}
