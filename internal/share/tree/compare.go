package tree

import "errors"

// Likeness is what two versions of a file have in common below a node, or in a group.
type Likeness int

// What Compare tells.
const (
	Same    Likeness = iota // they are the same
	Differs                 // of a group: they are not
	Unknown                 // of a node: it is not known what is below it
)

// Compare compares a file, of which some nodes are known, with an older version of it, of which
// all are, and calls tell for runs that cover the file, in order, with the value that each has
// in the file; see [HashRun]. Nobody vouches for the older one: what is told to be the same is
// so if its nodes are right, and nobody has written to it since. Compare ends when tell returns
// false.
func (f File) Compare(older File, tell func(r Run, what Likeness, value Hash) bool) error {
	c := comparison{older: older, tell: tell}
	if err := c.walk.start(f, f.Shape.All()); err != nil {
		return err
	}
	for t, ok := c.walk.next(); ok; t, ok = c.walk.next() {
		goOn, err := c.one(t)
		if err != nil || !goOn {
			return err
		}
	}
	return nil
}

type comparison struct {
	walk  walk
	older File
	node  Node
	tell  func(r Run, what Likeness, value Hash) bool
}

func (c *comparison) one(t subtree) (goOn bool, err error) {
	was, known, err := c.value(t.Run)
	switch {
	case err != nil:
		return false, err
	case known && was == t.want:
		return c.tell(t.Run, Same, t.want), nil
	case t.Leaf():
		return c.tell(t.Run, Differs, t.want), nil
	}
	if err := c.walk.openKnown(t); errors.Is(err, ErrMissing) {
		return c.tell(t.Run, Unknown, t.want), nil
	} else if err != nil {
		return false, err
	}
	return true, nil
}

// value returns what a part of the older version hashes to, if it is a node of that or a group.
func (c *comparison) value(r Run) (h Hash, known bool, err error) {
	o := c.older.Shape
	switch all := o.All(); {
	case r == all:
		return c.older.Root, true, nil
	case r.To > all.To, r == c.walk.file.Shape.All(): // it is the root of one, and not of the other
		return h, false, nil
	case r.Len() > 1:
		if o.Cover(r.Split()) != r {
			return h, false, nil
		}
		err = c.older.load(r.Split(), &c.node)
		return value(parent(&c.node), false), err == nil, orNone(err)
	}
	m, left := o.parentOf(r.From)
	if err = c.older.load(m, &c.node); left {
		return c.node.Left(), err == nil, orNone(err)
	}
	return c.node.Right(), err == nil, orNone(err)
}

// orNone makes nothing of a node that is not there.
func orNone(err error) error {
	if errors.Is(err, ErrMissing) {
		return nil
	}
	return err
}

// parentOf returns the split point of the node above a group of a file of several, and whether
// the group is its left half.
func (s Shape) parentOf(g int64) (m int64, left bool) {
	r := s.All()
	for {
		a, b := r.Halves()
		switch {
		case a.Leaf() && g == a.From:
			return r.Split(), true
		case b.Leaf() && g == b.From:
			return r.Split(), false
		case g < a.To:
			r = a
		default:
			r = b
		}
	}
}

// Begins tells whether a file begins with the whole groups that a Hasher has hashed, which are
// less than it has. The nodes that lead to the group behind them must be known.
func (f File) Begins(h *Hasher) (bool, error) {
	g, i := h.groups, 0
	var w walk
	if err := w.start(f, Run{g, g + 1}); err != nil {
		return false, err
	}
	for t, ok := w.next(); ok; t, ok = w.next() {
		if t.Leaf() {
			continue
		}
		if err := w.openKnown(t); err != nil {
			return false, err
		}
		if g < t.Split() {
			continue
		}
		// What is left of the way to a group are subtrees as the edge of a Hasher has them.
		if i == len(h.edge.stack) || value(h.edge.stack[i].node, false) != w.node.Left() {
			return false, nil
		}
		i++
	}
	return i == len(h.edge.stack), nil
}
