package scan

import (
	"errors"
	"fmt"
	"hash/maphash"
	"os"
	"sync"

	"github.com/tenon-net/tenon/internal/share"
	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/tree"
)

var _ share.Store = (*Scan)(nil)

// A print is what is remembered of an entry: 16 bytes, as there may be millions.
type print struct {
	sum uint64 // of the state in which it was hashed; 0 if that cannot be trusted
	at  int64  // where its nodes are in the cache, if it has some and not too many
}

// prints are those of all entries, in parts: a list that grew in one piece would be there twice meanwhile.
type prints struct {
	parts []*[inPart]print
	n     int
}

const inPart = 4096

func (l *prints) add(p print) {
	if l.n%inPart == 0 {
		l.parts = append(l.parts, new([inPart]print))
	}
	l.parts[l.n/inPart][l.n%inPart] = p
	l.n++
}

func (l *prints) at(n int) print { return l.parts[n/inPart][n%inPart] }

func (s *Scan) print(st stat, racy bool) print {
	if racy || !changeTime || s.config.Check {
		return print{}
	}
	return print{sum: s.summed(st)}
}

// summed returns a number that two states do not have in common.
func (s *Scan) summed(st stat) uint64 { return maphash.Comparable(s.seed, st) | 1 }

// changed is the error for a file that is not the one that was shared.
func changed(how string) error { return fmt.Errorf("%w: %s", tree.ErrChanged, how) }

// Open implements [share.Store]. It opens the file where it is.
func (s *Scan) Open(n int, e manifest.Entry) (share.Blob, error) {
	s.mu.RLock()
	known := n >= 0 && n < s.prints.n
	var p print
	if known {
		p = s.prints.at(n)
	}
	s.mu.RUnlock()
	if !known {
		return nil, errors.New("there is no such file in the share")
	}
	o, err := s.openFile(n, e)
	if err != nil {
		return nil, err
	}
	b := &blob{scan: s, opened: o, print: p}
	b.trusted = p.sum != 0 && s.summed(o.stat) == p.sum && s.local(o)
	if err := s.openNodes(b, e); err != nil {
		o.close()
		return nil, err
	}
	return b, nil
}

// local tells whether the file is on a disk of this machine. On others files may change, and
// their times be seen only later.
func (s *Scan) local(o *opened) bool {
	if known, ok := s.disks.Load(o.stat.dev); ok {
		return known.(bool)
	}
	local := o.file.local()
	s.disks.Store(o.stat.dev, local)
	return local
}

// openFile opens the file, or takes it from the pool.
func (s *Scan) openFile(n int, e manifest.Entry) (*opened, error) {
	if o := s.pool.take(n); o != nil {
		if i, err := o.file.stat(); err == nil && i.stat == o.stat {
			return o, nil
		}
		o.close() // it is not the same any more, or has another name
	}
	t, f, err := s.open(e.Path)
	switch {
	case err != nil && gone(err):
		return nil, changed(err.Error())
	case err != nil:
		return nil, err
	}
	i, err := f.stat()
	switch {
	case err != nil:
	case !i.regular():
		err = changed("it is " + kind(i.mode) + " now")
	case i.size != e.Size:
		err = changed(fmt.Sprintf("it has %d bytes and had %d", i.size, e.Size))
	}
	if err != nil {
		f.close()
		return nil, err
	}
	f.expectHoles(i.sparse)
	return &opened{number: n, top: t, file: f, stat: i.stat, large: tree.Shape(e.Size).Groups() > s.inline}, nil
}

// openNodes gives the blob the nodes of its tree. If somebody has thrown them away, the file
// is hashed once more.
func (s *Scan) openNodes(b *blob, e manifest.Entry) error {
	groups := tree.Shape(e.Size).Groups()
	o := b.opened
	switch {
	case groups <= 1 || o.nodes != nil:
		return nil
	case groups <= s.inline:
		nodes := make(inlineNodes, (groups-1)*tree.NodeSize)
		if _, err := o.top.cache.file.ReadAt(nodes, b.print.at); err != nil {
			return fmt.Errorf("cache: %w", err)
		}
		o.nodes = nodes
		return nil
	}
	f, err := os.Open(nodesPath(s.cache, e.Root))
	if errors.Is(err, os.ErrNotExist) {
		root, _, failed := s.sum(o.file, e.Size, nil)
		switch {
		case failed != nil:
			return failed
		case root != e.Root:
			return changed("it is hashed once more, and has another hash")
		}
		f, err = os.Open(nodesPath(s.cache, e.Root))
	}
	if err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	o.nodesFile, o.nodes = f, tree.NodeFile{File: readOnly{f}}
	return nil
}

// Got implements [share.Store]. Nobody writes to what is shared.
func (s *Scan) Got(tree.Run) {}

// A blob is a file that is being sent.
type blob struct {
	scan    *Scan
	opened  *opened
	print   print
	trusted bool
	once    sync.Once
}

// ReadAt implements io.ReaderAt. Of a trusted file it returns nothing that may have been
// written since it was hashed: times change before bytes do.
func (b *blob) ReadAt(p []byte, off int64) (int, error) {
	n, err := b.opened.file.ReadAt(p, off)
	if !b.trusted {
		return n, err
	}
	i, failed := b.opened.file.stat()
	switch {
	case failed != nil:
		return 0, failed
	case b.scan.summed(i.stat) != b.print.sum:
		return 0, changed("it is being written to")
	}
	return n, err
}

// WriteAt implements io.WriterAt.
func (b *blob) WriteAt([]byte, int64) (int, error) {
	return 0, fmt.Errorf("what is shared is not written to: %w", errors.ErrUnsupported)
}

func (b *blob) Nodes() tree.Nodes { return b.opened.nodes }
func (b *blob) Trusted() bool     { return b.trusted }

func (b *blob) Close() error {
	b.once.Do(func() { b.scan.pool.put(b.opened) })
	return nil
}
