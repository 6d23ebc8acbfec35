package stage

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/share"
	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/tree"
)

const group = tree.Group

// A source is a share in memory, of which any groups can be had.
type source struct {
	t       *testing.T
	data    map[int][]byte
	nodes   map[int]*tree.NodeMap
	entries []manifest.Entry
	blocks  [][]byte
	index   manifest.Index
	groups  int64
}

// when is the time that everything has, so that nothing is as it was made by accident.
const when = 1_600_000_000_123_456_000

// of makes a share of these entries; files have sizes and get data.
func of(t *testing.T, entries ...manifest.Entry) *source {
	t.Helper()
	src := &source{t: t, data: map[int][]byte{}, nodes: map[int]*tree.NodeMap{}}
	random := rand.NewChaCha8([32]byte{byte(len(entries))})
	enc := manifest.Encoder{Emit: func(block []byte) error {
		src.blocks = append(src.blocks, bytes.Clone(block))
		return nil
	}}
	for n, e := range entries {
		if e.ModTime == 0 {
			e.ModTime = when + int64(n)*1e9
		}
		if e.Kind == manifest.File {
			p := make([]byte, e.Size)
			random.Read(p)      //nolint:errcheck // it does not fail
			if e.Target != "" { // twice says so
				copy(p, src.data[slices.IndexFunc(src.entries, func(o entry) bool { return o.Path == e.Target })])
				e.Target = ""
			}
			if e.Holes {
				clear(p[:len(p)*3/4])
			}
			src.put(n, &e, p)
		}
		if err := enc.Add(e); err != nil {
			t.Fatal(err)
		}
		src.entries = append(src.entries, e)
		src.groups += tree.Shape(e.Size).Groups()
	}
	if err := enc.Finish(); err != nil {
		t.Fatal(err)
	}
	var b manifest.Builder
	for _, block := range src.blocks {
		if err := b.Append(block); err != nil {
			t.Fatal(err)
		}
	}
	src.index = b.Index()
	return src
}

func (src *source) put(n int, e *manifest.Entry, p []byte) {
	src.data[n], src.nodes[n] = p, new(tree.NodeMap)
	root, err := tree.HashAt(bytes.NewReader(p), tree.Shape(len(p)), src.nodes[n], 1)
	if err != nil {
		src.t.Fatal(err)
	}
	e.Root = root
}

func fileOf(path string, size int64) manifest.Entry {
	return manifest.Entry{Path: path, Kind: manifest.File, Mode: 0o644, Size: size}
}

// twice is a file that is the same as that of an earlier entry.
func twice(path, of string, size int64) manifest.Entry {
	e := fileOf(path, size)
	e.Target = of
	return e
}

func dirOf(path string) manifest.Entry {
	return manifest.Entry{Path: path, Kind: manifest.Dir, Mode: 0o755}
}

func linkOf(path, target string) manifest.Entry {
	return manifest.Entry{Path: path, Kind: manifest.Symlink, Target: target}
}

// photos has something of everything.
func photos(t *testing.T) *source {
	holes := fileOf("photos/holes", 4*group)
	holes.Holes = true
	tool := fileOf("photos/sub/tool", 10)
	tool.Mode = 0o755
	secret := fileOf("photos/sub/secret", group)
	secret.Mode = 0o400
	return of(t, dirOf("photos"), fileOf("photos/a", 3*group+5), dirOf("photos/closed"), fileOf("photos/empty", 0), holes,
		linkOf("photos/link", "sub/tool"), dirOf("photos/sub"), dirOf("photos/sub/deep"), fileOf("photos/sub/deep/b", 100), secret, tool)
}

// fetch writes groups that are missing, at most so many, and tells how many.
func (src *source) fetch(s *Stage, most int64) (done int64, err error) {
	have := set{} // or need not be fetched
	s.Have(func(r tree.Run) { have.putRun(r, true) })
	note := func(r tree.Run) { have.putRun(r, true) }
	err = s.Learn(src.index, note, note)
	if err == nil {
		err = s.Keep(src.head(src.index))
	}
	if err != nil {
		return 0, err
	}
	first := int64(0)
	for n, e := range src.entries {
		groups := tree.Shape(e.Size).Groups()
		for g := range groups {
			if have.has(first+g) || done == most || s.Want != nil && !s.Want(e) {
				continue
			}
			if err := src.give(s, n, g); err != nil {
				return done, err
			}
			done++
			s.Got(tree.Run{From: first + g, To: first + g + 1})
		}
		first += groups
	}
	return done, nil
}

// head is that of a manifest, or of a beginning.
func (src *source) head(x manifest.Index) share.Head {
	p := make([]byte, x.Size())
	x.ReadAt(p, 0) //nolint:errcheck // it is there
	return share.Head{Final: x.Done(), Size: x.Size(), Hash: tree.Sum(p), Sig: [64]byte{1}}
}

// beginning has a stage know the first bytes of the manifest.
func (src *source) beginning(s *Stage, size int) error {
	var b manifest.Builder
	if err := b.Append(joined(src.blocks)[:size]); err != nil {
		return err
	}
	if err := s.Learn(b.Index(), nil, nil); err != nil {
		return err
	}
	return s.Keep(src.head(b.Index()))
}

// give writes one group, with the nodes that lead to it, as who verifies it does.
func (src *source) give(s *Stage, n int, g int64) error {
	e := src.entries[n]
	b, err := s.Open(n, e)
	if err != nil {
		return err
	}
	defer b.Close()
	shape := tree.Shape(e.Size)
	var proof bytes.Buffer
	run := tree.Run{From: g, To: g + 1}
	if err := new(tree.Encoder).Encode(&proof, tree.File{Shape: shape, Root: e.Root, Nodes: src.nodes[n]}, bytes.NewReader(src.data[n]), run, 0); err != nil {
		return err
	}
	var v tree.Verifier
	err = v.Start(tree.File{Shape: shape, Root: e.Root, Nodes: b.Nodes()}, run, 0, func(g int64, p []byte) error {
		_, err := b.WriteAt(p, g*group)
		return err
	})
	if err == nil {
		err = v.ReadProof(&proof)
	}
	return err
}

// all fetches what is missing, finishes and closes.
func (src *source) all(s *Stage) error {
	if _, err := src.fetch(s, -1); err != nil {
		return err
	}
	return end(s)
}

// end gives everything its final name and removes the stage.
func end(s *Stage) error {
	if err := s.Finish(); err != nil {
		return err
	}
	return s.Close()
}

// staged checks that what a stage says that it has is right.
func (src *source) staged(s *Stage) {
	src.t.Helper()
	if h, r, ok := s.Head(); ok {
		p, err := io.ReadAll(r)
		if err != nil || int64(len(p)) != h.Size || h.Hash != tree.Sum(p) || h.Sig == [64]byte{} || h.Final != (h.Size == src.index.Size()) {
			src.t.Errorf("the head is about %d bytes, of which %d are there: %v", h.Size, len(p), err)
		}
	}
	have := set{}
	s.Have(func(r tree.Run) { have.putRun(r, true) })
	if s.state != fetching {
		return // files have been moved, and final judges them
	}
	first := int64(0)
	for n, e := range src.entries {
		groups := tree.Shape(e.Size).Groups()
		for g := range groups {
			if !have.has(first+g) || s.Want != nil && !s.Want(e) {
				continue
			}
			b, err := s.Open(n, e)
			if err != nil {
				src.t.Errorf("group %d of %s is said to be there: %v", g, e.Path, err)
				continue
			}
			p := make([]byte, tree.Shape(e.Size).GroupSize(g))
			got, err := b.ReadAt(p, g*group)
			if e.Holes {
				err = nil // its end may not be written
			}
			want := src.data[n][g*group:][:len(p)]
			if err != nil && got < len(p) || !bytes.Equal(p, want) {
				src.t.Errorf("group %d of %s is said to be there, and is not what was written: %v", g, e.Path, err)
			}
			b.Close()
		}
		first += groups
	}
}

// final checks that what has a final name is what was shared; and, with all, that everything has.
func (src *source) final(target string, all bool) {
	src.t.Helper()
	for n, e := range src.entries {
		name := filepath.Join(target, e.Path)
		fi, err := os.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) && !all {
			continue
		}
		if err != nil {
			src.t.Error(err)
			continue
		}
		switch e.Kind {
		case manifest.Symlink:
			if to, err := os.Readlink(name); err != nil || to != e.Target {
				src.t.Errorf("%s leads to %q, %v", e.Path, to, err)
			}
			continue
		case manifest.Dir:
			if !all {
				continue
			}
		case manifest.File:
			if p, err := os.ReadFile(name); err != nil || !bytes.Equal(p, src.data[n]) {
				src.t.Errorf("%s has its name and %d bytes that are not right: %v", e.Path, len(p), err)
			}
		}
		if fi.Mode().Perm() != e.Mode&^umask || fi.Mode()&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky) != 0 {
			src.t.Errorf("%s has the mode %v, and not %v", e.Path, fi.Mode(), e.Mode)
		}
		if !fi.ModTime().Equal(time.Unix(0, e.ModTime)) {
			src.t.Errorf("%s has the time %v", e.Path, fi.ModTime())
		}
	}
	if entries, err := filepath.Glob(filepath.Join(target, prefix+"*")); all && len(entries)+len(fmt.Sprint(err)) > len("<nil>") {
		src.t.Errorf("%v is left, %v", entries, err)
	}
}

// umask is what new files do not get where the tests run.
var umask = func() fs.FileMode {
	name := filepath.Join(os.TempDir(), fmt.Sprint("umask", os.Getpid()))
	defer os.Remove(name)
	if err := os.Mkdir(name, 0o777); err != nil {
		panic(err)
	}
	fi, err := os.Stat(name)
	if err != nil {
		panic(err)
	}
	return 0o777 &^ fi.Mode().Perm()
}()

var id = share.ID{1, 2, 3}

// at opens a stage that is closed when the test ends.
func at(t *testing.T, target string, change func(*Config)) (*Stage, error) {
	t.Helper()
	c := Config{Target: target, ID: id}
	if change != nil {
		change(&c)
	}
	s, err := open(c, dry, false)
	if err == nil {
		t.Cleanup(func() { s.Close() })
	}
	return s, err
}

// dry leaves the syncs out, which take long on a busy disk.
func dry(st step) (bool, error) { return strings.HasPrefix(st.op, "sync"), nil }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type entry = manifest.Entry

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("the error is %v, and not %v", err, want)
	}
}

// indexOf returns the manifest of one entry, whatever it says.
func indexOf(t *testing.T, e manifest.Entry) manifest.Index {
	t.Helper()
	var b manifest.Builder
	enc := manifest.Encoder{Emit: b.Append}
	must(t, enc.Add(e))
	must(t, enc.Finish())
	return b.Index()
}

func set1(g int64) tree.Run { return tree.Run{From: g, To: g + 1} }
