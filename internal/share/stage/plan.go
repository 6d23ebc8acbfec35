package stage

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// A plan is what is known of the target. Stage.learning guards it.
type plan struct {
	next     int      // the entry that was not looked at yet
	group    int64    // the first group of it
	dirs     []string // directories at the target that it may be in, one in the other
	kept     set      // entries that are directories at the target
	need     int64    // bytes that have to be written
	links    bool     // there are some
	collided int      // so many entries were compared with each other
	compared int64    // bytes of the manifest, with those that were on disk
	problems Problems
}

// Learn says how far the manifest is known, before any file is opened that is new in it. It
// looks whether everything can be at the target, and calls had, unless that is nil, for runs
// of groups that are there already, in files that need not be fetched: it hashes files of
// the same name and size, which takes a while if they are large.
//
// Errors that are [Problems] tell some of the names; they match [ErrExists], [ErrName] or
// [ErrLink]. Others match [ErrSpace] or, if this is not the manifest that an earlier process
// has put here, [ErrDamaged]. After an error the share cannot be put here.
func (s *Stage) Learn(x manifest.Index, had func(tree.Run)) error {
	s.learning.Lock()
	defer s.learning.Unlock()
	known := s.Index()
	if s.resumed {
		if err := s.compare(x, known); err != nil {
			return err
		}
	}
	if x.Size() <= known.Size() {
		return nil
	}
	return s.learn(x, had)
}

// compare looks whether a manifest goes on as the one that was on disk.
func (s *Stage) compare(x, known manifest.Index) error {
	a, b := make([]byte, 64<<10), make([]byte, 64<<10)
	for at := &s.plan.compared; *at < min(x.Size(), known.Size()); {
		n := min(int64(len(a)), min(x.Size(), known.Size())-*at)
		x.ReadAt(a[:n], *at)     //nolint:errcheck // it is there
		known.ReadAt(b[:n], *at) //nolint:errcheck // it is there
		if !bytes.Equal(a[:n], b[:n]) {
			return fmt.Errorf("%s: %w: what it has is not of this share any more", s.dir, ErrDamaged)
		}
		*at += n
	}
	return nil
}

// learn looks at what is new of a manifest, and takes it.
func (s *Stage) learn(x manifest.Index, had func(tree.Run)) error {
	if err := s.survey(x, had); err != nil {
		return err
	}
	p := &s.plan
	if entries := x.Totals().Entries; x.Done() || entries >= 2*p.collided {
		p.collided = entries
		for _, c := range x.Collisions(s.probed.fold, maxProblems) {
			p.problems.add(c.SecondPath, fmt.Errorf("%w beside %q: it takes them for one name", ErrName, c.FirstPath))
		}
	}
	if x.Done() && p.links && !s.SkipLinks {
		for _, e := range x.From(0) {
			if why := linkProblem(x, e); why != "" {
				p.problems.add(e.Path, fmt.Errorf("%w: %s", ErrLink, why))
			}
		}
	}
	if err := p.problems.err(); err != nil {
		return err
	}
	if err := s.room(); err != nil {
		return err
	}
	s.mu.Lock()
	s.index = x
	s.mu.Unlock()
	return nil
}

func linkProblem(x manifest.Index, e manifest.Entry) string {
	if e.Kind != manifest.Symlink {
		return ""
	}
	return manifest.LinkProblem(e.Path, e.Target, func(name string) bool {
		_, _, ok := x.Find(name)
		return ok
	})
}

// room looks whether there is room on the disk for what is still to be written.
func (s *Stage) room() error {
	dir, err := s.home.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close() //nolint:errcheck // a directory
	free, err := freeSpace(dir)
	s.mu.Lock()
	need := s.plan.need - s.written
	s.mu.Unlock()
	if err == nil && need > free {
		return fmt.Errorf("%w: it needs %d bytes more, and %d are free", ErrSpace, need, free)
	}
	return nil // also where nobody can tell
}

// survey looks at the target for the entries that are new.
func (s *Stage) survey(x manifest.Index, had func(tree.Run)) error {
	p := &s.plan
	for n, e := range x.From(p.next) {
		run := tree.Run{From: p.group, To: p.group + tree.Shape(e.Size).Groups()}
		if run.To > maxNumber {
			return fmt.Errorf("%w: it is of more than a petabyte", ErrSpace)
		}
		s.judge(n, e)
		if err := s.leftover(n, e); err != nil {
			return err
		}
		there, err := s.look(n, e)
		if err != nil {
			return err
		}
		s.mu.Lock()
		was := !s.there.none(run)
		s.there.putRun(run, there)
		s.mu.Unlock()
		switch {
		case !there:
			p.need += s.missing(e, run)
		case had != nil && !was && run.Len() > 0:
			had(run)
		}
		p.next, p.group = n+1, run.To
		p.links = p.links || e.Kind == manifest.Symlink
	}
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
func (s *Stage) judge(n int, e manifest.Entry) {
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
			s.renamed[n], s.planned = s.free(e.Path), true
			s.mu.Unlock()
		case s.Overwrite && e.Kind != manifest.Dir && !fi.IsDir():
		default:
			p.problems.add(e.Path, ErrExists)
		}
	}
	s.note(n, there, fi.ModTime().UnixNano())
	return there, nil
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

// free returns a name at the top of the target that nothing has.
func (s *Stage) free(name string) string {
	ext := path.Ext(name)
	base := strings.TrimSuffix(name, ext)
	if base == "" {
		base, ext = name, ""
	}
	for i := 2; ; i++ {
		name := fmt.Sprintf("%s (%d)%s", base, i, ext)
		if _, err := s.target.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			return name
		}
	}
}
