package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// fill adds directories until there are between 1 and 250 bytes for one more entry.
func fill(t *testing.T, e *Encoder) {
	t.Helper()
	for i := 0; len(e.Partial()) < BlockSize-150; i++ {
		if err := e.Add(dir(fmt.Sprintf("d%06d", i))); err != nil {
			t.Fatal(err)
		}
	}
}

func TestExactFit(t *testing.T) {
	for more := range 3 {
		var blocks [][]byte
		e := Encoder{Emit: func(b []byte) error { blocks = append(blocks, bytes.Clone(b)); return nil }}
		fill(t, &e)
		name := "e"
		for {
			last := dir(name)
			it, _ := e.place.item(&last)
			if len(it.append(e.Partial(), e.place.mtime))+1 == BlockSize {
				break
			}
			name += "e"
		}
		name += strings.Repeat("e", more)
		if err := e.Add(dir(name)); err != nil {
			t.Fatal(err)
		}
		if fits := len(blocks) == 0; fits != (more == 0) {
			t.Errorf("%d bytes too many, and it fits: %v", more, fits)
		}
		if err := e.Finish(); err != nil {
			t.Fatal(err)
		}
		if len(blocks) != 2 || len(blocks[0]) != BlockSize {
			t.Fatalf("%d blocks, the first of %d bytes", len(blocks), len(blocks[0]))
		}
		all, err := decode(0, slices.Concat(blocks...))
		if err != nil || all[len(all)-1] != dir(name) || len(all) != e.Totals().Entries {
			t.Errorf("%d bytes too many: %d entries, %v", more, len(all), err)
		}
		n, ofBlock := 0, 0
		for got, err := range OneBlock(1, blocks[1]) {
			if err != nil || got != dir(name) {
				t.Errorf("block 1 alone has %v, %v", got, err)
			}
			n++
		}
		if ofBlock = min(more, 1); n != ofBlock {
			t.Errorf("block 1 has %d entries, want %d", n, ofBlock)
		}
	}
}

// The path of a directory that goes on in the next block may be as long as paths are.
func TestLongestPathAtABorder(t *testing.T) {
	var blocks [][]byte
	e := Encoder{Emit: func(b []byte) error { blocks = append(blocks, bytes.Clone(b)); return nil }}
	fill(t, &e)
	var want []Entry
	path := strings.Repeat("x", MaxName)
	for ; len(path) < MaxPath-2; path += "/" + strings.Repeat("x", min(MaxName, MaxPath-3-len(path))) {
		want = append(want, dir(path))
	}
	want = append(want, dir(path), file(path+"/a", 1), link(path+"/b", strings.Repeat("t", MaxPath)), dir("y"))
	if n := len(path + "/a"); n != MaxPath {
		t.Fatalf("the path has %d bytes", n)
	}
	for _, entry := range want {
		if err := e.Add(entry); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Add(dir(path + "/aa")); !errors.Is(err, RulePath) {
		t.Errorf("a longer one: %v", err)
	}
	if err := e.Finish(); err != nil {
		t.Fatal(err)
	}
	all, err := decode(0, slices.Concat(blocks...))
	if err != nil || !slices.Equal(all[len(all)-len(want):], want) {
		t.Errorf("%d entries, %v", len(all), err)
	}
}

// A border is where it must be, and what goes on behind it is what ended before.
func TestWrongBorders(t *testing.T) {
	const size = 200
	block := func(number int, parent string, items ...item) []byte {
		b := appendHeader(nil, number, []byte(parent))
		for i, it := range items {
			before := int64(0)
			if i > 0 {
				before = items[i-1].mtime
			}
			b = it.append(b, before)
		}
		return b
	}
	closed := func(b []byte) []byte { return append(b, make([]byte, size-len(b))...) }
	ends := func(b []byte, entries int) []byte { return appendFooter(b, Totals{Entries: entries}) }
	long := func(depth int, c string) item { return folder(depth, strings.Repeat(c, 86)) } // two are too much for a block
	d := strings.Repeat("d", 86)
	for name, c := range map[string]struct {
		manifest []byte
		want     Rule
	}{
		"right":              {ends(append(closed(block(0, "", long(0, "d"))), block(1, d, long(1, "e"))...), 2), ""},
		"early by a byte":    {ends(append(closed(block(0, "", long(0, "d"))), block(1, d, folder(1, strings.Repeat("e", 83)))...), 2), RuleClosed},
		"just right":         {ends(append(closed(block(0, "", long(0, "d"))), block(1, d, folder(1, strings.Repeat("e", 84)))...), 2), ""},
		"end that fits":      {ends(append(closed(block(0, "", folder(0, strings.Repeat("d", 172)))), block(1, "")...), 1), RuleClosed},
		"end that does not":  {ends(append(closed(block(0, "", folder(0, strings.Repeat("d", 173)))), block(1, "")...), 1), ""},
		"early":              {ends(append(closed(block(0, "", folder(0, "d"))), block(1, "", folder(0, "e"))...), 2), RuleClosed},
		"early, the end":     {ends(append(closed(block(0, "", folder(0, "d"))), block(1, "")...), 1), RuleClosed},
		"empty":              {ends(append(closed(block(0, "")), block(1, "", folder(0, "e"))...), 1), RuleClosed},
		"number":             {ends(append(closed(block(0, "", long(0, "d"))), block(2, d, long(1, "e"))...), 2), RuleNumber},
		"first number":       {ends(block(1, ""), 0), RuleNumber},
		"other parent":       {ends(append(closed(block(0, "", long(0, "d"))), block(1, "c", long(1, "e"))...), 2), RuleParent},
		"deeper parent":      {ends(append(closed(block(0, "", long(0, "d"))), block(1, d+"/x", long(2, "e"))...), 2), RuleParent},
		"less deep entry":    {ends(append(closed(block(0, "", long(0, "d"))), block(1, d, long(0, "e"))...), 2), RuleParent},
		"not in order":       {ends(append(closed(block(0, "", long(0, "d"))), block(1, "", long(0, "c"))...), 2), RuleOrder},
		"twice":              {ends(append(closed(block(0, "", long(0, "d"))), block(1, "", long(0, "d"))...), 2), RuleOrder},
		"parent at the top":  {ends(block(0, "x", folder(1, "e")), 1), RuleParent},
		"parent of nothing":  {ends(block(0, "x"), 0), RuleParent},
		"parent that climbs": {ends(append(closed(block(0, "", long(0, "d"))), block(1, "../x", long(2, "e"))...), 2), RuleDots},
		"deep parent":        {ends(append(closed(block(0, "", long(0, "d"))), block(1, strings.Repeat("/", MaxDepth), long(1, "e"))...), 2), RuleDots},
		"padding":            {ends(append(append(closed(block(0, "", long(0, "d")))[:size-1], 1), block(1, d, long(1, "e"))...), 2), RulePadding},
		"magic":              {[]byte("tenon share 2\n\x00\x00\x04\x00\x00\x00"), RuleMagic},
		"nothing":            {nil, RuleCut},
	} {
		got, err := decode(size, c.manifest)
		b := Builder{dec: Decoder{size: size}}
		if again := b.Append(c.manifest); c.want != RuleCut && fmt.Sprint(again) != fmt.Sprint(err) || b.Index().Totals().Entries != len(got) {
			t.Errorf("%s: %v, and a Builder says %v", name, err, again)
		}
		if rule := Rule(""); err != nil && !errors.As(err, &rule) || rule != c.want {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// A block whose entries leave no room for its end is refused as soon as it has come.
func TestNoRoomForTheEnd(t *testing.T) {
	const size = 200
	it := folder(0, strings.Repeat("d", 176))
	block := it.append(appendHeader(nil, 0, nil), 0)
	if len(block) != size {
		t.Fatalf("the block has %d bytes", len(block))
	}
	b := Builder{dec: Decoder{size: size}}
	if err := b.Append(append(block, "more"...)); !errors.Is(err, RuleCut) {
		t.Error(err)
	}
	d := Decoder{size: size}
	for range d.Block(block) {
	}
	if !errors.Is(d.err, RuleCut) {
		t.Error(d.err)
	}
}
