package tree

import (
	"iter"
	"math/bits"
)

// Shape is the size of a file in bytes, from which follows what its tree looks like.
type Shape int64

// Groups returns how many groups there are. An empty file has none.
func (s Shape) Groups() int64 {
	if s <= 0 {
		return 0
	}
	return int64((s-1)/Group) + 1
}

// All returns the run of all groups.
func (s Shape) All() Run { return Run{0, s.Groups()} }

// GroupSize returns how many bytes are in group g: Group, less in the last one.
func (s Shape) GroupSize(g int64) int { return int(min(Group, int64(s)-g*Group)) }

// Cover returns the groups below the node with the split point m, 0 < m < Groups().
func (s Shape) Cover(m int64) Run {
	half := m & -m
	to := s.Groups()
	if to-m > half {
		to = m + half
	}
	return Run{m - half, to}
}

// Walk yields the subtrees that meet the run, and their depths, in pre-order: nodes
// and groups in the order of a proof. For a run of one group that is the path to it.
func (s Shape) Walk(run Run) iter.Seq2[int, Run] {
	return func(yield func(int, Run) bool) {
		if run.in(s) {
			walkBelow(s.All(), run, 0, yield)
		}
	}
}

func walkBelow(r, run Run, depth int, yield func(int, Run) bool) bool {
	if !yield(depth, r) || r.Leaf() {
		return r.Leaf()
	}
	left, right := r.Halves()
	return (!left.Meets(run) || walkBelow(left, run, depth+1, yield)) &&
		(!right.Meets(run) || walkBelow(right, run, depth+1, yield))
}

// Run is a half-open range of groups: what somebody asks for, or a subtree.
type Run struct{ From, To int64 }

// Len returns how many groups are in the run.
func (r Run) Len() int64 { return r.To - r.From }

// Meets reports whether the runs have a group in common.
func (r Run) Meets(o Run) bool { return r.From < o.To && o.From < r.To }

// Leaf reports whether a subtree is a group, and not a node; the tree of an empty
// file is one too.
func (r Run) Leaf() bool { return r.Len() <= 1 }

// Split returns the split point of a subtree that is no leaf, by which its node is
// named: the number of the first group of its right half. The left half has as many
// groups as there are in the largest power of two that leaves some for the right
// half, as in BLAKE3 (section 2.1 of its specification).
func (r Run) Split() int64 { return r.From + 1<<(bits.Len64(uint64(r.Len()-1))-1) }

// Halves returns both halves of a subtree that is no leaf.
func (r Run) Halves() (left, right Run) {
	m := r.Split()
	return Run{r.From, m}, Run{m, r.To}
}

// in reports whether a proof can be asked for the run: some groups of the file, or all.
func (r Run) in(s Shape) bool {
	return s >= 0 && r.From >= 0 && r.To <= s.Groups() && (r.From < r.To || r == s.All())
}
