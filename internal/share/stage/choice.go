package stage

import (
	"strings"

	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// A choice is which entries of a manifest are wanted: those that [Config].Want names, and
// the directories on the way to them.
type choice struct {
	want   func(manifest.Entry) bool // nil: all are
	next   int                       // the entry that was not asked about yet
	wanted set                       // entries
	above  []numbered                // directories, one in the other, of which nothing is wanted yet
}

// nothing is wanted but what the set of a choice has.
func nothing(manifest.Entry) bool { return false }

type numbered struct {
	n int
	e manifest.Entry
}

// add asks about the next entry, and returns what is wanted now that was not before, in the
// order of the manifest.
func (c *choice) add(n int, e manifest.Entry) (fresh []numbered) {
	c.next = n + 1
	if c.want == nil {
		return []numbered{{n, e}}
	}
	for len(c.above) > 0 && !strings.HasPrefix(e.Path, c.above[len(c.above)-1].e.Path+"/") {
		c.above = c.above[:len(c.above)-1]
	}
	switch {
	case c.want(e):
		fresh = append(c.above, numbered{n, e})
		c.above = nil
		for _, w := range fresh {
			c.wanted.put(int64(w.n), true)
		}
	case e.Kind == manifest.Dir:
		c.above = append(c.above, numbered{n, e})
	}
	return fresh
}

// has tells whether an entry is wanted that was asked about.
func (c *choice) has(n int) bool { return c.want == nil || c.wanted.has(int64(n)) }

// newly returns which entries are to be looked at when survey comes to one: it, if it is
// wanted, behind the directories that are wanted because of it.
func (s *Stage) newly(n int, e manifest.Entry) []numbered {
	if n < s.choice.next {
		if s.choice.has(n) {
			return []numbered{{n, e}}
		}
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.choice.add(n, e)
}

// runs calls f for the groups of some files, from an entry on, whose first group has the
// number first, and returns the number behind the last. It takes no memory for them: a share
// may have more groups than there are bytes of memory.
func runs(x manifest.Index, from int, first int64, which func(n int) bool, f func(tree.Run)) (end int64) {
	run := tree.Run{From: first, To: first}
	for n, e := range x.From(from) {
		groups := tree.Shape(e.Size).Groups()
		first += groups
		switch {
		case groups == 0:
		case which(n):
			if run.Len() == 0 {
				run.From = first - groups
			}
			run.To = first
		case run.Len() > 0:
			f(run)
			run = tree.Run{From: first, To: first}
		}
	}
	if run.Len() > 0 {
		f(run)
	}
	return first
}

// differs tells whether something else is wanted than what c has.
func (c *choice) differs(x manifest.Index, want func(manifest.Entry) bool) bool {
	if c.want == nil && want == nil {
		return false
	}
	now := choice{want: want}
	for n, e := range x.From(0) {
		now.add(n, e)
	}
	for n := range x.Totals().Entries {
		if now.has(n) != c.has(n) {
			return true
		}
	}
	return false
}

func (c *choice) clone() choice {
	return choice{want: c.want, wanted: c.wanted.clone()}
}
