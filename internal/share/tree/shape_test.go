package tree

import (
	"math"
	"testing"
)

func TestShape(t *testing.T) {
	for groups := int64(1); groups <= 70; groups++ {
		s := Shape(groups*Group - 5)
		if s.Groups() != groups || s.GroupSize(groups-1) != Group-5 || groups > 1 && s.GroupSize(0) != Group {
			t.Fatalf("size %d: %d groups", s, s.Groups())
		}
		nodes, leaves := map[int64]bool{}, int64(0)
		for depth, r := range s.Walk(s.All()) {
			if depth == 0 && r != s.All() {
				t.Errorf("%d groups: the root is %v", groups, r)
			}
			if r.Leaf() {
				if r.From != leaves {
					t.Errorf("%d groups: group %d comes at place %d", groups, r.From, leaves)
				}
				leaves++
				continue
			}
			m := r.Split()
			if nodes[m] || m < 1 || m >= groups || s.Cover(m) != r {
				t.Errorf("%d groups: node %d of %v; it covers %v", groups, m, r, s.Cover(m))
			}
			nodes[m] = true
		}
		if leaves != groups || int64(len(nodes)) != groups-1 {
			t.Errorf("%d groups: %d nodes, %d leaves", groups, len(nodes), leaves)
		}
	}
}

// The largest file has the deepest tree.
func TestShapeOfTheLargest(t *testing.T) {
	s := Shape(math.MaxInt64)
	last := s.Groups() - 1
	if s.Groups() != 1<<47 || s.GroupSize(last) != Group-1 || s.All().Split() != 1<<46 || s.Cover(1<<46) != s.All() {
		t.Errorf("%d groups, the last of %d bytes; the root is node %d, of %v", s.Groups(), s.GroupSize(last), s.All().Split(), s.Cover(1<<46))
	}
	deepest := 0
	for depth, r := range s.Walk(Run{last, last + 1}) {
		deepest = depth
		if !r.Leaf() && s.Cover(r.Split()) != r {
			t.Errorf("node %d covers %v, and not %v", r.Split(), s.Cover(r.Split()), r)
		}
	}
	if deepest != 47 || deepest >= maxDepth {
		t.Errorf("the tree is %d deep", deepest)
	}
}

func TestShapeOfNone(t *testing.T) {
	for _, s := range []Shape{0, -1, math.MinInt64} {
		if s.Groups() != 0 {
			t.Errorf("size %d: %d groups", s, s.Groups())
		}
	}
}

func TestWalkAllocatesNothing(t *testing.T) {
	s := Shape(1 << 40)
	sum := int64(0)
	if n := testing.AllocsPerRun(100, func() {
		for _, r := range s.Walk(Run{12345, 12350}) {
			sum += r.From
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
