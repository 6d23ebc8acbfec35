package manifest

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// build appends a manifest in pieces of n bytes.
func build(t testing.TB, size int, manifest []byte, n int) *Builder {
	t.Helper()
	b := &Builder{dec: Decoder{size: size}}
	for piece := range slices.Chunk(manifest, n) {
		if err := b.Append(piece); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func TestIndex(t *testing.T) {
	for _, size := range []int{200, 0} {
		entries, pieces := some(), []int{1, 7, 199, 200, 201}
		if size == 0 {
			entries, pieces = tree(11_000), []int{4096, BlockSize, BlockSize + 1}
		}
		manifest := encode(t, size, entries...)
		for _, n := range append(pieces, len(manifest)) {
			x := build(t, size, manifest, n).Index()
			if !x.Done() || x.Totals().Entries != len(entries) || x.Size() != int64(len(manifest)) {
				t.Fatalf("in pieces of %d: %v, %d bytes, done: %v", n, x.Totals(), x.Size(), x.Done())
			}
			if back, err := io.ReadAll(io.NewSectionReader(x, 0, x.Size())); err != nil || !bytes.Equal(back, manifest) {
				t.Errorf("in pieces of %d: other bytes come back, %v", n, err)
			}
			for i := 0; i < len(entries); i += 1 + len(entries)/50 {
				if e, ok := x.Entry(i); !ok || e != entries[i] {
					t.Fatalf("entry %d is %v", i, e)
				}
				if k, e, ok := x.Find(entries[i].Path); !ok || k != i || e != entries[i] {
					t.Fatalf("%q is found at %d, not at %d", entries[i].Path, k, i)
				}
				if k, e, ok := x.Find(entries[i].Path + "\x01"); ok {
					t.Fatalf("what is not there is found at %d: %v", k, e)
				}
			}
			k := len(entries) - 5
			for i, e := range x.From(k) {
				if i != k || e != entries[i] {
					t.Fatalf("entry %d is given as %d: %v", k, i, e)
				}
				k++
			}
			if k != len(entries) {
				t.Errorf("the last entry is %d", k-1)
			}
			for _, path := range []string{"", "\x00", "\xff\xff", "photos/", "/"} {
				if k, _, ok := x.Find(path); ok {
					t.Errorf("%q is found at %d", path, k)
				}
			}
			for _, n := range []int{-1, len(entries), 1 << 30} {
				if e, ok := x.Entry(n); ok {
					t.Errorf("entry %d is %v", n, e)
				}
			}
		}
	}
}

// An entry may have a path of any length, however few there are.
func TestIndexOfLongPaths(t *testing.T) {
	var entries []Entry
	for path := strings.Repeat("x", MaxName); len(path) <= MaxPath; path += "/" + strings.Repeat("x", MaxName) {
		entries = append(entries, dir(path))
	}
	x := build(t, 0, encode(t, 0, entries...), 100).Index()
	for i, want := range entries {
		if e, ok := x.Entry(i); !ok || e != want {
			t.Errorf("entry %d: %v", i, ok)
		}
		if n, _, ok := x.Find(want.Path); !ok || n != i {
			t.Errorf("entry %d is found at %d", i, n)
		}
	}
}

func TestIndexOfNothing(t *testing.T) {
	for name, x := range map[string]Index{
		"zero": {}, "no bytes": (&Builder{}).Index(), "no entries": build(t, 0, encode(t, 0), 5).Index(), "cut": build(t, 0, []byte(magic), 5).Index(),
	} {
		if _, _, ok := x.Find("a"); ok || x.Totals() != (Totals{}) || x.Done() != (name == "no entries") {
			t.Errorf("%s: %v, %v, done: %v", name, ok, x.Totals(), x.Done())
		}
		if _, ok := x.Entry(0); ok {
			t.Errorf("%s: there is an entry", name)
		}
		if n, err := x.ReadAt(make([]byte, 1000), 0); int64(n) != x.Size() || err != io.EOF {
			t.Errorf("%s: %d bytes, %v", name, n, err)
		}
		if _, err := x.ReadAt(nil, -1); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if found := x.Collisions(FoldCase, 1, nil); found != nil {
			t.Errorf("%s: %v", name, found)
		}
	}
}

// Readers have an Index of what was there, while more comes.
func TestIndexWhileItGrows(t *testing.T) {
	const size = 200
	entries := some()
	manifest := encode(t, size, entries...)
	b := &Builder{dec: Decoder{size: size}}
	indexes, over := make(chan Index, len(manifest)), make(chan int)
	go func() {
		n := 0
		for x := range indexes {
			n = 0
			for i, e := range x.From(0) {
				if i != n || e != entries[i] {
					t.Errorf("entry %d is %v", i, e)
				}
				n++
			}
			if n != x.Totals().Entries {
				t.Errorf("%d entries of %d", n, x.Totals().Entries)
			}
		}
		over <- n
	}()
	for i := range manifest {
		if err := b.Append(manifest[i : i+1]); err != nil {
			t.Fatal(err)
		}
		indexes <- b.Index()
	}
	close(indexes)
	if n := <-over; n != len(entries) {
		t.Errorf("%d entries", n)
	}
}

func TestBuilderFails(t *testing.T) {
	manifest := encode(t, 0, some()...)
	b := &Builder{}
	for range 2 {
		if err := b.Append(append(bytes.Clone(manifest), 0)); !errors.Is(err, RuleAfter) {
			t.Error(err)
		}
	}
	broken := bytes.Clone(manifest)
	broken[bytes.Index(broken, []byte("lain"))] = '/' // of "plain"
	b = &Builder{}
	if err := b.Append(broken); err == nil {
		t.Error("something broken is taken")
	}
	n := 0
	for i, e := range b.Index().From(0) {
		if i != n || e != some()[i] {
			t.Errorf("entry %d is %v", i, e)
		}
		n++
	}
	if n == 0 || n != b.Index().Totals().Entries {
		t.Errorf("%d entries are right, and %d are there", b.Index().Totals().Entries, n)
	}
}

// What an Index needs is little more than the bytes.
func TestIndexMemory(t *testing.T) {
	const n = 50_000
	bytesEach, pathsEach := indexMemory(t, n)
	if bytesEach > 60 || pathsEach < 50 {
		t.Errorf("an entry takes %.1f bytes of memory, with paths of %.1f bytes", bytesEach, pathsEach)
	}
}

func indexMemory(t testing.TB, n int) (bytesEach, pathsEach float64) {
	entries := tree(n)
	paths := 0
	for _, e := range entries {
		paths += len(e.Path)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	b := &Builder{}
	e := Encoder{Emit: b.Append}
	for _, entry := range entries {
		if err := e.Add(entry); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Finish(); err != nil {
		t.Fatal(err)
	}
	x := b.Index()
	b, e = nil, Encoder{}
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(entries)
	if x.Totals().Entries != n {
		t.Fatalf("%d entries", x.Totals().Entries)
	}
	return float64(after.HeapAlloc-before.HeapAlloc) / float64(n), float64(paths) / float64(n)
}

func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		each, _ := indexMemory(b, 1_000_000)
		b.ReportMetric(each, "B/entry")
		b.ReportMetric(each*1e6/(1<<20), "MiB/million")
	}
}

// perEntry reports times an entry: a million entries take as many ms as one takes ns.
func perEntry(b *testing.B, n int, f func()) {
	b.ReportAllocs()
	for b.Loop() {
		f()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/entry")
}

func BenchmarkEncode(b *testing.B) {
	entries := tree(100_000)
	perEntry(b, len(entries), func() {
		e := Encoder{Emit: func([]byte) error { return nil }}
		for _, entry := range entries {
			if err := e.Add(entry); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	manifest := encode(b, 0, tree(100_000)...)
	perEntry(b, 100_000, func() {
		for _, err := range Read(manifest) {
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkBuild(b *testing.B) {
	manifest := encode(b, 0, tree(100_000)...)
	perEntry(b, 100_000, func() { build(b, 0, manifest, 64<<10) })
}

func BenchmarkCollisions(b *testing.B) {
	x := build(b, 0, encode(b, 0, tree(100_000)...), 64<<10).Index()
	perEntry(b, 100_000, func() {
		if len(x.Collisions(FoldCase|FoldForm, 100, nil)) != 0 {
			b.Fatal("there are none")
		}
	})
}

func BenchmarkFind(b *testing.B) {
	entries := tree(100_000)
	x := build(b, 0, encode(b, 0, entries...), 64<<10).Index()
	perEntry(b, 1, func() {
		if n, _, ok := x.Find(entries[77_777].Path); !ok || n != 77_777 {
			b.Fatal(n)
		}
	})
}
