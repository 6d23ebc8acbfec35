package stage

import (
	"bytes"
	"fmt"

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
	lacking  bool     // not all of what is wanted is there
	told     int      // so many entries were looked at for what is not wanted
	toldOf   int64    // the groups of them
	links    bool     // there are some
	collided int      // so many entries were compared with each other
	compared int64    // bytes of the manifest, with those that were on disk
	last     bool     // nothing will be fetched any more
	problems Problems
}

// Learn says how far the manifest is known, before any file is opened that is new in it. It
// looks whether everything can be at the target, and calls had, unless that is nil, for runs
// of groups that are there already, in files that need not be fetched: it hashes files of
// the same name and size, which takes a while if they are large. It calls skip, unless that
// is nil, for runs of groups of files that are not wanted, or are the same as another one.
//
// Errors that are [Problems] tell some of the names; they match [ErrExists], [ErrName] or
// [ErrLink]. Others match [ErrSpace] or, if this is not the manifest that an earlier process
// has put here, [ErrDamaged]. After an error the share cannot be put here.
func (s *Stage) Learn(x manifest.Index, had, skip func(tree.Run)) error {
	s.learning.Lock()
	defer s.learning.Unlock()
	known := s.Index()
	if s.resumed {
		if err := s.compare(x, known); err != nil {
			return err
		}
	}
	if x.Size() > known.Size() {
		if err := s.learn(x, had); err != nil {
			s.mu.Lock()
			s.refused = true
			s.mu.Unlock()
			return err
		}
	}
	if p := &s.plan; skip != nil {
		fetched := func(n int) bool { return s.choice.has(n) && !s.copies.has(n) }
		p.toldOf = runs(x, p.told, p.toldOf, func(n int) bool { return !fetched(n) }, skip)
		p.told = max(p.told, x.Totals().Entries)
	}
	return nil
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
		for _, c := range x.Collisions(s.probed.fold, maxProblems, s.choice.has) {
			p.problems.add(c.SecondPath, fmt.Errorf("%w beside %q: it takes them for one name", ErrName, c.FirstPath))
		}
	}
	if x.Done() && p.links && !s.SkipLinks {
		for n, e := range x.From(0) {
			if why := s.linkProblem(x, n, e); why != "" {
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

// linkProblem tells why a link that is wanted would lead out of what is.
func (s *Stage) linkProblem(x manifest.Index, n int, e manifest.Entry) string {
	if e.Kind != manifest.Symlink || !s.choice.has(n) {
		return ""
	}
	return manifest.LinkProblem(e.Path, e.Target, func(name string) bool {
		n, _, ok := x.Find(name)
		return ok && s.choice.has(n)
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
