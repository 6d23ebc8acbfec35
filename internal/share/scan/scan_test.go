package scan

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/share/glob"
	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// A shared is a Scan that has run.
type shared struct {
	*Scan
	t      *testing.T
	index  manifest.Index
	notes  []Note
	firsts []int // entries that were there at every Add
}

// later has all files be old enough to be trusted.
func later() time.Time { return time.Now().Add(time.Minute) }

// earlier has all files be too young for that.
func earlier() time.Time { return time.Now().Add(-time.Minute) }

// start scans what a Config says, which may be completed.
func start(t *testing.T, c Config) *shared {
	t.Helper()
	s := &shared{t: t}
	var b manifest.Builder
	final := false
	c.Add = func(p []byte, last bool) error {
		if final {
			t.Error("something comes behind the last")
		}
		final = last
		err := b.Append(p)
		before := s.index.Totals().Entries
		s.index = b.Index()
		s.ready(before)
		s.firsts = append(s.firsts, s.index.Totals().Entries)
		return err
	}
	c.Note = func(n Note) { s.notes = append(s.notes, n) }
	if c.now == nil {
		c.now = later
	}
	c.inline = 4 // so that few bytes are enough
	if c.Cache == "" {
		c.Cache = t.TempDir()
	}
	var err error
	if s.Scan, err = New(c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !final || !s.index.Done() {
		t.Error("the manifest has no end")
	}
	for _, o := range s.pool.idle { // what ready has opened
		o.close()
	}
	s.pool.idle = nil
	return s
}

// ready checks that all entries from one on can be sent.
func (s *shared) ready(from int) {
	s.t.Helper()
	for n, e := range s.index.From(from) {
		if e.Kind != manifest.File || e.Size == 0 {
			continue
		}
		b, err := s.Open(n, e)
		if err != nil {
			s.t.Errorf("%q was handed on, and cannot be opened: %v", e.Path, err)
			continue
		}
		f := tree.File{Shape: tree.Shape(e.Size), Root: e.Root, Nodes: b.Nodes()}
		if f.Shape.Groups() > 1 && !hasRun(f, f.Shape.All()) {
			s.t.Errorf("%q was handed on without its nodes", e.Path)
		}
		b.Close()
	}
}

// paths returns what is in the share.
func (s *shared) paths() (all []string) {
	for _, e := range s.index.From(0) {
		all = append(all, e.Path)
	}
	return all
}

// note returns what was noted of a path.
func (s *shared) note(path string) string {
	for _, n := range s.notes {
		if n.Path == path {
			return n.Text
		}
	}
	return ""
}

// send returns what a getter is sent of a file: all of it, verified, or an error.
func (s *shared) send(path string) ([]byte, bool, error) {
	s.t.Helper()
	n, e, ok := s.index.Find(path)
	if !ok {
		s.t.Fatalf("%s is not in the share: %q", path, s.paths())
	}
	b, err := s.Open(n, e)
	if err != nil {
		return nil, false, err
	}
	defer b.Close()
	var proof bytes.Buffer
	f := tree.File{Shape: tree.Shape(e.Size), Root: e.Root, Nodes: b.Nodes()}
	encoder := tree.Encoder{Trust: b.Trusted()}
	err = encoder.Encode(&proof, f, b, f.Shape.All(), 0)
	var got []byte
	f.Nodes = new(tree.NodeMap)
	var v tree.Verifier
	if err := v.Start(f, f.Shape.All(), 0, func(_ int64, p []byte) error {
		got = append(got, p...)
		return nil
	}); err != nil {
		s.t.Fatal(err)
	}
	if _, err := v.Feed(proof.Bytes()); err != nil {
		s.t.Errorf("%s: a wrong byte was sent: %v", path, err)
	}
	if err == nil && !v.Done() {
		s.t.Errorf("%s: not all was sent", path)
	}
	return got, b.Trusted(), err
}

// write makes a file and the directories that it is in.
func write(t testing.TB, file string, content []byte) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, content, 0o644)); err != nil {
		t.Fatal(err)
	}
}

func random(size int) []byte {
	b := make([]byte, size)
	rand.NewChaCha8([32]byte{byte(size)}).Read(b) //nolint:errcheck // it does not fail
	return b
}

// What is walked comes in the order of the manifest, and all of it.
func TestOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	names := []string{"a", "a!", "a-b", "a.b", "aa", "b", "B", "ab", "\xff", "ä", "z z", ".h", "a\nb"}
	for range 20 {
		dir := filepath.Join(t.TempDir(), "top")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		dirs := []string{dir}
		for range 60 {
			in := dirs[r.IntN(len(dirs))]
			path := filepath.Join(in, names[r.IntN(len(names))])
			if _, err := os.Lstat(path); err == nil {
				continue
			}
			switch r.IntN(4) {
			case 0, 1:
				if err := os.Mkdir(path, 0o755); err != nil {
					t.Skip("this file system does not have all names:", err)
				}
				dirs = append(dirs, path)
			case 2:
				write(t, path, random(r.IntN(100)))
			case 3:
				write(t, path, nil)
			}
		}
		var want []string
		if err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			want = append(want, "top"+filepath.ToSlash(strings.TrimPrefix(path, dir)))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(want, manifest.Compare)
		s := start(t, Config{Paths: []string{dir}})
		if got := s.paths(); !slices.Equal(got, want) {
			t.Fatalf("%q\nwant %q", got, want)
		}
		if s.firsts[0] != 1 {
			t.Errorf("the first entry was handed on with %d", s.firsts[0])
		}
	}
}

// Files of all sizes are sent as they are, trusted if they are old enough.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	const group = tree.Group
	sizes := map[string]int{"empty": 0, "byte": 1, "group": group, "more": group + 1, "inline": 4 * group, "file": 4*group + 1, "pages": 258*group + 5}
	for name, size := range sizes {
		write(t, filepath.Join(dir, name), random(size))
	}
	for _, young := range []bool{false, true} {
		c := Config{Paths: []string{dir}}
		if young {
			delete(sizes, "pages")
			c.now = earlier
		}
		s := start(t, c)
		for name, size := range sizes {
			path := filepath.Base(dir) + "/" + name
			_, e, _ := s.index.Find(path)
			if want := tree.Sum(random(size)); e.Root != want {
				t.Errorf("%s: the root is %x, want %v", name, e.Root, want)
			}
			if size == 0 {
				continue
			}
			got, trusted, err := s.send(path)
			if err != nil || !bytes.Equal(got, random(size)) {
				t.Errorf("%s: %d bytes, %v", name, len(got), err)
			}
			if trusted == young {
				t.Errorf("%s: it is young: %v, and trusted: %v", name, young, trusted)
			}
		}
	}
}

// Several paths are shared by their last names, and only once each.
func TestTops(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "b", "x"), []byte("1"))
	write(t, filepath.Join(dir, "b!"), []byte("2"))
	write(t, filepath.Join(dir, "other", "a"), []byte("3"))
	write(t, filepath.Join(dir, "other", "b"), []byte("4"))
	s := start(t, Config{Paths: []string{filepath.Join(dir, "b!"), filepath.Join(dir, "b") + "/", filepath.Join(dir, "other", "a")}})
	if got, want := s.paths(), []string{"a", "b", "b/x", "b!"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for path, want := range map[string]string{"a": "3", "b/x": "1", "b!": "2"} {
		if got, _, err := s.send(path); string(got) != want || err != nil {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
	s = start(t, Config{Paths: []string{filepath.Join(dir, "b!"), filepath.Join(dir, "b")}, Names: []string{"a", "z"}}) // called something else
	if got, want := s.paths(), []string{"a", "z", "z/x"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for path, want := range map[string]string{"a": "2", "z/x": "1"} {
		if got, _, err := s.send(path); string(got) != want || err != nil {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
	for _, bad := range [][]string{{}, {"/"}, {filepath.Join(dir, "none")}, {filepath.Join(dir, "b"), filepath.Join(dir, "other", "b")}} {
		if s, err := New(Config{Paths: bad}); err == nil {
			t.Errorf("%q can be shared", bad)
			s.Close()
		}
	}
}

func TestPatterns(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	for _, file := range []string{"a.c", "a.o", "src/b.c", "src/b.o", "src/build/x.c", "doc/keep.o", "doc/new.o", ".git/config", "only/deep/er/z.c", "empty/none.txt"} {
		write(t, filepath.Join(dir, file), []byte("x"))
	}
	write(t, filepath.Join(dir, ".gitignore"), []byte("*.o\nbuild/\n"))
	write(t, filepath.Join(dir, "doc", ".gitignore"), []byte("!keep.o\n"))
	list := func(texts ...string) glob.List {
		l, err := glob.ParseList(texts...)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	for _, test := range []struct {
		config Config
		want   string
	}{
		{Config{GitIgnore: true}, "d d/.gitignore d/a.c d/doc d/doc/.gitignore d/doc/keep.o d/empty d/empty/none.txt d/only d/only/deep d/only/deep/er d/only/deep/er/z.c d/src d/src/b.c"},
		{Config{Only: list("*.c")}, "d d/a.c d/only d/only/deep d/only/deep/er d/only/deep/er/z.c d/src d/src/b.c d/src/build d/src/build/x.c"},
		{Config{Only: list("/d/src"), Exclude: list("*.o")}, "d d/src d/src/b.c d/src/build d/src/build/x.c"},
		{Config{Only: list("/d/none")}, ""},
		{Config{Exclude: list("only", ".git*", "doc", "*.c", "empty", "b*")}, "d d/a.o d/src"},
	} {
		test.config.Paths = []string{dir}
		if got := strings.Join(start(t, test.config).paths(), " "); got != test.want {
			t.Errorf("%q\nwant %q", got, test.want)
		}
	}
}

// A walk that is stopped keeps what it has hashed, and what was known of the rest.
func TestStopped(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	const files = 200
	for i := range files {
		write(t, filepath.Join(dir, "d", fmt.Sprintf("%03d", i)), random(100+i))
	}
	c := Config{Paths: []string{filepath.Join(dir, "d")}, Cache: cache}
	stopped := func() int {
		ctx, stop := context.WithCancel(t.Context())
		var asked atomic.Int64
		c := c
		c.Add = func([]byte, bool) error { return nil }
		c.now = func() time.Time { // which is asked for every file that is hashed
			if asked.Add(1) == 50 {
				stop()
			}
			return later()
		}
		s, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := s.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		return s.Progress().Hashed
	}
	first := stopped()
	if first < 40 || first == files {
		t.Fatalf("it was stopped after %d files", first)
	}
	for _, want := range []int{files - first, 0} {
		if got := start(t, c).Progress().Hashed; got != want {
			t.Errorf("%d files are hashed, want %d", got, want)
		}
	}
	for i := range 100 { // the others are known
		write(t, filepath.Join(dir, "d", fmt.Sprintf("%03d", i)), random(300+i))
	}
	if again := stopped(); start(t, c).Progress().Hashed != 100-again {
		t.Errorf("what is behind the %d files was forgotten", again)
	}
	if found, _ := filepath.Glob(filepath.Join(treesDir(cache), "*")); len(found) != 1 {
		t.Errorf("there are %d files of records", len(found))
	}
}
