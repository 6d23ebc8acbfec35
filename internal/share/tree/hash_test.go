package tree

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/iotest"

	"lukechampine.com/blake3"
	"lukechampine.com/blake3/bao"
)

// hashers are all ways to hash, which must come to the same.
func hashers(p []byte) map[string]func() (Hash, error) {
	hasher := func(feed func(h *Hasher) error) func() (Hash, error) {
		return func() (Hash, error) {
			var h Hasher
			if err := feed(&h); err != nil {
				return Hash{}, err
			}
			return h.Sum()
		}
	}
	at := func(workers int) func() (Hash, error) {
		return func() (Hash, error) { return HashAt(bytes.NewReader(p), Shape(len(p)), nil, workers) }
	}
	return map[string]func() (Hash, error){
		"Sum":      func() (Hash, error) { return Sum(p), nil },
		"HashAt":   at(0),
		"HashAt 3": at(3),
		"Write":    hasher(func(h *Hasher) error { _, err := h.Write(p); return err }),
		"ReadFrom": hasher(func(h *Hasher) error { _, err := h.ReadFrom(iotest.HalfReader(bytes.NewReader(p))); return err }),
		"Write in pieces": hasher(func(h *Hasher) error {
			for rest := p; len(rest) > 0; {
				n := min(len(rest), 1+rand.IntN(3*Group))
				if _, err := h.Write(rest[:n]); err != nil {
					return err
				}
				rest = rest[n:]
			}
			return nil
		}),
	}
}

func sameRoot(t *testing.T, p []byte, want string) {
	t.Helper()
	for name, hash := range hashers(p) {
		if got, err := hash(); err != nil || got.String() != want {
			t.Errorf("%d bytes, %s: %v, %v, want %s", len(p), name, got, err, want)
		}
	}
}

func TestRootIsBLAKE3(t *testing.T) {
	text, err := os.ReadFile("testdata/blake3.txt")
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for line := range strings.Lines(string(text)) {
		var size int
		var want string
		if _, err := fmt.Sscan(line, &size, &want); err == nil {
			sameRoot(t, pattern(size), want)
			tried++
		}
	}
	if tried < 35 {
		t.Errorf("only %d vectors", tried)
	}
}

// The program is another implementation, by BLAKE3's authors.
func TestRootIsWhatB3sumPrints(t *testing.T) {
	b3sum, err := exec.LookPath("b3sum")
	if err != nil {
		t.Skip("b3sum is not installed")
	}
	for range 4 {
		p := random(rand.IntN(4 << 20))
		cmd := exec.Command(b3sum, "--no-names")
		cmd.Stdin = bytes.NewReader(p)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		sameRoot(t, p, strings.TrimSpace(string(out)))
	}
}

// A file that is larger than a stretch, on several goroutines.
func TestHashAtInStretches(t *testing.T) {
	for _, size := range []int{stretch * Group, stretch*Group + 1, 3*stretch*Group + 3*Group} {
		p := random(size)
		want := Hash(blake3.Sum256(p))
		one, three := new(NodeMap), new(NodeMap)
		for workers, nodes := range map[int]Nodes{1: one, 3: three} {
			if got, err := HashAt(bytes.NewReader(p), Shape(size), nodes, workers); got != want || err != nil {
				t.Errorf("%d bytes on %d goroutines: %v, %v", size, workers, got, err)
			}
		}
		if err := sameNodes(one, three, Shape(size)); err != nil || len(three.nodes) != len(one.nodes) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

func TestHashAtFails(t *testing.T) {
	size := 2*stretch*Group + 7
	p := make([]byte, size)
	if _, err := HashAt(bytes.NewReader(p[:size-1]), Shape(size), nil, 2); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a file that is cut: %v", err)
	}
	if _, err := HashAt(bytes.NewReader(p), 1<<62, nil, 2); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a size that is a lie: %v", err)
	}
	bad := errors.New("bad sector")
	if _, err := HashAt(brokenReader{bad}, Shape(size), nil, 2); !errors.Is(err, bad) {
		t.Errorf("a disk that fails: %v", err)
	}
}

type brokenReader struct{ err error }

func (r brokenReader) ReadAt([]byte, int64) (int, error) { return 0, r.err }

func sameNodes(a, b Nodes, s Shape) error {
	for m := int64(1); m < s.Groups(); m++ {
		var x, y Node
		if err := errors.Join(a.Node(m, &x), b.Node(m, &y)); err != nil || x != y {
			return fmt.Errorf("node %d differs: %w", m, err)
		}
	}
	return nil
}

// What is kept are the nodes of Bao, whose outboard has them in pre-order.
func TestNodesAreThoseOfBao(t *testing.T) {
	for _, size := range append(borders(), 20*Group+1000) {
		p := pattern(size)
		f := hashed(t, p)
		outboard, root := bao.EncodeBuf(p, 6, true) // groups of 2^6 chunks
		if Hash(root) != f.Root {
			t.Fatalf("size %d: another root", size)
		}
		outboard = outboard[8:] // the size
		kept := 0
		for _, r := range f.Shape.Walk(f.Shape.All()) {
			if r.Leaf() {
				continue
			}
			var n Node
			if err := f.Nodes.Node(r.Split(), &n); err != nil || !bytes.HasPrefix(outboard, n[:]) {
				t.Fatalf("size %d, node %d: %v", size, r.Split(), err)
			}
			outboard = outboard[NodeSize:]
			kept++
		}
		if len(outboard) != 0 || kept != len(f.Nodes.(*NodeMap).nodes) {
			t.Errorf("size %d: %d bytes of nodes are left, and %d of %d nodes", size, len(outboard), kept, len(f.Nodes.(*NodeMap).nodes))
		}
	}
}

// At every size that a growing file has, its root is right and all of it can be proved,
// and nodes that cover no last group stay as they were.
func TestFileGrows(t *testing.T) {
	p := random(9*Group + 100)
	nodes := new(NodeMap)
	h := Hasher{Nodes: nodes}
	before := map[int64]Node{}
	for size := 0; size <= len(p); size += Group / 2 {
		if _, err := h.Write(p[h.Size():size]); err != nil {
			t.Fatal(err)
		}
		root, err := h.Sum()
		if err != nil || root != Sum(p[:size]) {
			t.Fatalf("size %d: %v, %v", size, root, err)
		}
		f := File{Shape(size), root, nodes}
		if err := get(f, p[:size]).take(prove(t, f, p, f.Shape.All(), 0), f.Shape.All(), 0); err != nil {
			t.Fatalf("size %d: %v", size, err)
		}
		for m, n := range before {
			if nodes.nodes[m] != n {
				t.Errorf("size %d: node %d has changed", size, m)
			}
		}
		for m, n := range nodes.nodes {
			if half := m & -m; (m+half)*Group <= int64(size) {
				before[m] = n
			}
		}
	}
	if len(before) != 7 { // all of 8 groups; those of 9 have the root, whose right half is cut
		t.Errorf("%d nodes were complete", len(before))
	}
}

func TestHasherResumes(t *testing.T) {
	p := random(13*Group + 100)
	want := hashed(t, p)
	for done := int64(0); done <= 13; done++ {
		nodes := new(NodeMap)
		killed := Hasher{Nodes: nodes}
		killed.Write(p[:done*Group]) //nolint:errcheck // into memory

		h := Hasher{Nodes: nodes}
		if err := h.Resume(done); err != nil {
			t.Fatalf("after %d groups: %v", done, err)
		}
		if h.Size() != done&^1*Group {
			t.Errorf("after %d groups: goes on at byte %d", done, h.Size())
		}
		h.Write(p[h.Size():]) //nolint:errcheck // into memory
		if root, err := h.Sum(); root != want.Root || err != nil {
			t.Errorf("after %d groups: %v, %v", done, root, err)
		}
		if err := sameNodes(nodes, want.Nodes, want.Shape); err != nil {
			t.Errorf("after %d groups: %v", done, err)
		}
	}
	if err := (&Hasher{Nodes: new(NodeMap)}).Resume(2); !errors.Is(err, ErrMissing) {
		t.Errorf("without nodes: %v", err)
	}
}

func TestGroupValue(t *testing.T) {
	p := random(5*Group - 9)
	f := hashed(t, p)
	var n Node
	f.Nodes.Node(3, &n) //nolint:errcheck // it is there
	if GroupValue(p[2*Group:3*Group], 2) != n.Left() || GroupValue(p[3*Group:4*Group], 3) != n.Right() {
		t.Error("node 3 has other values than groups 2 and 3")
	}
	f.Nodes.Node(4, &n) //nolint:errcheck // it is there
	if GroupValue(p[4*Group:], 4) != n.Right() {
		t.Error("node 4 has another value than group 4")
	}
}
