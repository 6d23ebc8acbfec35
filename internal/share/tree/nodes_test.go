package tree

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
)

// Every way to keep nodes, which are the same to whoever uses them.
func eachNodes(t *testing.T, f func(t *testing.T, nodes Nodes)) {
	t.Run("NodeMap", func(t *testing.T) { f(t, new(NodeMap)) })
	t.Run("NodeFile", func(t *testing.T) { f(t, NodeFile{tempFile(t)}) })
}

func TestNodes(t *testing.T) {
	eachNodes(t, func(t *testing.T, nodes Nodes) {
		kept := map[int64]Node{}
		for range 100 {
			n := Node(random(NodeSize + rand.IntN(1000))[:NodeSize])
			m := int64(1) << rand.IntN(30)
			if rand.IntN(2) > 0 {
				m += rand.Int64N(m)
			}
			kept[m] = n
			if err := nodes.SetNode(m, &n); err != nil {
				t.Fatal(err)
			}
			n[0]++ // it is not kept
		}
		for m, want := range kept {
			var n Node
			if err := nodes.Node(m, &n); err != nil || n != want {
				t.Errorf("node %d: %v", m, err)
			}
		}
		for _, m := range []int64{3 << 29, 1 << 40, 1 << 46} {
			if err := nodes.Node(m, new(Node)); !errors.Is(err, ErrMissing) {
				t.Errorf("node %d: %v", m, err)
			}
		}
	})
}

// A file is hashed, got and served with its nodes in any of them, all at once.
func TestNodesAtOnce(t *testing.T) {
	p := random(12*Group + 3)
	f := hashed(t, p)
	eachNodes(t, func(t *testing.T, nodes Nodes) {
		g := File{f.Shape, f.Root, nodes}
		var wg sync.WaitGroup
		for from := range f.Shape.Groups() {
			wg.Go(func() {
				run := Run{from, from + 1}
				skip, err := g.Skip(run)
				if err != nil {
					t.Error(err)
				}
				var v Verifier
				v.Start(g, run, skip, func(int64, []byte) error { return nil }) //nolint:errcheck // Feed says it too
				if _, err := v.Feed(prove(t, f, p, run, skip)); err != nil || !v.Done() {
					t.Error(err)
				}
				if prove(t, g, p, run, 0) == nil {
					t.Error("no proof")
				}
			})
		}
		wg.Wait()
		if err := sameNodes(nodes, f.Nodes, f.Shape); err != nil {
			t.Error(err)
		}
	})
}

// What a crash may leave of a file: it is cut, also in the middle of a node, or has zeros.
func TestNodeFileAfterACrash(t *testing.T) {
	p := random(8 * Group)
	file := tempFile(t)
	nodes := NodeFile{file}
	root, err := HashAt(bytes.NewReader(p), Shape(len(p)), nodes, 1)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := file.Stat(); err != nil || info.Size() != 7*NodeSize {
		t.Errorf("7 nodes are %d bytes, %v", info.Size(), err)
	}
	if err := file.Truncate(7*NodeSize - 1); err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteAt(make([]byte, NodeSize), 0); err != nil {
		t.Fatal(err)
	}
	f := File{Shape(len(p)), root, nodes}
	for m, want := range map[int64]error{1: ErrMissing, 2: nil, 6: nil, 7: ErrMissing, 8: ErrMissing} {
		if err := nodes.Node(m, new(Node)); err != want {
			t.Errorf("node %d: %v", m, err)
		}
	}
	for g, want := range []int{2, 2, maxDepth, maxDepth, maxDepth, maxDepth, 2, 2} {
		if skip, err := f.Skip(Run{int64(g), int64(g) + 1}); skip != want || err != nil {
			t.Errorf("group %d: knows %d, %v", g, skip, err)
		}
	}
	file.Close()
	if err := nodes.Node(2, new(Node)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a file that is closed: %v", err)
	}
}
