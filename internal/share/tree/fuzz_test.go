package tree

import (
	"bytes"
	"maps"
	"slices"
	"testing"
)

// Whatever comes, nothing is handed on or kept but what belongs to the file, in pieces
// of any size; and a proof that is taken as a whole is the one that is made.
func FuzzVerifier(f *testing.F) {
	p := pattern(2*Group + 9)
	file := hashed(f, p)
	proof := prove(f, file, p, Run{2, 3}, 0) // node 2, group 2
	f.Add(int64(len(p)), int64(2), int64(3), 0, 1000, proof)
	f.Add(int64(len(p)), int64(1), int64(3), 0, 1, proof)
	f.Add(int64(len(p)+1), int64(0), int64(4), 0, Group, proof)
	f.Add(int64(len(p)), int64(0), int64(2), 0, 60000, prove(f, file, p, Run{0, 2}, 0))
	f.Add(int64(0), int64(0), int64(0), 0, 1, []byte{})
	f.Add(int64(1)<<62, int64(5), int64(1)<<40, -1, 1, proof)
	f.Fuzz(func(t *testing.T, size, from, to int64, skip, piece int, stream []byte) {
		g := get(file, p)
		g.Shape = Shape(size)
		run := Run{from, to}
		if g.start(run, skip) != nil {
			return
		}
		for rest := stream; len(rest) > 0 && !g.Done(); {
			n := min(max(piece, 1), len(rest))
			left, err := g.Feed(rest[:n])
			if err != nil {
				break
			}
			rest = rest[n-len(left):]
		}
		for m, n := range g.Nodes.(*NodeMap).nodes {
			there := file.Nodes.(*NodeMap).nodes
			if size != int64(len(p)) { // puts them in other places, but has no other ones
				if !slices.Contains(slices.Collect(maps.Values(there)), n) {
					t.Errorf("node %d is kept, and none of the file", m)
				}
			} else if there[m] != n {
				t.Errorf("node %d is kept, and wrong", m)
			}
		}
		if g.Done() && g.Shape == file.Shape && !bytes.HasPrefix(stream, prove(t, g.File, p, run, skip)) {
			t.Error("another proof was taken")
		}
	})
}

// A node of any number in a file of any size covers what its parent leaves to it.
func FuzzShape(f *testing.F) {
	f.Add(int64(1)<<62, int64(12345))
	f.Add(int64(7*Group+1), int64(7))
	f.Fuzz(func(t *testing.T, size, group int64) {
		s := Shape(size)
		if group < 0 || group >= s.Groups() {
			return
		}
		left := s.All()
		for depth, r := range s.Walk(Run{group, group + 1}) {
			if depth >= maxDepth || r.From > group || r.To <= group || r.From < left.From || r.To > left.To {
				t.Fatalf("at depth %d of the path to group %d: %v in %v", depth, group, r, left)
			}
			if left = r; !r.Leaf() && s.Cover(r.Split()) != r {
				t.Fatalf("node %d covers %v, not %v", r.Split(), s.Cover(r.Split()), r)
			}
		}
		if left != (Run{group, group + 1}) || s.GroupSize(group) < 1 || s.GroupSize(group) > Group {
			t.Fatalf("the path to group %d ends at %v, of %d bytes", group, left, s.GroupSize(group))
		}
	})
}
