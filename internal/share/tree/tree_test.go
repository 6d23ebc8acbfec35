package tree

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
)

// pattern is the input of BLAKE3's own vectors: the bytes 0 to 250, again and again.
func pattern(size int) []byte {
	p := make([]byte, size)
	for i := range p {
		p[i] = byte(i % 251)
	}
	return p
}

// borders are sizes at which a tree looks different from one that is a byte smaller or
// larger.
func borders() []int {
	sizes := []int{0, 1, 1023, 1024, 1025, unit - 1, unit, unit + 1}
	for _, groups := range []int{1, 2, 3, 4, 8, 16, 32} {
		sizes = append(sizes, groups*Group-1, groups*Group, groups*Group+1)
	}
	return sizes
}

// hashed returns a file that has these bytes, with its tree in memory.
func hashed(t testing.TB, p []byte) File {
	t.Helper()
	h := Hasher{Nodes: new(NodeMap)}
	if _, err := h.Write(p); err != nil {
		t.Fatal(err)
	}
	root, err := h.Sum()
	if err != nil {
		t.Fatal(err)
	}
	return File{Shape(len(p)), root, h.Nodes}
}

func prove(t testing.TB, f File, p []byte, run Run, skip int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := new(Encoder).Encode(&b, f, bytes.NewReader(p), run, skip); err != nil {
		t.Fatalf("size %d, run %v, skip %d: %v", f.Shape, run, skip, err)
	}
	return b.Bytes()
}

// A getter knows a file's size and root, and keeps what is given to it. It complains
// if that is not what the file has there.
type getter struct {
	File
	Verifier
	truth []byte
	got   []int64
}

// get returns a getter of the file that has these bytes.
func get(f File, p []byte) *getter {
	f.Nodes = new(NodeMap)
	return &getter{File: f, truth: p}
}

func (g *getter) start(run Run, skip int) error {
	g.got = nil
	return g.Start(g.File, run, skip, func(group int64, data []byte) error {
		from := group * Group
		if from < 0 || from > int64(len(g.truth)) || !bytes.HasPrefix(g.truth[from:], data) || len(data) != g.Shape.GroupSize(group) {
			panic(fmt.Sprintf("group %d was handed on, and is wrong", group))
		}
		g.got = append(g.got, group)
		return nil
	})
}

// take takes a proof as a whole.
func (g *getter) take(proof []byte, run Run, skip int) error {
	if err := g.start(run, skip); err != nil {
		return err
	}
	rest, err := g.Feed(proof)
	switch {
	case err != nil:
		return err
	case len(rest) > 0:
		return errExcess
	case !g.Done():
		return errShort
	case int64(len(g.got)) != run.Len():
		return fmt.Errorf("%d groups of %v", len(g.got), run)
	}
	return nil
}

var (
	errExcess = errors.New("bytes after the proof")
	errShort  = errors.New("the proof is not complete")
)

func random(size int) []byte {
	p := make([]byte, size)
	rng := rand.NewChaCha8([32]byte{byte(size)})
	rng.Read(p) //nolint:errcheck // it does not fail
	return p
}

func tempFile(t testing.TB) *os.File {
	t.Helper()
	f, err := os.Create(t.TempDir() + "/nodes")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}
