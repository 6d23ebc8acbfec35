package stage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"sync"
	"syscall"

	"github.com/tenon-net/tenon/internal/share"
	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/tree"
)

var (
	_ share.Store   = (*Stage)(nil)
	_ share.Learner = (*Stage)(nil)
	_ share.Keeper  = (*Stage)(nil)
	_ share.Patcher = (*Stage)(nil)
)

// maxIdle is how many files stay open that nobody uses.
const maxIdle = 32

// files are the files of a stage that are open.
type files struct {
	s *Stage

	mu      sync.Mutex // guards what follows
	open    map[int]*file
	idle    []*file // that nobody uses, the longest first
	created set     // files that are in the stage, by entry
	closed  bool
}

// A file is one of the share, open for all who use it.
type file struct {
	s     *Stage
	n     int
	e     manifest.Entry
	once  sync.Once
	err   error
	data  *os.File
	nodes *os.File // nil: it has none
	at    bool     // it is at the target
	refs  int      // files.mu guards it
}

// Open implements [share.Store]. Files are those of the manifest that Learn was told of, and
// wanted; of others, an error matches [fs.ErrNotExist]. When Finish has failed it is an error
// that matches [fs.ErrClosed]. What was changed at the target is one that matches
// [tree.ErrChanged].
func (s *Stage) Open(n int, e manifest.Entry) (share.Blob, error) {
	s.mu.Lock()
	for s.finishing {
		s.mu.Unlock()
		s.await()
		s.mu.Lock()
	}
	gone, known, wanted := s.state != fetching && s.state != placed || s.removing, s.index.Totals().Entries, s.choice.has(n)
	s.mu.Unlock()
	switch {
	case gone:
		return nil, fmt.Errorf("%q: %w", e.Path, fs.ErrClosed)
	case n >= known:
		return nil, fmt.Errorf("%q: nobody has looked whether it can be at the target", e.Path)
	case !wanted:
		return nil, fmt.Errorf("%q: it is not wanted: %w", e.Path, fs.ErrNotExist)
	}
	f, err := s.files.get(n, e)
	if err != nil {
		return nil, err
	}
	f.once.Do(f.begin)
	if f.err != nil {
		s.files.drop(f)
		return nil, f.err
	}
	return &blob{file: f}, nil
}

// await waits for Finish.
func (s *Stage) await() {
	s.learning.Lock()
	defer s.learning.Unlock()
}

// get returns a file that is open, or will be when its begin was called.
func (c *files) get(n int, e manifest.Entry) (*file, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, fs.ErrClosed
	}
	f := c.open[n]
	if f == nil {
		f = &file{s: c.s, n: n, e: e}
		if c.open == nil {
			c.open = map[int]*file{}
		}
		c.open[n] = f
	}
	if f.refs == 0 {
		c.idle = slices.DeleteFunc(c.idle, func(o *file) bool { return o == f })
	}
	f.refs++
	return f, nil
}

// drop is called by who uses a file no more.
func (c *files) drop(f *file) {
	c.mu.Lock()
	f.refs--
	if f.refs > 0 {
		c.mu.Unlock()
		return
	}
	c.idle = append(c.idle, f)
	old := c.idle[0]
	switch {
	case f.err != nil || c.closed || c.open[f.n] != f:
		old, c.idle = f, c.idle[:len(c.idle)-1]
	case len(c.idle) > maxIdle:
		c.idle = slices.Delete(c.idle, 0, 1)
	default:
		old = nil
	}
	if old != nil && c.open[old.n] == old {
		delete(c.open, old.n)
	}
	c.mu.Unlock()
	if old != nil {
		old.end()
	}
}

// renew has files be opened anew, and none used any longer than by who has it open.
func (c *files) renew() {
	c.tidy()
	c.mu.Lock()
	c.open = nil
	c.mu.Unlock()
}

// close closes the files that nobody uses; those that are in use are closed when they are not,
// and no others are opened.
func (c *files) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.tidy()
}

// tidy closes the files that nobody uses.
func (c *files) tidy() {
	c.mu.Lock()
	idle := c.idle
	c.idle = nil
	for _, f := range idle {
		delete(c.open, f.n)
	}
	c.mu.Unlock()
	for _, f := range idle {
		f.end()
	}
}

func (f *file) end() {
	for _, o := range []*os.File{f.data, f.nodes} {
		if o != nil {
			o.Close() //nolint:errcheck // what counts is what was synced
		}
	}
}

// begin opens the file.
func (f *file) begin() {
	s := f.s
	s.mu.Lock()
	placed := s.state == placed
	s.mu.Unlock()
	switch _, inside := s.insideOf(f.n); {
	case placed:
		f.at = true
		f.data, f.err = s.openPlaced(f.e)
	case inside:
		f.at = true
		f.data, f.err = s.target.open(f.e.Path, os.O_RDONLY)
	default:
		f.data, f.err = s.openData(f.n, f.e)
	}
	if f.err == nil && tree.Shape(f.e.Size).Groups() > 1 {
		f.nodes, f.err = s.home.openOrCreate(nodesOf(f.n))
	}
	if f.err != nil {
		f.err = f.named(f.err)
		f.end()
	}
}

// openPlaced opens a file where it belongs. What it has is checked when it is sent.
func (s *Stage) openPlaced(e manifest.Entry) (*os.File, error) {
	f, err := s.target.open(s.final(e.Path), os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrDamaged) || errors.Is(err, syscall.ELOOP) {
		return nil, fmt.Errorf("%q: %w: it is not where it was put", e.Path, tree.ErrChanged)
	} else if err != nil {
		return nil, err
	}
	if fi, err := f.Stat(); err != nil || fi.Size() != e.Size {
		f.Close() //nolint:errcheck // it was only opened
		return nil, errors.Join(fmt.Errorf("%q: %w: it has another size", e.Path, tree.ErrChanged), err)
	}
	return f, nil
}

func nodesOf(n int) string { return path.Join("nodes", strconv.Itoa(n)) }

// openData opens a file in the stage, which is new when it was not there before. Nobody else
// can look into the stage, so it has its mode from the beginning, as far as it can be written
// to.
func (s *Stage) openData(n int, e manifest.Entry) (*os.File, error) {
	name, mode := e.Path, s.mode(e)|private
	s.files.mu.Lock()
	there := s.files.created.has(int64(n))
	s.files.mu.Unlock()
	if there {
		f, err := s.tree.open(name, os.O_RDWR)
		if errors.Is(err, fs.ErrPermission) { // an earlier process was about to finish
			if err = s.tree.chmod(name, mode); err == nil {
				f, err = s.tree.open(name, os.O_RDWR)
			}
		}
		return f, err
	}
	f, err := s.tree.create(name, mode)
	if errors.Is(err, fs.ErrNotExist) {
		if err = s.makeDirs(path.Dir(name)); err == nil {
			f, err = s.tree.create(name, mode)
		}
	}
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%q: %w: another name is the same here", name, ErrName)
	}
	if err != nil {
		return nil, err
	}
	s.files.mu.Lock()
	s.files.created.put(int64(n), true)
	s.files.mu.Unlock()
	s.mu.Lock()
	s.dirty.dir(path.Dir(name))
	s.mu.Unlock()
	return f, nil
}

// makeDirs makes a directory in the stage, and those that it is in.
func (s *Stage) makeDirs(name string) error {
	made, err := s.tree.mkdir(name)
	if errors.Is(err, fs.ErrNotExist) && name != "." {
		if err = s.makeDirs(path.Dir(name)); err == nil {
			made, err = s.tree.mkdir(name)
		}
	}
	if made {
		s.mu.Lock()
		s.dirty.dir(path.Dir(name))
		s.mu.Unlock()
	}
	return err
}

// insideOf finds a file that is at the target already.
func (s *Stage) insideOf(n int) (in inside, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := search(s.inside, n)
	if ok {
		in = s.inside[i]
	}
	return in, ok
}

func search(all []inside, n int) (int, bool) {
	return slices.BinarySearchFunc(all, n, func(in inside, n int) int { return in.n - n })
}
