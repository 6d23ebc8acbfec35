package stage

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"

	"github.com/tenon-net/tenon/internal/share"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// A blob is a file that somebody uses.
type blob struct {
	*file
	closed atomic.Bool
}

var _ share.Blob = (*blob)(nil)

func (b *blob) Close() error {
	if b.closed.CompareAndSwap(false, true) {
		b.s.files.drop(b.file)
	}
	return nil
}

// Trusted implements [share.Blob]: what this process has written nobody else has touched.
func (b *blob) Trusted() bool { return !b.at && !b.s.resumed }

// ReadAt implements io.ReaderAt. A file may be given its final name while it is open, and
// then anybody may touch it.
func (b *blob) ReadAt(p []byte, off int64) (int, error) {
	n, err := b.data.ReadAt(p, off)
	if b.at {
		return n, err
	}
	b.s.mu.Lock()
	private := b.s.state == fetching
	b.s.mu.Unlock()
	if private {
		return n, err
	}
	if fi, err := b.data.Stat(); err != nil || fi.Size() != b.e.Size || fi.ModTime().UnixNano() != b.e.ModTime {
		return 0, errors.Join(fmt.Errorf("%q: %w: it was written to", b.e.Path, tree.ErrChanged), err)
	}
	return n, err
}

// WriteAt writes what may still have to be verified, before it is told to Got. What is all zeros makes
// no file with holes larger.
func (b *blob) WriteAt(p []byte, off int64) (int, error) {
	s := b.s
	switch {
	case b.at:
		return 0, fmt.Errorf("%q: %w: it is at the target already", b.e.Path, fs.ErrPermission)
	case off < 0 || off > b.e.Size || int64(len(p)) > b.e.Size-off:
		return 0, fmt.Errorf("%q: %w", b.e.Path, tree.ErrRun)
	}
	s.mu.Lock()
	err := s.broken
	s.mu.Unlock()
	if err != nil {
		return 0, err
	}
	if !b.e.Holes || !b.isHole(p, off) {
		if err := s.tree.write(b.data, b.e.Path, p, off); err != nil {
			return 0, err
		}
	}
	// It was written before it is dirty: a batch that begins meanwhile must not count it
	// as synced.
	s.mu.Lock()
	s.dirty.file(b.n, b.e.Path)
	s.bytes += int64(len(p))
	s.written += int64(len(p))
	kick := s.bytes > batchBytes || len(s.dirty.files) > 1000
	s.mu.Unlock()
	if kick {
		s.kick()
	}
	return len(p), nil
}

// isHole tells whether zeros need not be written, as there is nothing else in their place.
func (b *blob) isHole(p []byte, off int64) bool {
	if !zeros(p) {
		return false
	}
	if fi, err := b.data.Stat(); err == nil && fi.Size() <= off {
		return true
	}
	was := make([]byte, len(p))
	n, _ := b.data.ReadAt(was, off)
	return zeros(was[:n])
}

var someZeros [tree.Group]byte

func zeros(p []byte) bool {
	for len(p) > len(someZeros) {
		if !bytes.Equal(p[:len(someZeros)], someZeros[:]) {
			return false
		}
		p = p[len(someZeros):]
	}
	return bytes.Equal(p, someZeros[:len(p)])
}

// Nodes implements [share.Blob].
func (b *blob) Nodes() tree.Nodes {
	if b.nodes == nil {
		return nil
	}
	return tree.NodeFile{File: nodeWriter{b.file}}
}

// A nodeWriter writes nodes. The file is dirty when the group is written that follows.
type nodeWriter struct{ f *file }

func (w nodeWriter) ReadAt(p []byte, off int64) (int, error) { return w.f.nodes.ReadAt(p, off) }

func (w nodeWriter) WriteAt(p []byte, off int64) (int, error) {
	s := w.f.s
	if err := s.home.write(w.f.nodes, nodesOf(w.f.n), p, off); err != nil {
		return 0, w.f.named(err)
	}
	return len(p), nil
}

// named has an error about the nodes of a file name the file.
func (f *file) named(err error) error {
	if e := (*stepError)(nil); errors.As(err, &e) {
		e.name = f.e.Path
	}
	return err
}

// Got implements [share.Store].
func (s *Stage) Got(r tree.Run) {
	if r.From < 0 || r.To > maxNumber {
		return // Learn has refused such a share
	}
	s.mu.Lock()
	s.have.putRun(r, true)
	if last := len(s.fresh) - 1; last >= 0 && s.fresh[last].To == r.From {
		s.fresh[last].To = r.To
	} else {
		s.fresh = append(s.fresh, r)
	}
	kick := len(s.fresh) > 4096
	s.mu.Unlock()
	if kick {
		s.kick()
	}
}

// kick has a batch begin soon.
func (s *Stage) kick() {
	select {
	case s.kicked <- struct{}{}:
	default:
	}
}
