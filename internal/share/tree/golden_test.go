package tree

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/internal/golden"
)

const goldenHead = `# Trees and proofs: docs/protocol/share.md. The content of a file is the bytes 0 to 250, again and again.
#
#	file SIZE ROOT
#	group NUMBER CHAINING-VALUE
#	node SPLIT LEFT RIGHT
#	proof FROM TO SKIP: PARTS; LENGTH BLAKE3 of the stream
#	flip BIT: PART    the proof above is refused at this part, if the bit is another (0 is the lowest of the first byte)
`

// A goldenProof is the proof of a run, and bits that are flipped in it.
type goldenProof struct {
	size int
	run  Run
	skip int
	flip []int
}

func goldenProofs() []goldenProof {
	const node, group = 8 * NodeSize, 8 * Group
	return []goldenProof{
		{0, Run{0, 0}, 0, nil},
		{1, Run{0, 1}, 0, []int{7}},
		{Group, Run{0, 1}, 0, []int{0, group - 1}},
		{Group + 1, Run{0, 2}, 0, []int{0, node - 1, node, node + group}},
		{Group + 1, Run{1, 2}, 0, []int{0, node}},
		{Group + 1, Run{1, 2}, 1, []int{0}},
		{3 * Group, Run{0, 3}, 0, nil},
		{3 * Group, Run{2, 3}, 0, []int{node}},
		{5*Group + 1000, Run{0, 6}, 0, []int{node, 3*node + 2*group}},
		{5*Group + 1000, Run{3, 5}, 0, []int{3*node + group}},
		{5*Group + 1000, Run{3, 5}, 1, nil},
		{5*Group + 1000, Run{3, 5}, 2, nil},
		{5*Group + 1000, Run{3, 5}, 3, nil},
		{8 * Group, Run{4, 8}, 1, nil},
		{8 * Group, Run{5, 7}, 2, nil},
		{11*Group - 1, Run{0, 11}, 0, nil},
		{11*Group - 1, Run{10, 11}, 0, nil},
		{11*Group - 1, Run{7, 9}, 1, nil},
	}
}

func TestGolden(t *testing.T) {
	const path = "testdata/proofs.txt"
	var b strings.Builder
	b.WriteString(goldenHead)
	size := -1
	for _, g := range goldenProofs() {
		p := pattern(g.size)
		f := hashed(t, p)
		if g.size != size {
			size = g.size
			describeTree(&b, f, p)
		}
		describeProof(t, &b, f, p, g)
	}
	golden.Check(t, path, b.String())
}

func describeTree(b *strings.Builder, f File, p []byte) {
	fmt.Fprintf(b, "\nfile %d %v\n", f.Shape, f.Root)
	groups := f.Shape.Groups()
	for g := int64(0); g < groups && groups > 1; g++ {
		fmt.Fprintf(b, "group %d %v\n", g, GroupValue(p[g*Group:][:f.Shape.GroupSize(g)], g))
	}
	for m := int64(1); m < groups; m++ {
		var n Node
		f.Nodes.Node(m, &n) //nolint:errcheck // it is there
		fmt.Fprintf(b, "node %d %v %v\n", m, n.Left(), n.Right())
	}
}

func describeProof(t *testing.T, b *strings.Builder, f File, p []byte, g goldenProof) {
	proof := prove(t, f, p, g.run, g.skip)
	fmt.Fprintf(b, "proof %d %d %d:", g.run.From, g.run.To, g.skip)
	for d, r := range f.Shape.Walk(g.run) {
		switch {
		case r.Len() == 0:
		case r.Leaf():
			fmt.Fprintf(b, " group %d", r.From)
		case d >= g.skip:
			fmt.Fprintf(b, " node %d", r.Split())
		}
	}
	fmt.Fprintf(b, "; %d %v\n", len(proof), Sum(proof))
	g0 := get(f, p)
	g0.Nodes = f.Nodes // what is skipped is there
	if err := g0.take(proof, g.run, g.skip); err != nil {
		t.Errorf("size %d, %v, skip %d: %v", f.Shape, g.run, g.skip, err)
	}
	for _, bit := range g.flip {
		proof[bit/8] ^= 1 << (bit % 8)
		err := g0.take(proof, g.run, g.skip)
		proof[bit/8] ^= 1 << (bit % 8)
		if !errors.Is(err, ErrWrongNode) && !errors.Is(err, ErrWrongData) {
			t.Fatalf("size %d, %v, skip %d, bit %d: %v", f.Shape, g.run, g.skip, bit, err)
		}
		part, _, _ := strings.Cut(strings.Replace(err.Error(), ":", " (", 1), " (")
		fmt.Fprintf(b, "flip %d: %s\n", bit, part)
	}
}
