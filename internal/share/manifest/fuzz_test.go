package manifest

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
)

// FuzzDecode: what is accepted has one encoding, whatever way it is read in. Small
// blocks put borders where no large ones would be found.
func FuzzDecode(f *testing.F) {
	for _, entries := range golden() {
		f.Add(uint16(0), encode(f, 0, entries...))
		f.Add(uint16(180), encode(f, 180, entries...))
	}
	f.Add(uint16(0), raw(folder(0, ".."), folder(1, "\xff")))
	f.Fuzz(func(t *testing.T, size uint16, manifest []byte) {
		blocks := int(size)
		if blocks < 20 {
			blocks = BlockSize
		}
		entries, err := decode(blocks, manifest)
		b := Builder{dec: Decoder{size: blocks}}
		for piece := range slices.Chunk(manifest, 7) {
			if b.Append(piece) != nil {
				break
			}
		}
		x := b.Index()
		if x.Totals().Entries != len(entries) || x.Done() && b.dec.err == nil != (err == nil) {
			t.Fatalf("%d entries, %v; in pieces %d, %v", len(entries), err, x.Totals().Entries, b.dec.err)
		}
		n := 0
		for i, e := range x.From(0) {
			n++
			if e != entries[i] {
				t.Fatalf("entry %d is %v, and from the index %v", i, entries[i], e)
			}
			if e.Path == "" || strings.ContainsRune(e.Path, 0) || slices.ContainsFunc(strings.Split(e.Path, "/"), func(s string) bool { return s == "" || s == "." || s == ".." }) {
				t.Fatalf("%q is accepted", e.Path)
			}
			if i > 0 && Compare(entries[i-1].Path, e.Path) >= 0 {
				t.Fatalf("%q stands before %q", entries[i-1].Path, e.Path)
			}
		}
		if n != len(entries) {
			t.Fatalf("%d entries, and %d from the index", len(entries), n)
		}
		var refused *Error
		if err != nil {
			if !errors.As(err, &refused) || refused.Entry != len(entries) {
				t.Fatal(err)
			}
			return
		}
		if again := encode(t, blocks, entries...); !bytes.Equal(again, manifest) {
			t.Fatalf("%x is written %x", manifest, again)
		}
	})
}

// FuzzEncode: what an Encoder takes a Decoder gives back, and what it refuses leaves
// nothing behind.
func FuzzEncode(f *testing.F) {
	f.Add([]byte("\x01\x02a\x00\x02b\x11\x03cd\x22\x01d\x03\x05efgh"))
	f.Fuzz(func(t *testing.T, data []byte) {
		const size = 256
		var manifest []byte
		e := Encoder{size: size, Emit: func(b []byte) error { manifest = append(manifest, b...); return nil }}
		var taken []Entry
		next := func() (c byte) {
			if len(data) > 0 {
				c, data = data[0], data[1:]
			}
			return c
		}
		var folder []string
		for len(data) > 0 {
			what := next()
			n := int(next()) % 16
			n = min(n, len(data))
			name := string(data[:n])
			data = data[n:]
			folder = folder[:min(len(folder), int(what>>4)&3)]
			entry := Entry{Path: strings.Join(append(slices.Clone(folder), name), "/"), Kind: Kind(what & 3), ModTime: int64(next()) << (next() & 63)}
			switch entry.Kind {
			case File:
				entry.Size, entry.Mode = int64(next())<<(next()&63), 0o600
				if entry.Root = EmptyRoot; entry.Size != 0 {
					entry.Root[0] = next()
				}
				entry.Holes = what&64 != 0
			case Symlink:
				entry.Target = name
			}
			before := slices.Clone(e.Partial())
			err := e.Add(entry)
			if err == nil {
				taken = append(taken, entry)
				if entry.Kind == Dir {
					folder = append(folder, name)
				}
			} else if !bytes.Equal(before, e.Partial()) {
				t.Fatalf("%v is refused, and something of it is there", entry)
			}
		}
		if err := e.Finish(); err != nil {
			t.Fatal(err)
		}
		if got, err := decode(size, manifest); err != nil || !slices.Equal(got, taken) {
			t.Fatalf("%v came back as %v: %v", taken, got, err)
		}
	})
}

// FuzzNames: the judges of names take anything.
func FuzzNames(f *testing.F) {
	f.Add("a/NUL.txt", "../x")
	f.Fuzz(func(t *testing.T, path, target string) {
		WindowsProblem(path)
		_ = Marks(Entry{Path: path, Kind: File}).String()
		if LinkProblem(path, target, nil) == "" && strings.HasPrefix(target, "/") {
			t.Fatalf("%q -> %q", path, target)
		}
		for fold := range FoldCase | FoldForm + 1 {
			if once := fold.Name(path); fold.Name(once) != once {
				t.Fatalf("%q folds to %q, and that to %q", path, once, fold.Name(once))
			}
		}
	})
}
