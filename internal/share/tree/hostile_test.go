package tree

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
)

// getter panics if a wrong byte is handed on, in all of these tests.

func refused(err error) bool { return errors.Is(err, ErrWrongNode) || errors.Is(err, ErrWrongData) }

// Bits of nodes and of the last group are all tried, those of a whole group here and
// there.
func TestFlippedBits(t *testing.T) {
	p := random(2*Group + 30)
	f := hashed(t, p)
	proof := prove(t, f, p, f.Shape.All(), 0) // node 2, node 1, group 0, group 1, group 2
	const data = 2 * NodeSize
	step := 1
	for bit := 0; bit < 8*len(proof); bit += step {
		proof[bit/8] ^= 1 << (bit % 8)
		want, step2, kept := ErrWrongNode, 1, 0
		switch at := bit / 8; {
		case at >= data+2*Group:
			want, kept = ErrWrongData, 2
		case at >= data:
			want, step2, kept = ErrWrongData, 2003, (at-data)/Group
			if left := 8*(data+2*Group) - bit; left < step2 {
				step2 = left
			}
		}
		step = step2
		g := get(f, p)
		if err := g.take(proof, f.Shape.All(), 0); !errors.Is(err, want) || len(g.got) != kept || g.Done() {
			t.Fatalf("bit %d: %v, groups %v", bit, err, g.got)
		}
		if _, err := g.Feed(proof); !errors.Is(err, want) || len(g.got) != kept {
			t.Fatalf("bit %d: goes on after that: %v", bit, err)
		}
		proof[bit/8] ^= 1 << (bit % 8)
	}
	if err := get(f, p).take(proof, f.Shape.All(), 0); err != nil {
		t.Errorf("no bit: %v", err)
	}
}

func TestErrorsNameThePlace(t *testing.T) {
	p := random(5 * Group)
	f := hashed(t, p)
	proof := prove(t, f, p, Run{3, 4}, 0) // node 4, node 2, node 3, group 3
	for at, want := range map[int]string{
		0:            "node 4 (groups 0 to 4): wrong node",
		NodeSize:     "node 2 (groups 0 to 3): wrong node",
		2 * NodeSize: "node 3 (groups 2 to 3): wrong node",
		3 * NodeSize: "group 3: wrong data",
	} {
		proof[at]++
		if err := get(f, p).take(proof, Run{3, 4}, 0); err == nil || err.Error() != want {
			t.Errorf("byte %d: %v, want %s", at, err, want)
		}
		proof[at]--
	}
}

func TestWrongProofs(t *testing.T) {
	p := random(6*Group + 5)
	f := hashed(t, p)
	run := Run{1, 4}
	proof := prove(t, f, p, run, 0)
	otherData := random(6*Group + 6)[:len(p)]
	other := hashed(t, otherData)

	for cut := range proof {
		if cut > 1000 && cut < len(proof)-1000 && cut%997 != 0 {
			continue
		}
		if err := get(f, p).take(proof[:cut], run, 0); err != errShort {
			t.Fatalf("cut after %d bytes: %v", cut, err)
		}
	}
	if err := get(f, p).take(append(slices.Clone(proof), 0), run, 0); err != errExcess {
		t.Errorf("a byte too many: %v", err)
	}

	swapped := slices.Clone(proof)
	last := swapped[len(swapped)-Group:]
	copy(last, p[4*Group:5*Group])
	mixed := prove(t, other, otherData, run, 0)
	copy(mixed[len(mixed)-Group:], proof[len(proof)-Group:])
	wrong := map[string][]byte{
		"right data of another group":  swapped,
		"another file's proof":         prove(t, other, otherData, run, 0),
		"another file's parents":       mixed,
		"data without nodes":           p[Group : 4*Group],
		"nodes left out":               prove(t, f, p, run, 1),
		"zeros":                        make([]byte, len(proof)),
		"the file's beginning, padded": append(slices.Clone(p[:4*Group]), make([]byte, 4*Group)...),
	}
	for _, r := range []Run{{0, 4}, {2, 5}, {1, 3}, {4, 7}, {6, 7}, {0, 7}} {
		b := prove(t, f, p, r, 0)
		wrong[fmt.Sprint("the proof of ", r)] = append(b, make([]byte, max(0, len(proof)-len(b)))...)
	}
	for name, b := range wrong {
		g := get(f, p)
		if err := g.take(b, run, 0); !refused(err) || g.Done() {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A size that is not that of the root does not pass once the last group, whose length
// is wrong, is to come, and mostly not before. It costs no memory.
func TestLyingSizes(t *testing.T) {
	for _, size := range []int64{1, 1024, Group - 1, Group, Group + 1, 3*Group + 1, 4 * Group} {
		p := random(int(size))
		f := hashed(t, p)
		honest := prove(t, f, p, f.Shape.All(), 0)
		for _, lie := range []int64{size - 1, size + 1, 2 * size, size + Group, 1 << 40, math.MaxInt64} {
			g := get(f, append(slices.Clone(p), make([]byte, size+Group)...))
			g.Shape = Shape(lie)
			all := g.Shape.All()
			for _, run := range []Run{all, {max(0, all.To-1), all.To}} {
				for _, padding := range []int{0, 1, int(size), 2 * Group} {
					err := g.take(append(slices.Clone(honest), make([]byte, padding)...), run, 0)
					if !refused(err) && err != errShort {
						t.Errorf("size %d, called %d, %v and %d zeros: %v", size, lie, run, padding, err)
					}
				}
			}
		}
	}
}

// A getter's own nodes that are damaged are as good as none, and no fault of the peer.
func TestDamagedNodes(t *testing.T) {
	p := random(8 * Group)
	f := hashed(t, p)
	run := Run{5, 7}
	g := get(f, p)
	if err := g.take(prove(t, f, p, run, 0), run, 0); err != nil {
		t.Fatal(err)
	}
	var n Node
	g.Nodes.Node(6, &n) //nolint:errcheck // it is there
	n[40]++
	g.Nodes.SetNode(6, &n) //nolint:errcheck // into memory

	if skip, err := g.Skip(run); skip != 1 || err != nil {
		t.Errorf("asks with skip %d, %v", skip, err)
	}
	if err := g.take(prove(t, f, p, run, 2), run, 2); !errors.Is(err, ErrMissing) || refused(err) {
		t.Errorf("skipped: %v", err)
	}
	var b bytes.Buffer
	if err := new(Encoder).Encode(&b, g.File, bytes.NewReader(p), run, 0); !errors.Is(err, ErrMissing) || b.Len() > 0 {
		t.Errorf("served: %v, %d bytes", err, b.Len())
	}
	if err := g.take(prove(t, f, p, run, 1), run, 1); err != nil {
		t.Errorf("got again: %v", err)
	}
	if skip, err := g.Skip(run); skip != maxDepth || err != nil {
		t.Errorf("mended: %d, %v", skip, err)
	}
}

// What the getter's own side says ends the proof, and is not taken for a fault of the
// peer.
func TestGetterFails(t *testing.T) {
	p := random(3 * Group)
	f := hashed(t, p)
	proof := prove(t, f, p, f.Shape.All(), 0)
	full := errors.New("disk full")
	var v Verifier
	f.Nodes = nil
	v.Start(f, f.Shape.All(), 0, func(int64, []byte) error { return full }) //nolint:errcheck // Feed says it too
	if _, err := v.Feed(proof); !errors.Is(err, full) || v.Done() {
		t.Errorf("data: %v", err)
	}
	f.Nodes = fullNodes{full}
	v.Start(f, f.Shape.All(), 0, func(int64, []byte) error { t.Error("a group before its node is kept"); return nil }) //nolint:errcheck // Feed says it too
	if _, err := v.Feed(proof); !errors.Is(err, full) || refused(err) {
		t.Errorf("nodes: %v", err)
	}
	if _, err := f.Skip(f.Shape.All()); !errors.Is(err, full) {
		t.Errorf("Skip: %v", err)
	}
}

type fullNodes struct{ err error }

func (n fullNodes) Node(int64, *Node) error    { return n.err }
func (n fullNodes) SetNode(int64, *Node) error { return n.err }
