package stage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/tenon-net/tenon/internal/share/manifest"
)

// A level is a directory of the stage, with what it should have.
type level struct {
	path string // in the share, with a slash at the end; "" for the top
	dir  folder
	file *os.File // the directory
	n    int
}

// enter opens a directory.
func enter(name string, dir folder) (level, error) {
	f, err := dir.Open(".")
	return level{name, dir, f, 0}, err
}

// complete makes what needs no data, gives all files their modes and times, and counts:
// a directory with another number of names than the share says has been interfered with, or
// the file system takes two names for one.
func (s *Stage) complete() error {
	top, err := enter("", s.tree)
	if err != nil {
		return err
	}
	stack := []level{top}
	defer func() {
		for i, l := range stack {
			l.file.Close() //nolint:errcheck // a directory
			if i > 0 {
				l.dir.Close() //nolint:errcheck // a directory
			}
		}
	}()
	left := "/" // what is not wanted, with all that is in it
	for n, e := range s.index.From(0) {
		if strings.HasPrefix(e.Path, left) {
			continue
		}
		for !strings.HasPrefix(e.Path, stack[len(stack)-1].path) {
			last := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if err := s.leave(last); err != nil {
				return err
			}
		}
		in := &stack[len(stack)-1]
		if !s.choice.has(n) {
			left = e.Path + "/"
			if s.resumed { // it was wanted by an earlier process
				if err := in.dir.removeAll(path.Base(e.Path)); err != nil {
					return err
				}
			}
			continue
		}
		made, err := s.make(in, n, e)
		if err != nil {
			return err
		}
		if made {
			in.n++
		}
		if e.Kind == manifest.Dir {
			dir, err := in.dir.sub(path.Base(e.Path))
			if err != nil {
				return err
			}
			l, err := enter(e.Path+"/", dir)
			if err != nil {
				dir.Close() //nolint:errcheck // a directory
				return err
			}
			stack = append(stack, l)
		}
	}
	for ; len(stack) > 1; stack = stack[:len(stack)-1] {
		if err := s.leave(stack[len(stack)-1]); err != nil {
			return err
		}
	}
	return s.count(stack[0])
}

// leave looks at a directory whose entries are all there.
func (s *Stage) leave(l level) error {
	defer l.dir.Close()  //nolint:errcheck // a directory
	defer l.file.Close() //nolint:errcheck // a directory
	return s.count(l)
}

func (s *Stage) count(l level) error {
	n := 0
	for {
		names, err := l.file.Readdirnames(1000)
		n += len(names)
		if errors.Is(err, io.EOF) || len(names) == 0 && err == nil {
			break
		} else if err != nil {
			return fmt.Errorf("%q: %w", l.path, bare(err))
		}
	}
	if n != l.n {
		return fmt.Errorf("%q: %w: %d names are in it, and not %d", l.path, ErrDamaged, n, l.n)
	}
	if !canSyncAll {
		return l.dir.syncDir(".")
	}
	return nil
}

// make makes what has no data, and completes what has. It tells whether something is in the
// stage then.
func (s *Stage) make(l *level, n int, e manifest.Entry) (bool, error) {
	name, in := path.Base(e.Path), l.dir
	_, there := s.insideOf(n)
	if there || s.SkipLinks && s.linkProblem(s.index, n, e) != "" {
		if err := in.remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		return false, nil
	}
	switch e.Kind {
	case manifest.Dir:
		_, err := in.mkdir(name)
		return true, err
	case manifest.Symlink:
		return true, makeLink(l, name, e)
	}
	return true, s.fill(l, name, e)
}

func makeLink(l *level, name string, e manifest.Entry) error {
	in := l.dir
	err := in.symlink(e.Target, name)
	if errors.Is(err, fs.ErrExist) {
		if target, err := in.Readlink(name); err != nil || target != e.Target {
			return fmt.Errorf("%q: %w: another name is the same here", e.Path, ErrName)
		}
		return nil
	}
	if err != nil {
		return err
	}
	linkTime(l.file, name, time.Unix(0, e.ModTime)) //nolint:errcheck // nobody minds
	return nil
}

// fill gives a file its size, mode and time.
func (s *Stage) fill(l *level, name string, e manifest.Entry) error {
	in := l.dir
	if e.Size == 0 {
		f, err := in.create(name, s.mode(e)|private)
		if err == nil {
			f.Close() //nolint:errcheck // it is empty
		} else if !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	fi, err := in.Lstat(name)
	if err != nil || !fi.Mode().IsRegular() || fi.Size() > e.Size || fi.Size() < e.Size && !e.Holes {
		return fmt.Errorf("%q: %w: it is not in the stage as it was written", e.Path, ErrDamaged)
	}
	if fi.Size() < e.Size {
		f, err := in.open(name, os.O_RDWR)
		if err != nil {
			return err
		}
		if err = in.truncate(f, name, e.Size); err == nil {
			err = in.sync(f, name)
		}
		f.Close() //nolint:errcheck // it was synced
		if err != nil {
			return err
		}
	}
	if mode := s.mode(e); fi.Mode().Perm() != mode {
		if err := in.chmod(name, mode); err != nil {
			return err
		}
	}
	return in.seam.do(in.step("chtimes", name), func() error {
		return fileTime(l.file, in.Root, name, time.Unix(0, e.ModTime))
	})
}

// mode is what an entry may have of its mode here: never more than permissions.
func (s *Stage) mode(e manifest.Entry) fs.FileMode { return e.Mode & 0o777 & s.probed.mask }
