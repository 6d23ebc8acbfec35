package scan

import (
	"bytes"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// What was verified as it came is not hashed by who shares it, if it is as it was; and is
// hashed when it is sent.
func TestSeed(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	sizes := map[string]int{"one": 100, "two/a": 3 * tree.Group, "two/b": 1, "two/c/d": 70 * tree.Group, "z": 2*tree.Group + 1, "zz/gone": 9, "zz/other": 9, "zz/wrong": 3 * tree.Group}
	var known []Known
	for _, name := range slices.SortedFunc(maps.Keys(sizes), manifest.Compare) {
		p := random(sizes[name])
		write(t, filepath.Join(dir, name), p)
		nodes := make(inlineNodes, (tree.Shape(len(p)).Groups()-1)*tree.NodeSize)
		root, err := tree.HashAt(bytes.NewReader(p), tree.Shape(len(p)), nodes, 1)
		if err != nil {
			t.Fatal(err)
		}
		if name == "zz/wrong" {
			nodes[5] ^= 1
		}
		i, err := os.Lstat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		known = append(known, Known{Path: name, Size: int64(len(p)), ModTime: i.ModTime().UnixNano(), Root: root,
			Nodes: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(nodes)), nil }})
	}
	if os.Remove(filepath.Join(dir, "zz/gone")) != nil || os.Chtimes(filepath.Join(dir, "zz/other"), time.Now(), time.Unix(1, 0)) != nil {
		t.Fatal("the files cannot be changed")
	}
	for _, when := range []string{"at first", "again"} {
		if err := Seed(cache, dir, slices.Values(known)); err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct {
			paths  []string
			hashed int64
		}{
			{[]string{"two"}, 0},
			{[]string{"one", "z"}, 0},
			{[]string{"zz"}, 2},
		} {
			c := Config{Cache: cache}
			for _, p := range test.paths {
				c.Paths = append(c.Paths, filepath.Join(dir, p))
			}
			var b manifest.Builder
			c.Add = func(p []byte, _ bool) error { return b.Append(p) }
			s, err := New(c)
			if err == nil {
				err = s.Run(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
			if n := s.count.hashes.Load(); n != test.hashed && (when == "at first" || n > 0) { // then it is known
				t.Errorf("%s: %v: %d files were hashed", when, test.paths, n)
			}
			for n, e := range b.Index().From(0) {
				if e.Kind != manifest.File || test.hashed > 0 {
					continue
				}
				f, err := s.Open(n, e)
				if err != nil {
					t.Fatal(err)
				}
				if f.Trusted() {
					t.Errorf("%s: %s is trusted", when, e.Path)
				}
				shape := tree.Shape(e.Size)
				if err := new(tree.Encoder).Encode(io.Discard, tree.File{Shape: shape, Root: e.Root, Nodes: f.Nodes()}, f, shape.All(), 0); err != nil {
					t.Errorf("%s: %s: %v", when, e.Path, err)
				}
				f.Close()
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
