package manifest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"runtime"
	"strings"
	"testing"
)

// raw writes a manifest of one block without looking at what is in it.
func raw(items ...item) []byte {
	b := appendHeader(nil, 0, nil)
	totals, before := Totals{}, int64(0)
	for _, it := range items {
		b = it.append(b, before)
		before = it.mtime
		totals.Entries++
		if it.kind == File {
			totals.Files++
			totals.Bytes += it.size
		}
	}
	return appendFooter(b, totals)
}

func folder(depth int, name string) item { return item{kind: Dir, depth: depth, suffix: []byte(name)} }

// refused checks that an entry is the first that breaks a rule, and returns the error.
func refused(t *testing.T, manifest []byte, want Rule, entry int) *Error {
	t.Helper()
	got, err := decode(0, manifest)
	var e *Error
	switch {
	case want == "":
		if err != nil {
			t.Errorf("%v, but it is allowed", err)
		}
	case !errors.Is(err, want) || !errors.As(err, &e) || e.Entry != entry || len(got) != entry:
		t.Errorf("%v after %d entries, want %q at %d", err, len(got), want, entry)
	}
	return e
}

// add checks that an Encoder refuses an entry by a rule, and goes on without it.
func add(t *testing.T, want Rule, before []Entry, e Entry) {
	t.Helper()
	enc := Encoder{}
	for _, b := range before {
		if err := enc.Add(b); err != nil {
			t.Fatal(err)
		}
	}
	length := len(enc.Partial())
	if err := enc.Add(e); want == "" && err != nil || want != "" && !errors.Is(err, want) {
		t.Errorf("%.80q: %v, want %q", e.Path, err, want)
	} else if err != nil && (len(enc.Partial()) != length || enc.Totals().Entries != len(before)) {
		t.Errorf("%.80q is refused, and something of it is there", e.Path)
	}
}

// What somebody hostile may put into a manifest. The numbers are those of the list of
// hostile inputs to a share, of which others are about files, peers and the web.
func TestHostile(t *testing.T) {
	t.Run("1 names", func(t *testing.T) {
		for name, want := range map[string]Rule{
			"..": RuleDots, ".": RuleDots, "": RuleDots, "a/b": RuleChar, "../x": RuleChar, "/abs": RuleChar, "a/../../b": RuleChar, "/": RuleChar,
			"a\x00": RuleChar, "\x00": RuleChar, strings.Repeat("n", 256): RuleName, strings.Repeat("n", 255): "",
			"...": "", "..x": "", `C:\x`: "", `\\srv\s`: "", `a\b`: "", "Icon\r": "",
		} {
			refused(t, raw(folder(0, "-"), folder(0, name)), want, 1)
		}
		for path, want := range map[string]Rule{
			"..": RuleDots, ".": RuleDots, "": RuleDots, "a/../../b": RuleDots, "/abs": RuleDots, "x/": RuleDots, "x//y": RuleDots, "x/..": RuleDots, "x/./y": RuleDots,
			"x/\x00": RuleChar, strings.Repeat("n", 256): RuleName, "x/" + strings.Repeat("n", 256): RuleName, "y/a": RuleParent, "x/y/z": RuleParent, "xx/a": RuleParent,
			strings.Repeat("p/", 2500) + "p": RulePath, strings.Repeat("d/", 200) + "d": RuleDepth, `C:\x`: RuleOrder, "x/a": "",
		} {
			add(t, want, []Entry{dir("x")}, file(path, 1))
		}
		for _, name := range []string{`C:\x`, `\\srv\s`, `a\b`} {
			if WindowsProblem(name) == "" {
				t.Errorf("%s is no problem", name)
			}
		}
		var deep, long []item
		for i := range 200 {
			deep = append(deep, folder(i, "d"))
			if i < 20 {
				long = append(long, folder(i, strings.Repeat("l", 250)))
			}
		}
		refused(t, raw(deep...), RuleDepth, 128)
		refused(t, raw(append(long[:16:16], folder(16, strings.Repeat("m", 80)))...), "", 0)
		refused(t, raw(append(long[:16:16], folder(16, strings.Repeat("m", 81)))...), RulePath, 16)
		if e := refused(t, raw(long...), RulePath, 16); e != nil && len(e.Name) > 2*shownName {
			t.Errorf("the name has %d bytes", len(e.Name))
		}
	})
	t.Run("3 one name twice", func(t *testing.T) {
		refused(t, raw(folder(0, "x"), item{kind: File, shared: 1, root: EmptyRoot}), RuleOrder, 1)
		add(t, RuleOrder, []Entry{dir("x")}, file("x", 1))
		add(t, RuleOrder, []Entry{dir("x"), file("x/a", 1)}, file("x", 1))
	})
	t.Run("4 names of Windows", func(t *testing.T) {
		for _, name := range []string{"CON", "NUL.txt", "COM1", "x.", "x ", "a:b"} {
			refused(t, raw(folder(0, name)), "", 0)
			if WindowsProblem(name) == "" {
				t.Errorf("%q is no problem", name)
			}
		}
	})
	t.Run("5 modes and kinds", func(t *testing.T) {
		for _, mode := range []uint16{0o4755, 0o2755, 0o1777, 0x8000} {
			refused(t, raw(item{kind: File, suffix: []byte("x"), mode: mode}), RuleMode, 0)
		}
		for _, mode := range []fs.FileMode{fs.ModeSetuid | 0o755, fs.ModeSetgid | 0o755, fs.ModeSticky | 0o777, fs.ModeDir, fs.ModeDevice, 0o4755} {
			add(t, RuleMode, nil, Entry{Path: "x", Kind: Dir, Mode: mode})
		}
		for kind := range Kind(16) {
			if kind > Symlink && kind != Kind(footerMark) {
				refused(t, raw(item{kind: kind, suffix: []byte("x")}), RuleKind, 0)
			}
		}
		for _, flags := range []byte{0x40, 0x80} {
			b := raw(folder(0, "x"))
			b[len(magic)+2] |= flags
			refused(t, b, RuleKind, 0)
		}
		refused(t, raw(item{kind: Dir, suffix: []byte("x"), holes: true}), RuleKind, 0)
		refused(t, raw(item{kind: File, suffix: []byte("x"), holes: true}), RuleKind, 0)
		refused(t, raw(item{kind: Dir, suffix: []byte("x"), raw: true}), RuleRaw, 0)
		refused(t, raw(item{kind: Dir, suffix: []byte("\xff")}), RuleRaw, 0)
		refused(t, raw(folder(0, "x"), item{kind: File, suffix: []byte("y"), size: 1}, folder(1, "z")), RuleParent, 2)
		for _, target := range []string{"", "a\x00", strings.Repeat("t", MaxPath+1)} {
			refused(t, raw(item{kind: Symlink, suffix: []byte("x"), target: []byte(target)}), RuleTarget, 0)
			add(t, RuleTarget, nil, link("x", target))
		}
		for _, e := range []Entry{{Path: "x"}, {Path: "x", Kind: 4}, {Path: "x", Kind: Dir, Size: 1}, {Path: "x", Kind: Dir, Root: EmptyRoot},
			{Path: "x", Kind: File, Root: EmptyRoot, Target: "x"}, {Path: "x", Kind: Symlink, Target: "x", Mode: 0o777}, {Path: "x", Kind: Dir, Holes: true}} {
			add(t, RuleKind, nil, e)
		}
	})
	t.Run("6 control characters", func(t *testing.T) {
		name := "a\x1b[2J\r\n\a\u202e\u009b\x9b"
		if e := refused(t, raw(folder(0, name), folder(0, name)), RuleRaw, 0); e != nil && e.Name != `a\x1b[2J\r\n\x07\u202e\u009b\x9b` {
			t.Errorf("the name is shown as %q", e.Name)
		}
		e := (&Encoder{}).Add(dir(name + "/x"))
		if e == nil || strings.ContainsAny(e.Error(), "\x1b\r\n\a") {
			t.Errorf("%q", e)
		}
	})
	t.Run("7 bombs", func(t *testing.T) {
		b := appendHeader(nil, 0, nil)
		b = binary.AppendUvarint(append(b, footerMark), 1<<40)
		refused(t, append(b, 0, 0), RuleFooter, 0)
		refused(t, raw(folder(0, "b"), folder(0, "a")), RuleOrder, 1)
		refused(t, raw(folder(0, "a"), item{kind: Dir, shared: 1}), RuleOrder, 1)
		refused(t, raw(folder(0, "abc"), folder(0, "abd")), RulePrefix, 1)
		refused(t, raw(folder(0, "abc"), item{kind: Dir, shared: 4, suffix: []byte("d")}), RulePrefix, 1)
		refused(t, raw(folder(0, "a"), folder(2, "b")), RuleParent, 1)
		refused(t, append(appendHeader(nil, 0, nil), byte(Dir), 0x80, 0, 0, 1, 'x', 0, 0, footerMark, 1, 0, 0), RuleVarint, 0)
		refused(t, append(append(appendHeader(nil, 0, nil), byte(Dir)), "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"...), RuleVarint, 0)
		refused(t, append(appendHeader(nil, 0, nil), byte(Dir), 0, 0, 0xff, 0xff, 0x7f, 'x'), RuleName, 0)

		enc := Encoder{MaxEntries: 2}
		dec := Decoder{MaxEntries: 2}
		for i, e := range []Entry{dir("a"), dir("b"), dir("c")} {
			if err := enc.Add(e); (i == 2) != errors.Is(err, RuleCount) {
				t.Errorf("entry %d: %v", i, err)
			}
		}
		n, err := 0, error(nil)
		for _, err = range dec.read(raw(folder(0, "a"), folder(0, "b"), folder(0, "c"))) {
			n++
		}
		if n != 3 || !errors.Is(err, RuleCount) {
			t.Errorf("%d, %v", n, err)
		}

		var before, after runtime.MemStats
		huge := make([]byte, 4<<20)
		copy(huge, raw(folder(0, "a")))
		runtime.ReadMemStats(&before)
		for range OneBlock(0, huge) {
			n++
		}
		for range new(Decoder).Block(huge) {
			n++
		}
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; n != 5 || got > 1<<20 {
			t.Errorf("a block of 4 MiB has %d entries and takes %d bytes", n-3, got)
		}
	})
	t.Run("7 paths that expand", func(t *testing.T) {
		var items []item
		for i := range 16 {
			items = append(items, folder(i, strings.Repeat("l", 250)))
		}
		items = append(items, folder(16, "aaaa"))
		for i := 1; i < 20_000; i++ {
			var now, last [4]byte
			for k := range 4 {
				now[3-k], last[3-k] = 'a'+byte(i>>(4*k)&15), 'a'+byte((i-1)>>(4*k)&15)
			}
			shared := 0
			for now[shared] == last[shared] {
				shared++
			}
			items = append(items, item{kind: Dir, depth: 16, shared: shared, suffix: now[shared:]})
		}
		bomb := raw(items...)
		if len(bomb) > BlockSize {
			t.Fatalf("%d bytes are no block", len(bomb))
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		b := Builder{}
		err := b.Append(bomb)
		b.Index().Find("z") // reads all of it
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; err != nil || b.Index().Totals().Entries != len(items) || got > 2<<20 {
			t.Errorf("%d entries with paths of 4,000 bytes take %d bytes: %v", b.Index().Totals().Entries, got, err)
		}
		n := 0
		for range OneBlock(0, bomb) {
			n++
		}
		if _, ok := b.Index().Entry(len(items) - 1); !ok || n != len(items) {
			t.Errorf("alone, the block has %d entries, and the last one is there: %v", n, ok)
		}
		b = Builder{MaxEntries: len(items)}
		if err := b.Append(bomb); !errors.Is(err, RulePaths) || b.Index().Totals().Entries > len(items)/8 {
			t.Errorf("%d entries, %v", b.Index().Totals().Entries, err)
		}
	})
	t.Run("8 sizes", func(t *testing.T) {
		big := func(name string, size int64) item { return item{kind: File, suffix: []byte(name), size: size} }
		refused(t, raw(big("a", math.MaxInt64)), "", 0)
		refused(t, raw(big("a", -1)), RuleSize, 0) // 2^64-1 as it is written
		refused(t, raw(big("a", math.MinInt64)), RuleSize, 0)
		refused(t, raw(big("a", math.MaxInt64), big("b", 1)), RuleSum, 1)
		add(t, RuleSize, nil, file("a", -1))
		add(t, RuleSum, []Entry{file("a", math.MaxInt64)}, file("b", 1))
		add(t, RuleRoot, nil, Entry{Path: "a", Kind: File, Root: [32]byte{1}})
		b := raw(big("a", 0)) // a root where there is none
		b = append(b[:len(b)-4], EmptyRoot[:]...)
		refused(t, b, RuleKind, 1)
		for i, change := range []Totals{{Entries: 1}, {Files: 1}, {Bytes: 1}} {
			b := raw(big("a", 5))
			b[len(b)-3+i] += byte(change.Entries + change.Files + int(change.Bytes))
			refused(t, b, RuleFooter, 1)
		}
	})
}

func TestErrorsSayWhichAndWhy(t *testing.T) {
	err := refused(t, raw(folder(0, "a"), folder(1, "b"), item{kind: File, depth: 2, suffix: []byte("c\x1b"), root: EmptyRoot}, folder(3, "d")), RuleParent, 3)
	if got, want := fmt.Sprint(err), `manifest: block 0, entry 3, a/b/c\x1b/d: its directory does not precede it`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	err = refused(t, raw(folder(0, "a"), folder(1, "b\x1b"), folder(2, "..")), RuleDots, 2)
	if got, want := fmt.Sprint(err), `manifest: block 0, entry 2, a/b\x1b/..: a name is empty, "." or ".."`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
