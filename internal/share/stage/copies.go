package stage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"

	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// copies are files that need not be fetched, as another one of the share is the same. They
// are made when all others are there. Small ones are fetched, which takes about as long.
type copies struct {
	next   int                 // the entry that was not asked about yet
	firsts map[content]grouped // of each content the file that is fetched
	pairs  map[int]pair        // copies, by entry
}

// maxCopies bounds the memory for copies, to some 30 MiB: what comes later is fetched.
const maxCopies = 1 << 18

// content is some of a root, and a size. If two roots have that in common, the copy is wrong,
// and found to be; it takes somebody who wants it to be.
type content struct {
	root [16]byte
	size int64
}

// grouped is a file, and the first of its groups, as they are counted through the share.
type grouped struct {
	n     int
	group int64
}

type pair struct{ from, to grouped }

// find tells whether a file is a copy. Whole means that nothing of it is missing. Of the same
// file it always says the same.
func (c *copies) find(n int, e manifest.Entry, run tree.Run, whole bool) bool {
	if n >= c.next {
		c.next = n + 1
		if e.Holes || run.Len() < 2 || whole || len(c.firsts)+len(c.pairs) >= maxCopies {
			return false
		}
		is, this := content{[16]byte(e.Root[:]), e.Size}, grouped{n, run.From}
		from, ok := c.firsts[is]
		switch {
		case c.firsts == nil:
			c.firsts, c.pairs = map[content]grouped{is: this}, map[int]pair{}
		case !ok:
			c.firsts[is] = this
		default:
			c.pairs[n] = pair{from, this}
		}
	}
	return c.has(n)
}

func (c *copies) has(n int) bool {
	_, ok := c.pairs[n]
	return ok
}

// copyAll makes the files that are copies. It counts as if they had been fetched.
func (s *Stage) copyAll() error {
	for _, n := range slices.Sorted(maps.Keys(s.copies.pairs)) {
		p := s.copies.pairs[n]
		e, _ := s.index.Entry(n)
		from, _ := s.index.Entry(p.from.n)
		groups := tree.Shape(e.Size).Groups()
		run := tree.Run{From: p.to.group, To: p.to.group + groups}
		s.mu.Lock()
		there := s.have.all(run) || s.there.all(run)
		staged := s.have.all(tree.Run{From: p.from.group, To: p.from.group + groups})
		s.mu.Unlock()
		if there {
			continue
		}
		if err := s.copyFile(n, e, from, staged); err != nil {
			return err
		}
		s.mu.Lock()
		s.dirty.file(n, e.Path)
		s.dirty.dir(path.Dir(e.Path))
		s.mu.Unlock()
		s.Got(run)
	}
	return nil
}

// copyFile makes a copy of a file, which is in the stage or else at the target. It is hashed,
// as others may touch that meanwhile, and its nodes are needed.
func (s *Stage) copyFile(n int, e, from manifest.Entry, staged bool) error {
	in := s.tree
	if !staged {
		in = s.target
	}
	src, err := in.open(from.Path, os.O_RDONLY)
	if err != nil {
		return err
	}
	defer src.Close() //nolint:errcheck // it was only read
	if err := s.tree.remove(e.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // of which a part was there
	}
	s.files.mu.Lock()
	s.files.created.put(int64(n), false)
	s.files.mu.Unlock()
	dst, err := s.openData(n, e)
	if err != nil {
		return err
	}
	defer dst.Close() //nolint:errcheck // what counts is what was synced
	st := s.tree.step("write", e.Path)
	st.n = int(e.Size)
	if err := s.tree.seam.do(st, func() error {
		_, err := io.Copy(dst, io.LimitReader(src, e.Size)) // the system may share the blocks
		return err
	}); err != nil {
		return err
	}
	nodes, err := s.home.openOrCreate(nodesOf(n))
	if err != nil {
		return err
	}
	defer nodes.Close() //nolint:errcheck // what counts is what was synced
	f := &file{s: s, n: n, e: e, nodes: nodes}
	root, err := tree.HashAt(dst, tree.Shape(e.Size), tree.NodeFile{File: nodeWriter{f}}, 2)
	if err == nil && root != e.Root {
		err = ErrDamaged
	}
	if err != nil {
		return fmt.Errorf("%q, as a copy of %q: %w", e.Path, from.Path, bare(err))
	}
	return nil
}
