package scan

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/tenon-net/tenon/internal/share/tree"
)

// A Known is a file whose hash is known though no Scan has hashed it: it was verified as it
// came from others.
type Known struct {
	Path    string // below the directory, with slashes
	Size    int64  // more than 0
	ModTime int64  // in nanoseconds since 1970, when it was put there
	Root    tree.Hash
	Holes   bool
	Nodes   func() (io.ReadCloser, error) // as a [tree.NodeFile]; for files of several groups
}

// Seed notes in a cache what is known of files in a directory, in the order of a manifest: whoever
// shares them later does not hash them. They are not trusted, but hashed when they are sent: nobody has
// looked whether they are still the same as when they came, beyond their times. What cannot be
// noted is hashed as ever.
func Seed(cacheDir, dir string, files iter.Seq[Known]) error {
	if err := makeCache(cacheDir); err != nil {
		return err
	}
	at, err := openFolder(dir)
	if err != nil {
		return err
	}
	defer at.close()
	s := &seeding{cacheDir: cacheDir, dir: dir, at: at}
	for f := range files {
		if err = s.add(f); err != nil {
			break
		}
	}
	return errors.Join(err, s.end(&s.cache), s.end(&s.tops))
}

// A seeding has a cache open for the directory at the top that the last file was in, and one for files at the top.
type seeding struct {
	cacheDir, dir string
	at            *folder
	top           string
	cache, tops   *cache
}

func (s *seeding) add(k Known) error {
	r, err := s.record(k)
	if err != nil || r == nil {
		return err
	}
	top, _, below := strings.Cut(k.Path, "/")
	in := &s.tops
	of := strings.TrimSuffix(s.dir, string(filepath.Separator)) + string(filepath.Separator)
	if below {
		in, of = &s.cache, filepath.Join(s.dir, top)
		if s.cache != nil && s.top != top {
			if err := s.end(&s.cache); err != nil {
				return err
			}
		}
		s.top = top
	}
	if *in == nil {
		c := &cache{dir: s.cacheDir, of: of}
		if err := c.open(); err != nil {
			return err
		}
		*in = c
	}
	c := *in
	if len(c.tops) == 0 || c.tops[len(c.tops)-1] != top {
		c.tops = append(c.tops, top)
	}
	c.find(k.Path, func(old *record) {
		if _, failed := c.add(old); failed != nil {
			err = failed
		}
	})
	if err == nil {
		_, err = c.add(r)
	}
	return err
}

// end closes a cache, if it is open.
func (s *seeding) end(in **cache) error {
	c := *in
	if *in = nil; c == nil {
		return nil
	}
	return errors.Join(c.finish(false), c.close())
}

// record returns what is to be noted of a file, or nil if it has changed.
func (s *seeding) record(k Known) (*record, error) {
	f, err := s.at.below(k.Path)
	if err != nil {
		return nil, nil //nolint:nilerr // it is not there any more
	}
	i, err := f.stat()
	f.close()
	if err != nil || !i.regular() || i.size != k.Size || i.mtime != k.ModTime {
		return nil, nil //nolint:nilerr // it has changed
	}
	r := &record{path: k.Path, stat: i.stat, holes: k.Holes, racy: true, come: true, root: k.Root}
	groups := tree.Shape(k.Size).Groups()
	if groups <= 1 {
		return r, nil
	}
	nodes, err := k.Nodes()
	if err != nil {
		return nil, nil //nolint:nilerr // it is hashed
	}
	defer nodes.Close() //nolint:errcheck // it was only read
	if groups > inlineGroups {
		return r, s.keepNodes(nodes, k)
	}
	r.nodes = make(inlineNodes, (groups-1)*tree.NodeSize)
	if _, err := io.ReadFull(nodes, r.nodes); err != nil || !hasRun(tree.File{Shape: tree.Shape(k.Size), Root: k.Root, Nodes: r.nodes}, tree.Shape(k.Size).All()) {
		return nil, nil //nolint:nilerr // it is hashed
	}
	return r, nil
}

// keepNodes copies nodes to where those of large files are.
func (s *seeding) keepNodes(nodes io.Reader, k Known) error {
	path := nodesPath(s.cacheDir, k.Root)
	if _, err := os.Lstat(path); err == nil {
		return nil
	}
	f, err := os.CreateTemp(nodesDir(s.cacheDir), "new-")
	if err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	_, err = io.Copy(f, nodes)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name()) //nolint:errcheck // it is of no use
		return fmt.Errorf("cache: %w", err)
	}
	return nil
}
