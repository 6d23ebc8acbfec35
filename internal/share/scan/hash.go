package scan

import (
	"errors"
	"fmt"
	"io"

	"github.com/tenon-net/tenon/internal/share/tree"
)

// tries is how often a file is hashed that is changed meanwhile.
const tries = 3

// stretch is from which size on a file is hashed by several goroutines.
const stretch = 16 << 20

// hashes is one of the workers.
func (w *walker) hashes() {
	buf := make([]byte, tree.Group)
	for it := range w.work {
		it.err = w.hash(it, buf)
		it.file.close()
		close(it.done)
	}
}

// errBusy: it was never the same before and after it was hashed.
var errBusy = errors.New("it is being written to")

// hash hashes a file in one of its states, which the item has then.
func (w *walker) hash(it *item, buf []byte) error {
	for range tries {
		i, err := it.file.stat()
		if err != nil {
			return err
		}
		if !i.regular() {
			return fmt.Errorf("it is %s now", kind(i.mode))
		}
		it.file.expectHoles(i.sparse)
		began := w.scan.config.now()
		root, nodes, err := w.scan.sum(&counted{w, it.file}, i.size, buf)
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
		after, failed := it.file.stat()
		if failed != nil {
			return failed
		}
		if err != nil || after.stat != i.stat {
			continue
		}
		it.stat, it.inline = i.stat, nodes
		it.racy = began.UnixNano()-i.ctime < int64(racy)
		e := &it.entry
		e.Mode, e.ModTime, e.Size, e.Root = i.mode.Perm(), i.mtime, i.size, root
		e.Holes = i.sparse && i.size > 0 && it.file.holes(i.size)
		w.scan.count.hashes.Add(1)
		return nil
	}
	return errBusy
}

// sum hashes what data has, and keeps the nodes of its tree: those of a few groups are
// returned, more are in a file of the cache.
func (s *Scan) sum(data io.ReaderAt, size int64, buf []byte) (tree.Hash, inlineNodes, error) {
	shape := tree.Shape(size)
	switch groups := shape.Groups(); {
	case groups <= 1:
		if n, err := data.ReadAt(buf[:size], 0); n < int(size) {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return tree.Hash{}, nil, err
		}
		return tree.Sum(buf[:size]), nil, nil
	case groups <= s.inline:
		nodes := make(inlineNodes, (groups-1)*tree.NodeSize)
		root, err := tree.HashAt(data, shape, nodes, 1)
		return root, nodes, err
	}
	nodes, err := newNodes(s.cache)
	if err != nil {
		return tree.Hash{}, nil, err
	}
	workers := 1
	if size > stretch {
		workers = s.workers
	}
	root, err := tree.HashAt(data, shape, nodes, workers)
	if err != nil {
		nodes.drop()
		return tree.Hash{}, nil, err
	}
	return root, nil, nodes.keep(root)
}

// counted counts what is read to be hashed, and ends when the walk does.
type counted struct {
	w    *walker
	file *file
}

func (c *counted) ReadAt(p []byte, off int64) (int, error) {
	if err := c.w.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.file.ReadAt(p, off)
	c.w.scan.count.bytes.Add(int64(n))
	return n, err
}
