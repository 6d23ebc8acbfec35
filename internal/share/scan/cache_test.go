package scan

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// sizes of files that are kept in all ways.
var sizes = map[string]int{"a": 100, "b/1": tree.Group, "b/2": tree.Group + 1, "c": 4*tree.Group - 5, "d": 9*tree.Group + 1, "e/f": 0, "g": 1}

// makeTree makes files of all sizes and returns the directory.
func makeTree(t *testing.T) string {
	dir := filepath.Join(t.TempDir(), "d")
	for name, size := range sizes {
		write(t, filepath.Join(dir, name), random(size))
	}
	return dir
}

// sent checks that all files are sent as they were made.
func (s *shared) sent() {
	s.t.Helper()
	for name, size := range sizes {
		if size == 0 {
			continue
		}
		if got, _, err := s.send("d/" + name); err != nil || !bytes.Equal(got, random(size)) {
			s.t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}

// What is shared again is hashed if it has changed, and else not read.
func TestAgain(t *testing.T) {
	dir, cache := makeTree(t), t.TempDir()
	c := Config{Paths: []string{dir}, Cache: cache}
	for i, test := range []struct {
		change func()
		hashed int
	}{
		{func() {}, len(sizes) - 1},
		{func() {}, 0},
		{func() { write(t, filepath.Join(dir, "a"), random(100)) }, 1},
		{func() { // the size and the times that can be set are as before
			file := filepath.Join(dir, "c")
			was, err := os.Stat(file)
			write(t, file+"2", random(sizes["c"]))
			if err != nil || os.Chtimes(file+"2", was.ModTime(), was.ModTime()) != nil || os.Rename(file+"2", file) != nil {
				t.Fatal(err)
			}
		}, 1},
		{func() { write(t, filepath.Join(dir, "b", "0"), random(8)) }, 1},
		{func() { c.Paths = append(c.Paths, filepath.Dir(dir)+"/x"); write(t, c.Paths[1], random(9)) }, 1},
		{func() { c.Paths = c.Paths[:1] }, 0},
		{func() { c.Paths = []string{filepath.Dir(dir) + "/x"} }, 0},
		{func() { c.Paths = []string{dir} }, 0},
		{func() {
			c.now = earlier
			write(t, filepath.Join(dir, "a"), random(100))
		}, 1},
		{func() {}, 1}, // it may have been written to since
		{func() { c.now = nil }, 1},
		{func() {}, 0},
	} {
		test.change()
		s := start(t, c)
		if p := s.Progress(); p.Hashed != test.hashed || (p.HashedBytes == 0) != (test.hashed == 0) {
			t.Errorf("%d: %d files are hashed, want %d; %d bytes", i, p.Hashed, test.hashed, p.HashedBytes)
		}
		if slices.Contains(c.Paths, dir) {
			s.sent()
		}
	}
}

// Files that are shared one by one are known again, whichever others were shared meanwhile.
func TestOneByOne(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	for i, test := range []struct {
		names  string
		hashed int
	}{{"ab", 2}, {"b", 0}, {"a", 0}, {"abc", 1}, {"b", 0}, {"ac", 0}} {
		var paths []string
		for _, name := range strings.Split(test.names, "") {
			paths = append(paths, filepath.Join(dir, name))
			if i == 0 || name == "c" && i == 3 {
				write(t, paths[len(paths)-1], random(99))
			}
		}
		if got := start(t, Config{Paths: paths, Cache: cache}).Progress().Hashed; got != test.hashed {
			t.Errorf("%d: %d files are hashed, want %d", i, got, test.hashed)
		}
	}
}

// A cache that is itself in what is shared is left out.
func TestCacheInside(t *testing.T) {
	dir := makeTree(t)
	for range 2 {
		s := start(t, Config{Paths: []string{dir}, Cache: filepath.Join(dir, "e", "cache")})
		if got := len(s.paths()); got != len(sizes)+3 {
			t.Errorf("%q", s.paths())
		}
		if s.note("d/e/cache") == "" {
			t.Error("it is not noted")
		}
	}
}

// A cache that is damaged in any way is as good as none, or as what is left of it.
func TestDamaged(t *testing.T) {
	dir := makeTree(t)
	r := rand.New(rand.NewPCG(3, 4))
	cache := t.TempDir()
	want := start(t, Config{Paths: []string{dir}, Cache: cache}).index
	for i := range 12 {
		s := start(t, Config{Paths: []string{dir}, Cache: cache})
		for n, e := range want.From(0) {
			if got, ok := s.index.Entry(n); !ok || got != e {
				t.Fatalf("%d: %+v, want %+v", i, got, e)
			}
		}
		s.sent()
		trees, _ := filepath.Glob(filepath.Join(treesDir(cache), "*")) //nolint:errcheck // the pattern is right
		nodes, _ := filepath.Glob(filepath.Join(nodesDir(cache), "*")) //nolint:errcheck // the pattern is right
		for _, file := range append(trees, nodes...) {
			b, err := os.ReadFile(file)
			if err != nil || len(b) == 0 {
				continue
			}
			at := r.IntN(len(b))
			switch r.IntN(4) {
			case 0:
				b = b[:at]
			case 1:
				b[at] ^= 1 << r.IntN(8)
			case 2:
				clear(b[at:])
			case 3:
				if r.IntN(2) == 0 {
					os.Remove(file) //nolint:errcheck // it is seen below
					continue
				}
				for j := range b[at:] {
					b[at+j] = byte(r.Uint32())
				}
			}
			if i%2 == 0 && slices.Contains(trees, file) {
				continue // so that what is found is of no use sometimes
			}
			if err := os.WriteFile(file, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A record is read as it was written, and rubbish with a right sum does no harm.
func FuzzRecord(f *testing.F) {
	f.Add((&record{path: "a/b", stat: stat{1, 2, 3, 4, 5}, holes: true, nodes: make(inlineNodes, 64)}).append(nil, "a/a"), "a/a")
	f.Fuzz(func(t *testing.T, b []byte, last string) {
		var r record
		if !r.parse(b, last) {
			return
		}
		if manifest.Compare(last, r.path) >= 0 || r.stat.size <= 0 {
			t.Errorf("%+v", r)
		}
		var again record
		if !again.parse(r.append(nil, last), last) || again.path != r.path || again.stat != r.stat || again.root != r.root || !bytes.Equal(again.nodes, r.nodes) {
			t.Errorf("%+v, and then %+v", r, again)
		}
	})
}

// When nodes are thrown away while they are used, the file is hashed once more.
func TestNodesThrownAway(t *testing.T) {
	dir, cache := makeTree(t), t.TempDir()
	s := start(t, Config{Paths: []string{dir}, Cache: cache})
	if err := os.RemoveAll(nodesDir(cache)); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(treesDir(cache)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.send("d/d"); err == nil {
		t.Error("nodes are kept in a directory that is not there")
	}
	if err := makeCache(cache); err != nil {
		t.Fatal(err)
	}
	s.sent()
}

// What was not used for longest goes first, when there is too much.
func TestPrune(t *testing.T) {
	dir, cache := makeTree(t), t.TempDir()
	start(t, Config{Paths: []string{dir}, Cache: cache})
	for i, name := range []string{"old", "older"} {
		file := filepath.Join(nodesDir(cache), name)
		write(t, file, make([]byte, 1000))
		when := time.Now().Add(-time.Hour * time.Duration(i+1))
		if err := os.Chtimes(file, when, when); err != nil {
			t.Fatal(err)
		}
	}
	left := func() (names []string) {
		all, err := os.ReadDir(nodesDir(cache))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			if len(e.Name()) < 64 {
				names = append(names, e.Name())
			}
		}
		return names
	}
	for _, test := range []struct {
		limit int64
		want  []string
	}{{2000, []string{"old", "older"}}, {1500, []string{"old"}}, {1, nil}} {
		s := start(t, Config{Paths: []string{dir}, Cache: cache, CacheLimit: test.limit})
		if got := left(); !slices.Equal(got, test.want) {
			t.Errorf("%d bytes: %q is left, want %q", test.limit, got, test.want)
		}
		if s.Progress().Hashed != 0 {
			t.Error("what is used was thrown away")
		}
	}
}
