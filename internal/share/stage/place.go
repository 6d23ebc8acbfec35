package stage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/tenon-net/tenon/internal/share/manifest"
)

// A mover moves what is in one directory of the stage to where it belongs.
type mover struct {
	s        *Stage
	dir      string // in the share
	from, to *os.File
}

// place moves everything out of the stage: whole directories where there are none of their
// names, and what is in the others.
func (s *Stage) place() error {
	m := mover{s: s, dir: "/"}
	defer m.leave() //nolint:errcheck // if that matters, it was called before
	unit := "/"     // what was moved last, with all that is in it
	for n, e := range s.index.From(0) {
		if strings.HasPrefix(e.Path, unit) || s.plan.kept.has(int64(n)) || !s.choice.has(n) {
			continue
		}
		unit = e.Path + "/"
		if _, there := s.insideOf(n); there {
			continue
		}
		if _, err := s.tree.Lstat(e.Path); errors.Is(err, fs.ErrNotExist) {
			continue // it was moved before
		} else if err != nil {
			return fmt.Errorf("%q: %w", e.Path, bare(err))
		}
		if dir := path.Dir(e.Path); dir != m.dir {
			if err := m.leave(); err != nil {
				return err
			}
			if err := m.enter(dir); err != nil {
				return err
			}
		}
		if err := m.move(n, e); err != nil {
			return err
		}
	}
	return m.leave()
}

// enter opens the two directories of a name.
func (m *mover) enter(dir string) (err error) {
	m.dir = dir
	if m.from, err = openDir(m.s.tree, dir); err == nil {
		m.to, err = openDir(m.s.target, dir)
	}
	return err
}

// openDir opens a directory that is not a link.
func openDir(in folder, name string) (*os.File, error) {
	d, err := in.sub(name)
	if err != nil {
		return nil, err
	}
	defer d.Close() //nolint:errcheck // a directory
	return d.Open(".")
}

// leave closes the directories; the names in them last.
func (m *mover) leave() error {
	if m.to == nil {
		return nil
	}
	from, to := m.from, m.to
	m.from, m.to = nil, nil
	from.Close() //nolint:errcheck // a directory
	to.Close()   //nolint:errcheck // a directory
	if canSyncAll {
		return nil
	}
	return m.s.target.syncDir(m.dir)
}

// move moves one name.
func (m *mover) move(n int, e manifest.Entry) error {
	s := m.s
	name, as := path.Base(e.Path), path.Base(e.Path)
	if s.renamed[n] != "" {
		as = s.renamed[n]
	}
	st := step{op: "rename", path: path.Join(s.tree.at, e.Path), to: path.Join(m.dir, as)}
	err := s.target.seam.do(st, func() error {
		if s.Overwrite && e.Kind != manifest.Dir {
			return m.over(name, as)
		}
		err := renameNew(m.from, name, m.to, as)
		if errors.Is(err, errors.ErrUnsupported) {
			if _, err := s.target.Lstat(st.to); err == nil {
				return fs.ErrExist
			}
			return s.target.Rename(st.path, st.to)
		}
		return err
	})
	switch {
	case !errors.Is(err, fs.ErrExist):
		return err
	case s.Rename && m.dir == ".":
		s.mu.Lock()
		s.renamed[n] = s.target.free(s.plain(name))
		s.mu.Unlock()
		s.syncing.Lock()
		err := s.rewrite(true)
		s.syncing.Unlock()
		if err != nil {
			return err
		}
		return m.move(n, e)
	}
	p := &Problems{}
	p.add(e.Path, ErrExists)
	return p
}

// over moves a name to where another may be.
func (m *mover) over(name, as string) error {
	s := m.s
	to := path.Join(m.dir, as)
	if fi, err := s.target.Lstat(to); err == nil && fi.IsDir() {
		return fs.ErrExist
	}
	return s.target.Rename(path.Join(s.tree.at, m.dir, name), to)
}

// dress gives directories their modes and times, those behind what is in them. Directories
// that were at the target keep what they have.
func (s *Stage) dress() error {
	var open []manifest.Entry
	leave := func() error {
		e := open[len(open)-1]
		open = open[:len(open)-1]
		err := s.target.chtimes(s.final(e.Path), time.Unix(0, e.ModTime))
		if err == nil {
			err = s.target.chmod(s.final(e.Path), s.mode(e))
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // somebody has taken it away
		}
		return err
	}
	for n, e := range s.index.From(0) {
		for len(open) > 0 && !strings.HasPrefix(e.Path, open[len(open)-1].Path+"/") {
			if err := leave(); err != nil {
				return err
			}
		}
		if e.Kind != manifest.Dir || s.plan.kept.has(int64(n)) || !s.choice.has(n) {
			continue
		}
		if s.resumed { // it may have its mode already, which may keep this user out
			s.target.chmod(s.final(e.Path), 0o700) //nolint:errcheck // then leave shows it
		}
		open = append(open, e)
	}
	for len(open) > 0 {
		if err := leave(); err != nil {
			return err
		}
	}
	return nil
}

// final returns the path at the target.
func (s *Stage) final(name string) string {
	if len(s.renamed) == 0 {
		return name
	}
	top, rest, _ := strings.Cut(name, "/")
	if n, _, ok := s.index.Find(top); ok && s.renamed[n] != "" {
		return path.Join(s.renamed[n], rest)
	}
	return name
}
