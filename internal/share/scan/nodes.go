package scan

import (
	"errors"
	"fmt"
	"io"
	"math/bits"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/share/tree"
)

// inlineGroups is how many groups a file may have whose nodes are kept in the record of the
// cache, and not in a file of their own: 4 MiB.
const inlineGroups = 64

// inlineNodes has all nodes of a small tree, as a [tree.NodeFile] has them.
type inlineNodes []byte

// Node implements tree.Nodes.
func (b inlineNodes) Node(m int64, n *tree.Node) error {
	if m < 1 || m*tree.NodeSize > int64(len(b)) {
		return tree.ErrMissing
	}
	*n = tree.Node(b[(m-1)*tree.NodeSize:])
	return nil
}

// SetNode implements tree.Nodes.
func (b inlineNodes) SetNode(m int64, n *tree.Node) error {
	copy(b[(m-1)*tree.NodeSize:], n[:])
	return nil
}

// perPage is how many nodes are written at once: those of a stretch of [tree.HashAt], so that
// as many pages are open as there are goroutines.
const perPage = 256

// newNodes makes a file for the nodes of a file that is being hashed.
func newNodes(dir string) (*pagedNodes, error) {
	f, err := os.CreateTemp(nodesDir(dir), "new-")
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	return &pagedNodes{dir: dir, file: f, pages: map[int64]*page{}}, nil
}

// pagedNodes writes the nodes of a file that is hashed, many at once.
type pagedNodes struct {
	dir  string
	file *os.File

	mu    sync.Mutex // guards pages
	pages map[int64]*page
}

// A page has the nodes from perPage*i+1 on. The one before them, whose split point is a
// multiple of perPage, comes when their stretch is done, and is written by itself.
type page struct {
	have int
	data [(perPage - 1) * tree.NodeSize]byte
}

// Node implements tree.Nodes. Who only hashes does not ask.
func (p *pagedNodes) Node(int64, *tree.Node) error { return tree.ErrMissing }

// SetNode implements tree.Nodes.
func (p *pagedNodes) SetNode(m int64, n *tree.Node) error {
	if m%perPage == 0 {
		return tree.NodeFile{File: p.file}.SetNode(m, n)
	}
	i := m / perPage
	p.mu.Lock()
	pg := p.pages[i]
	if pg == nil {
		pg = new(page)
		p.pages[i] = pg
	}
	copy(pg.data[(m%perPage-1)*tree.NodeSize:], n[:])
	pg.have++
	full := pg.have == perPage-1
	if full {
		delete(p.pages, i)
	}
	p.mu.Unlock()
	if !full {
		return nil
	}
	return p.write(i, pg)
}

func (p *pagedNodes) write(i int64, pg *page) error {
	end := len(pg.data)
	if pg.have < perPage-1 {
		end = pg.have * tree.NodeSize // the last page of a file has its first nodes only
	}
	_, err := p.file.WriteAt(pg.data[:end], i*perPage*tree.NodeSize)
	return err
}

// keep gives the file its name, which is the root.
func (p *pagedNodes) keep(root tree.Hash) error {
	var err error
	for i, pg := range p.pages {
		err = errors.Join(err, p.write(i, pg))
	}
	if err = errors.Join(err, p.file.Close()); err == nil {
		err = os.Rename(p.file.Name(), nodesPath(p.dir, root))
	}
	if err != nil {
		os.Remove(p.file.Name()) //nolint:errcheck // it is of no use
		return fmt.Errorf("cache: %w", err)
	}
	return nil
}

func (p *pagedNodes) drop() {
	p.file.Close()           //nolint:errcheck // it is of no use
	os.Remove(p.file.Name()) //nolint:errcheck // it is of no use
}

func nodesDir(cache string) string { return filepath.Join(cache, "nodes") }

func nodesPath(cache string, root tree.Hash) string {
	return filepath.Join(nodesDir(cache), root.String())
}

// checked is up to which number of groups all nodes of a file are looked at before it is
// taken to be hashed: 16 GiB, which is 16 MiB of nodes.
const checked = 1 << 18

// hasNodes tells whether the nodes of a file are kept and right, and notes that they are used.
// Of a very large file it looks at those that lead to the first and to the last group: a
// machine that stops leaves files that are cut, and rarely others that are wrong.
func (s *Scan) hasNodes(r *record) bool {
	shape := tree.Shape(r.stat.size)
	groups := shape.Groups()
	if groups <= s.inline {
		return len(r.nodes) == int(max(0, groups-1))*tree.NodeSize
	}
	path := nodesPath(s.cache, r.root)
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close() //nolint:errcheck // it was only read
	now := time.Now()
	os.Chtimes(path, now, now) //nolint:errcheck // it may be thrown away early
	f := tree.File{Shape: shape, Root: r.root}
	if groups <= checked {
		all := make(inlineNodes, (groups-1)*tree.NodeSize)
		_, err := io.ReadFull(file, all)
		f.Nodes = all
		return err == nil && hasRun(f, shape.All())
	}
	f.Nodes = tree.NodeFile{File: readOnly{file}}
	return hasRun(f, tree.Run{From: 0, To: 1}) && hasRun(f, tree.Run{From: groups - 1, To: groups})
}

// hasRun tells whether all nodes above some groups are there.
func hasRun(f tree.File, r tree.Run) bool {
	skip, err := f.Skip(r)
	return err == nil && skip > bits.Len64(uint64(f.Shape.Groups()))
}

// readOnly is a file that is not written to.
type readOnly struct{ io.ReaderAt }

// WriteAt implements io.WriterAt.
func (readOnly) WriteAt([]byte, int64) (int, error) { return 0, errors.ErrUnsupported }
