package stage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// survey looks at the target for the entries that are new.
func (s *Stage) survey(x manifest.Index, had func(tree.Run)) error {
	p := &s.plan
	for n, e := range x.From(p.next) {
		next := p.group + tree.Shape(e.Size).Groups()
		if next > maxNumber {
			return fmt.Errorf("%w: it is of more than a petabyte", ErrSpace)
		}
		for _, w := range s.newly(n, e) {
			run := tree.Run{From: p.group, To: p.group + tree.Shape(w.e.Size).Groups()}
			if err := s.surveyOne(w.n, w.e, run, had); err != nil {
				return err
			}
		}
		p.next, p.group = n+1, next
	}
	return nil
}

// surveyOne looks at the target for an entry that is wanted, and at its groups.
func (s *Stage) surveyOne(n int, e manifest.Entry, run tree.Run, had func(tree.Run)) error {
	p := &s.plan
	s.judge(e)
	if err := s.leftover(n, e); err != nil {
		return err
	}
	there, err := s.look(n, e)
	if err != nil {
		return err
	}
	taken := false
	if !there {
		if taken, err = s.take(n, e, run); err != nil {
			return err
		}
	}
	s.mu.Lock()
	was := !s.there.none(run)
	s.there.putRun(run, there)
	whole := there || s.have.all(run)
	s.mu.Unlock()
	switch {
	case !there:
		p.need += s.missing(e, run)
	case had != nil && !was && run.Len() > 0:
		had(run)
	}
	if had != nil && taken {
		had(run)
	}
	if e.Kind == manifest.File && s.copies.find(n, e, run, whole) {
		whole = true // it will be, when the other is
	}
	if !whole {
		s.findOlder(n, e, run)
	}
	p.lacking = p.lacking || !whole
	p.links = p.links || e.Kind == manifest.Symlink
	return nil
}

// leftover removes what an earlier process has made for an entry without a word of it in
// the journal. What is there later, under another name, is then known for what it is.
func (s *Stage) leftover(n int, e manifest.Entry) error {
	if !s.resumed || n < s.loaded || e.Kind != manifest.File || e.Size == 0 {
		return nil
	}
	s.files.mu.Lock()
	ours := s.files.created.has(int64(n))
	s.files.mu.Unlock()
	if ours {
		return nil
	}
	if _, err := s.tree.Lstat(e.Path); err != nil {
		return nil
	}
	return s.tree.remove(e.Path)
}

// judge looks at a name as such.
func (s *Stage) judge(e manifest.Entry) {
	name := path.Base(e.Path)
	if name == e.Path && strings.HasPrefix(strings.ToLower(name), prefix) {
		s.plan.problems.add(e.Path, fmt.Errorf("%w: such names are for downloads that go on", ErrName))
	}
	if !s.windows {
		return
	}
	if why := manifest.WindowsProblem(name); why != "" {
		s.plan.problems.add(e.Path, fmt.Errorf("%w: %s", ErrName, why))
	}
}

// missing returns how many bytes of a file are still to be written.
func (s *Stage) missing(e manifest.Entry, run tree.Run) int64 {
	if e.Holes {
		return 0 // nobody knows
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	size := e.Size
	for g := run.From; size > 0; g++ {
		if g = s.have.next(g, run.To, true); g == run.To {
			break
		}
		size -= tree.Group
	}
	return max(size, 0)
}

// look tells whether an entry is at the target already. If something else is, it decides what
// to do about it.
func (s *Stage) look(n int, e manifest.Entry) (there bool, err error) {
	p := &s.plan
	dir, _ := path.Split(e.Path)
	for len(p.dirs) > 0 && !strings.HasPrefix(dir, p.dirs[len(p.dirs)-1]) {
		p.dirs = p.dirs[:len(p.dirs)-1]
	}
	if dir != "" && (len(p.dirs) == 0 || p.dirs[len(p.dirs)-1] != dir) || s.renamed[n] != "" {
		s.note(n, false, 0) // its directory is not there
		return false, nil
	}
	if as := s.plain(e.Path); dir == "" && as != e.Path {
		if _, err := s.target.Lstat(as); !errors.Is(err, fs.ErrNotExist) {
			as = s.target.free(as)
		}
		s.mu.Lock()
		s.renamed[n], s.planned = as, true
		s.mu.Unlock()
		s.note(n, false, 0)
		return false, nil
	}
	fi, err := s.target.Lstat(e.Path)
	if errors.Is(err, fs.ErrNotExist) {
		s.note(n, false, 0)
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("%q: %w", e.Path, bare(err))
	}
	switch {
	case e.Kind == manifest.Dir && fi.IsDir() && !(s.Rename && dir == ""):
		p.kept.put(int64(n), true)
		p.dirs = append(p.dirs, e.Path+"/")
		return false, nil
	case e.Kind == manifest.File && fi.Mode().IsRegular() && fi.Size() == e.Size:
		there, err = s.same(n, e, fi)
	case e.Kind == manifest.Symlink && fi.Mode().Type() == fs.ModeSymlink:
		target, err2 := s.target.Readlink(e.Path)
		there, err = target == e.Target, err2
	}
	if err != nil {
		return false, err
	}
	if !there {
		switch {
		case s.Rename && dir == "":
			s.mu.Lock()
			s.renamed[n], s.planned = s.target.free(e.Path), true
			s.mu.Unlock()
		case (e.Kind == manifest.Dir) != fi.IsDir():
			p.problems.add(e.Path, ErrKind)
		case s.Overwrite:
		default:
			p.problems.add(e.Path, ErrExists)
		}
	}
	s.note(n, there, fi.ModTime().UnixNano())
	return there, nil
}

// plain returns the name that one at the top is to have.
func (s *Stage) plain(name string) string {
	if s.Plain {
		return neutral.FileName(name)
	}
	return name
}

// note keeps in mind whether an entry is at the target.
func (s *Stage) note(n int, there bool, mtime int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, found := search(s.inside, n)
	switch is := (inside{n, mtime}); {
	case !found && !there, found && there && s.inside[i] == is:
		return
	case found && there:
		s.inside[i] = is
	case found:
		s.inside = slices.Delete(s.inside, i, i+1)
	default:
		s.inside = slices.Insert(s.inside, i, is)
	}
	s.planned = true
}

// same tells whether a file at the target is what the share has. It is not hashed again if
// it has not been touched since it was.
func (s *Stage) same(n int, e manifest.Entry, fi fs.FileInfo) (bool, error) {
	was, hashed := s.insideOf(n)
	if e.Size == 0 || hashed && was.mtime == fi.ModTime().UnixNano() {
		return true, nil
	}
	f, err := s.target.open(e.Path, os.O_RDONLY)
	if err != nil {
		return false, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	shape := tree.Shape(e.Size)
	var nodes tree.Nodes
	if shape.Groups() > 1 {
		to, err := s.home.openOrCreate(nodesOf(n))
		if err != nil {
			return false, err
		}
		defer to.Close() //nolint:errcheck // nobody trusts it
		nodes = tree.NodeFile{File: to}
	}
	root, err := tree.HashAt(f, shape, nodes, 2)
	if err != nil {
		return false, fmt.Errorf("%q: %w", e.Path, bare(err))
	}
	now, err := f.Stat()
	return err == nil && root == e.Root && now.Size() == e.Size && now.ModTime().Equal(fi.ModTime()), err
}
