package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// encode writes a manifest in blocks of this size; 0 is the size of the format.
func encode(t testing.TB, size int, entries ...Entry) []byte {
	t.Helper()
	var all []byte
	e := Encoder{size: size, Emit: func(b []byte) error { all = append(all, b...); return nil }}
	for _, entry := range entries {
		if err := e.Add(entry); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Finish(); err != nil {
		t.Fatal(err)
	}
	return all
}

func decode(size int, manifest []byte) (all []Entry, err error) {
	for e, err := range (&Decoder{size: size}).read(manifest) {
		if err != nil {
			return all, err
		}
		all = append(all, e)
	}
	return all, nil
}

// some is a tree that has something of everything.
func some() []Entry {
	holes := file("photos/b/holes", 1<<40)
	holes.Holes = true
	early := file("photos/b/early", 1)
	early.ModTime = math.MinInt64
	late := file("photos/b/late", 0)
	late.ModTime, late.Mode = math.MaxInt64, 0
	return []Entry{
		file("a\u0308", 1), dir("photos"), dir("photos/a"), dir("photos/a/empty"), file("photos/a/empty-file", 0), file("photos/a.txt", 5), dir("photos/b"),
		early, holes, late, link("photos/b/link", "../a.txt"), link("photos/b/link to bytes", "\xff"), dir("photos/bb"), file("photos/\xe4\xff", 7),
		file("plain", math.MaxInt64-1<<41), file("\u00e4", 1), file("\xff", 1),
	}
}

// tree is n entries with paths of about 55 bytes.
func tree(n int) []Entry {
	r := rand.New(rand.NewPCG(1, 2))
	var all []Entry
	folder := ""
	for i := 0; len(all) < n; i++ {
		if i%100 == 0 {
			if i%5000 == 0 {
				all = append(all, dir(fmt.Sprintf("collection-%03d", i/5000)))
			}
			folder = fmt.Sprintf("collection-%03d/a-project-of-%03d-from-the-north", i/5000, i/100%50)
			all = append(all, dir(folder))
		}
		f := file(fmt.Sprintf("%s/%02d-%04x.jpg", folder, i%100, r.Uint32()&0xffff), r.Int64N(1<<22)+1)
		f.ModTime += r.Int64N(1e9 * 3600)
		all = append(all, f)
	}
	return all[:n]
}

func TestRoundTrip(t *testing.T) {
	for name, entries := range map[string][]Entry{"nothing": nil, "some": some(), "a tree": tree(12_000)} {
		manifest := encode(t, 0, entries...)
		got, err := decode(0, manifest)
		if err != nil || !slices.Equal(got, entries) {
			t.Errorf("%s comes back as %d entries: %v", name, len(got), err)
		}
		if again := encode(t, 0, got...); !bytes.Equal(again, manifest) {
			t.Errorf("%s is written in two ways", name)
		}
	}
}

// Every size of blocks puts the borders somewhere else.
func TestBordersAnywhere(t *testing.T) {
	entries := append(some(), tree(50)...)
	slices.SortFunc(entries, func(a, b Entry) int { return Compare(a.Path, b.Path) })
	for size := 160; size < 600; size++ {
		manifest := encode(t, size, entries...)
		got, err := decode(size, manifest)
		if err != nil || !slices.Equal(got, entries) {
			t.Fatalf("blocks of %d: %d entries, %v", size, len(got), err)
		}
		var single []Entry
		for i := range slices.Collect(slices.Chunk(manifest, size)) {
			for e, err := range alone(i, size).Block(manifest[i*size : min(len(manifest), (i+1)*size)]) {
				if err != nil {
					t.Fatalf("blocks of %d, block %d alone: %v", size, i, err)
				}
				single = append(single, e)
			}
		}
		if !slices.Equal(single, entries) {
			t.Fatalf("blocks of %d: alone they have %d entries", size, len(single))
		}
	}
}

// What is accepted is written in this way and no other, whatever somebody changes.
func TestOneEncoding(t *testing.T) {
	const size = 200
	manifest := encode(t, size, some()...)
	for i := range manifest {
		for _, change := range []byte{1, 2, 4, 8, 16, 32, 64, 128, 255} {
			other := bytes.Clone(manifest)
			other[i] ^= change
			if got, err := decode(size, other); err == nil && !bytes.Equal(encode(t, size, got...), other) {
				t.Fatalf("byte %d as %#x is accepted, and written in another way", i, other[i])
			}
		}
		if _, err := decode(size, manifest[:i]); !errors.Is(err, RuleCut) {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
	if _, err := decode(size, append(manifest, 0)); !errors.Is(err, RuleAfter) {
		t.Errorf("a byte behind the end: %v", err)
	}
}

func TestNamesAreKeptAsTheyAre(t *testing.T) {
	names := []string{"Zoe\u0308", "Zo\u00eb", "A", "a", "İ", "ß", "ss", "日本", "\u202e", "a\\b", "C:\\x", "x ", "x.", "NUL.txt", " ", "a\nb", "Icon\r", "\xff\xfe"}
	slices.Sort(names)
	var entries []Entry
	for _, name := range names {
		entries = append(entries, file(name, 1))
	}
	manifest := encode(t, 0, entries...)
	got, err := decode(0, manifest)
	if err != nil || !slices.Equal(got, entries) {
		t.Errorf("%v, %v", got, err)
	}
	flagged := 0
	for i, e := range entries {
		p := place{}
		it, _ := p.item(&e)
		if it.raw {
			flagged++
		}
		if it.raw != (e.Path == "\xff\xfe") {
			t.Errorf("entry %d, %q: raw is %v", i, e.Path, it.raw)
		}
	}
	if flagged != 1 {
		t.Errorf("%d are flagged", flagged)
	}
}

func TestCompareIsTheOrder(t *testing.T) {
	paths := []string{"a", "a/\x01", "a/b", "a/b/c", "a/b-", "a\x01", "a-", "a.", "a0", "b"}
	for i, a := range paths {
		for j, b := range paths {
			if c := Compare(a, b); c < 0 != (i < j) || c > 0 != (i > j) {
				t.Errorf("Compare(%q, %q) = %d", a, b, c)
			}
		}
	}
	var entries []Entry
	for _, p := range paths {
		entries = append(entries, dir(p))
	}
	encode(t, 0, entries...)
}

func TestPartial(t *testing.T) {
	const size = 300
	entries := some()
	var closed []byte
	e := Encoder{size: size, Emit: func(b []byte) error { closed = append(closed, b...); return nil }}
	blocks := Decoder{size: size} // reads every block as it grows
	var fromBlocks []Entry
	read := func(block []byte) {
		for entry, err := range blocks.Block(block) {
			if err != nil {
				t.Fatal(err)
			}
			fromBlocks = append(fromBlocks, entry)
		}
	}
	for i, entry := range entries {
		before := len(closed)
		if err := e.Add(entry); err != nil {
			t.Fatal(err)
		}
		if len(closed) > before {
			read(closed[before:])
		}
		read(e.Partial())
		prefix := slices.Concat(closed, e.Partial())
		got, err := decode(size, prefix)
		if !errors.Is(err, RuleCut) || !slices.Equal(got, entries[:i+1]) {
			t.Fatalf("after %d entries there are %d: %v", i+1, len(got), err)
		}
		if !bytes.HasPrefix(encode(t, size, entries...), prefix) {
			t.Fatalf("after %d entries it is no part of the whole", i+1)
		}
	}
	before := len(closed)
	if err := e.Finish(); err != nil {
		t.Fatal(err)
	}
	read(closed[before:])
	if !blocks.Done() || !slices.Equal(fromBlocks, entries) || blocks.Totals() != e.Totals() {
		t.Errorf("read as they grow, there are %d entries, %v", len(fromBlocks), blocks.err)
	}
	if err := e.Add(dir("zzz")); !errors.Is(err, ErrFinished) {
		t.Errorf("after the end: %v", err)
	}
}

func TestEmitFails(t *testing.T) {
	full := errors.New("the disk is full")
	e := Encoder{Emit: func([]byte) error { return full }}
	for _, entry := range tree(6_000) {
		if err := e.Add(entry); err != nil {
			break
		}
	}
	if err := e.Finish(); !errors.Is(err, full) {
		t.Error(err)
	}
	if err := e.Add(dir("x")); !errors.Is(err, full) {
		t.Error(err)
	}
}
