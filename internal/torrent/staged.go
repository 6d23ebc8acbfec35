//go:build !notorrent

package torrent

import (
	"context"
	"io"
	"os"
	"sync"

	"github.com/anacrolix/torrent/metainfo"
	"github.com/anacrolix/torrent/storage"

	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/stage"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// A pieceState is what is known of a piece.
type pieceState byte

const (
	missing pieceState = iota
	unknown            // some of it may be there: it has to be hashed
	whole
)

// staged keeps a torrent in a stage. Pieces are what the engine verifies, and groups what the stage
// notes: a group is there when all pieces are that it is in.
type staged struct {
	*layout
	stage *stage.Stage
	aside *os.File // parts of pieces that are in files that nobody wants, at their offset

	marking sync.Mutex // held while a piece becomes whole and its groups are noted, so that who sees the last one sees all of them

	mu     sync.Mutex // guards what follows
	pieces []pieceState
	wanted []bool
	left   int           // that are wanted and not whole
	all    chan struct{} // is closed when none is left for the first time
	closed bool
}

// newStaged goes on with what the stage has.
func newStaged(l *layout, st *stage.Stage, want func(manifest.Entry) bool, resumed bool) *staged {
	s := &staged{layout: l, stage: st, pieces: make([]pieceState, l.count), wanted: make([]bool, l.count), all: make(chan struct{})}
	there := map[int64]bool{} // groups
	st.Have(func(r tree.Run) {
		for g := r.From; g < r.To; g++ {
			there[g] = true
		}
	})
	for i := range s.pieces {
		groups, have, wanted := 0, 0, false
		l.groups(i, func(sp span, g int64) {
			if sp.n < 0 || !want(sp.entry) {
				return
			}
			wanted = true
			groups++
			if there[g] {
				have++
			}
		})
		s.wanted[i] = wanted
		switch {
		case groups > 0 && have == groups:
			s.pieces[i] = whole
		case have > 0 || resumed && l.piece < tree.Group: // a group is noted when all of it is verified
			s.pieces[i] = unknown
		}
		if wanted && s.pieces[i] != whole {
			s.left++
		}
	}
	s.check()
	return s
}

// groups calls f for every group of a file that a piece is in.
func (l *layout) groups(piece int, f func(s span, group int64)) {
	l.across(int64(piece)*l.piece, l.pieceSize(piece), func(s span, at, n int64) error { //nolint:errcheck // f does not fail
		for g := at / tree.Group; g*tree.Group < at+n; g++ {
			f(s, s.group+g)
		}
		return nil
	})
}

// check notices that nothing is left. The caller holds mu, or is alone.
func (s *staged) check() {
	if s.left == 0 && !s.closed {
		s.closed = true
		close(s.all)
	}
}

// OpenTorrent implements [storage.ClientImpl].
func (s *staged) OpenTorrent(context.Context, *metainfo.Info, metainfo.Hash) (storage.TorrentImpl, error) {
	return storage.TorrentImpl{
		Piece: func(p metainfo.Piece) storage.PieceImpl { return stagedPiece{s, p.Index()} },
		Close: func() error { return nil },
	}, nil
}

// close is called when nobody uses it any more; the stage is its owner's.
func (s *staged) close() {
	if s.aside != nil {
		s.aside.Close()           //nolint:errcheck // nobody needs it
		os.Remove(s.aside.Name()) //nolint:errcheck // where files that are open can be removed, it was
	}
}

// spare is where parts of pieces are that nobody wants.
func (s *staged) spare() (*os.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.aside == nil {
		f, err := os.CreateTemp(s.stage.Target, ".tenon-aside-")
		if err != nil {
			return nil, err
		}
		os.Remove(f.Name()) //nolint:errcheck // then close does
		s.aside = f
	}
	return s.aside, nil
}

// have is how many bytes of wanted pieces are there, at most all bytes that are wanted.
func (s *staged) have() (n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, st := range s.pieces {
		if st == whole && s.wanted[i] {
			n += s.pieceSize(i)
		}
	}
	return n
}

// A stagedPiece is a piece of it.
type stagedPiece struct {
	*staged
	i int
}

// each calls f for the parts of files that some of the piece is in; store is nil for what fills up.
func (p stagedPiece) each(b []byte, off int64, f func(b []byte, store io.ReaderAt, at int64) error) (n int, err error) {
	if size := p.pieceSize(p.i); off >= size {
		return 0, io.EOF
	} else if int64(len(b)) > size-off {
		b, err = b[:size-off], io.EOF
	}
	begin := int64(p.i)*p.piece + off
	err2 := p.across(begin, int64(len(b)), func(s span, at, length int64) error {
		part := b[n : n+int(length)]
		if s.n < 0 {
			n += len(part)
			return f(part, nil, at)
		}
		store, at, done, err := p.store(s, at)
		if err != nil {
			return err
		}
		defer done()
		if err := f(part, store, at); err != nil {
			return err
		}
		n += len(part)
		return nil
	})
	if err2 != nil {
		err = err2
	}
	return n, err
}

// store opens where a file is kept, and says where in it is what is at an offset of the file.
func (p stagedPiece) store(s span, at int64) (_ io.ReaderAt, where int64, done func(), err error) {
	if want := p.stage.Want; want != nil && !want(s.entry) {
		f, err := p.spare()
		return f, s.off + at, func() {}, err
	}
	blob, err := p.stage.Open(s.n, s.entry)
	if err != nil {
		return nil, 0, nil, err
	}
	return blob, at, func() { blob.Close() }, nil //nolint:errcheck // what counts is what was synced
}

func (p stagedPiece) ReadAt(b []byte, off int64) (int, error) {
	return p.each(b, off, func(b []byte, store io.ReaderAt, at int64) error {
		if store == nil {
			clear(b)
			return nil
		}
		n, err := store.ReadAt(b, at)
		if n == len(b) {
			return nil
		}
		if err == io.EOF { // nothing was written there yet
			clear(b[n:])
			return nil
		}
		return err
	})
}

func (p stagedPiece) WriteAt(b []byte, off int64) (int, error) {
	return p.each(b, off, func(b []byte, store io.ReaderAt, at int64) error {
		if store == nil {
			return nil
		}
		_, err := store.(io.WriterAt).WriteAt(b, at)
		return err
	})
}

// MarkComplete is called when the piece was verified.
func (p stagedPiece) MarkComplete() error {
	p.marking.Lock()
	defer p.marking.Unlock()
	p.set(whole)
	p.groups(p.i, func(s span, g int64) {
		if s.n < 0 {
			return
		}
		from := s.off + (g-s.group)*tree.Group
		to := min(from+tree.Group, s.end())
		if p.verified(from, to) {
			p.stage.Got(tree.Run{From: g, To: g + 1})
		}
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.check()
	return nil
}

// MarkNotComplete is called when it was not, or has been lost.
func (p stagedPiece) MarkNotComplete() error {
	p.set(missing)
	return nil
}

func (p stagedPiece) Completion() storage.Completion {
	p.mu.Lock()
	defer p.mu.Unlock()
	return storage.Completion{Ok: p.pieces[p.i] != unknown, Complete: p.pieces[p.i] == whole}
}

func (p stagedPiece) set(to pieceState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if was := p.pieces[p.i]; p.wanted[p.i] && (was == whole) != (to == whole) {
		if to == whole {
			p.left--
		} else {
			p.left++
		}
	}
	p.pieces[p.i] = to
}

// verified tells whether all pieces are whole that some bytes are in.
func (p stagedPiece) verified(from, to int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := from / p.piece; i*p.piece < to; i++ {
		if p.pieces[i] != whole {
			return false
		}
	}
	return true
}
