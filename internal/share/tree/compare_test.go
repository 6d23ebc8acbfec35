package tree

import (
	"bytes"
	"errors"
	"testing"
)

// What is told to be the same is, everything that is not is told, and the runs cover the file;
// whatever the sizes, and however much is known of the tree.
func TestCompare(t *testing.T) {
	p := random(40 * Group)
	for _, sizes := range [][2]int{{1, 1}, {2, 2}, {2, 1}, {7, 7}, {33, 33}, {33, 32}, {32, 33}, {40, 17}, {17, 40}} {
		for _, changed := range []int{-1, 0, 1, sizes[0] / 2, sizes[0] - 1} {
			for _, least := range []int64{1, 4} {
				now := bytes.Clone(p[:sizes[0]*Group-100])
				was := p[:sizes[1]*Group-100]
				if changed >= 0 && changed < sizes[0] {
					now[changed*Group+5] ^= 1
				}
				known, all := nodesOf(t, hashed(t, now), least), hashed(t, was)
				next := int64(0)
				err := known.Compare(all, func(r Run, what Likeness, _ Hash) bool {
					if r.From != next {
						t.Fatalf("%v is told behind group %d", r, next)
					}
					next = r.To
					end := min(int(r.To)*Group, len(now))
					same := end <= len(was) && bytes.Equal(now[r.From*Group:end], was[r.From*Group:end]) && (r.Len() > 1 || end == int(r.To)*Group || len(was) == len(now))
					switch {
					case what == Same && !same, what == Differs && (same || r.Len() > 1), what == Unknown && r.Len() > least:
						t.Errorf("%v, group %d changed, least %d: %v is told as %d", sizes, changed, least, r, what)
					}
					return true
				})
				if err != nil || next != known.Shape.Groups() {
					t.Errorf("%v: the end is %d, %v", sizes, next, err)
				}
			}
		}
	}
}

// nodesOf returns a file of which those nodes have come that are above more than so many groups.
func nodesOf(t *testing.T, f File, least int64) File {
	t.Helper()
	var proof bytes.Buffer
	if err := new(Encoder).EncodeNodes(&proof, f, f.Shape.All(), 0, least); err != nil {
		t.Fatal(err)
	}
	known := File{f.Shape, f.Root, new(NodeMap)}
	var v Verifier
	if err := v.StartNodes(known, known.Shape.All(), 0, least); err != nil {
		t.Fatal(err)
	}
	if rest, err := v.Feed(append(proof.Bytes(), "more"...)); err != nil || !v.Done() || string(rest) != "more" {
		t.Fatalf("%d bytes are left of the nodes, %v", len(rest), err)
	}
	return known
}

// Nodes that come by themselves are verified, and asked for again from a depth on; a proof goes
// on from there.
func TestNodesAlone(t *testing.T) {
	p := random(130 * Group)
	f := hashed(t, p)
	known := nodesOf(t, f, 16)
	run := Run{64, 80}
	if skip, err := known.Skip(run); err != nil || skip != 4 {
		t.Errorf("%d are known above %v, %v", skip, run, err)
	}
	var proof bytes.Buffer
	if err := new(Encoder).EncodeNodes(&proof, f, run, 4, 1); err != nil || proof.Len() != 15*NodeSize {
		t.Errorf("%d bytes are the nodes of 16 groups, %v", proof.Len(), err)
	}
	wrong := bytes.Clone(proof.Bytes())
	wrong[100] ^= 1
	var v Verifier
	if err := v.StartNodes(known, run, 4, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Feed(wrong); !errors.Is(err, ErrWrongNode) {
		t.Errorf("a wrong node: %v", err)
	}
	if err := v.StartNodes(known, run, 4, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Feed(proof.Bytes()); err != nil || !v.Done() {
		t.Error(err)
	}
	if skip, err := known.Skip(run); err != nil || skip != maxDepth {
		t.Errorf("%d are known above %v, %v", skip, run, err)
	}
	if err := new(Encoder).EncodeNodes(&proof, known, Run{0, 16}, 0, 1); !errors.Is(err, ErrMissing) {
		t.Errorf("nodes that are not known: %v", err)
	}
}

// The value of a part is what the node above it says.
func TestHashRun(t *testing.T) {
	p := random(33*Group + 9)
	f := hashed(t, p)
	for d, r := range f.Shape.Walk(f.Shape.All()) {
		nodes := new(NodeMap)
		h, err := HashRun(bytes.NewReader(p), f.Shape, nodes, r)
		if err != nil {
			t.Fatal(err)
		}
		want := f.Root
		if d > 0 {
			want = above(t, f, r)
		}
		if h != want {
			t.Errorf("%v hashes to %v, want %v", r, h, want)
		}
		if has := len(nodes.nodes); has != int(r.Len()-1) {
			t.Errorf("%d nodes are kept of %v", has, r)
		}
	}
}

// above returns what the node above a part says of it.
func above(t *testing.T, f File, part Run) Hash {
	t.Helper()
	r := f.Shape.All()
	for {
		left, right := r.Halves()
		var n Node
		if err := f.Nodes.Node(r.Split(), &n); err != nil {
			t.Fatal(err)
		}
		switch {
		case left == part:
			return n.Left()
		case right == part:
			return n.Right()
		case part.From < left.To:
			r = left
		default:
			r = right
		}
	}
}

// Whether a file goes on behind what is there of it shows in the way to the next group.
func TestBegins(t *testing.T) {
	p := random(21*Group + 3)
	f := hashed(t, p)
	for g := range f.Shape.Groups() {
		for _, wrong := range []int64{-1, 0, g / 2, g - 1} {
			q := bytes.Clone(p[:g*Group])
			if wrong >= 0 && g > 0 {
				q[wrong*Group+7] ^= 1
			}
			var h Hasher
			h.Write(q) //nolint:errcheck // into memory
			if ok, err := f.Begins(&h); err != nil || ok != (wrong < 0 || g == 0) {
				t.Errorf("%d groups, group %d wrong: %v, %v", g, wrong, ok, err)
			}
		}
	}
}
