package manifest

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// What a person sees of a share is all of it, harmless, and with what they should know.
func TestList(t *testing.T) {
	tool := file("d/.git/hooks/pre-commit", 10)
	tool.Mode = 0o755
	entries := []Entry{dir("d"), dir("d/.git"), dir("d/.git/hooks"), tool, file("d/a\x1b[2J\u202eb\nc", 5), link("d/l", "a\x07"), file("d/mine", 7), file("d/raw\xff", 0), file("d/x.exe", 1)}
	x := build(t, 0, encode(t, 0, entries...), 4096).Index()
	l := List{Taken: func(path string) bool { return path == "d/mine" || path == "d" }}
	var text, all []string
	for line := range l.More(x) {
		text = append(text, line.String())
		p, err := json.Marshal(line)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(p))
		exact := line.Path
		if line.Exact != nil {
			exact = string(line.Exact)
		}
		if want := entries[len(all)-1].Path; exact != want {
			t.Errorf("%q is listed as %q", want, exact)
		}
	}
	for i, want := range []string{
		"d0755            0  2023-11-14 22:13:20  d/",
		"d0755            0  2023-11-14 22:13:20  d/.git/  (hidden)",
		"d0755            0  2023-11-14 22:13:20  d/.git/hooks/  (hidden)",
		" 0755           10  2023-11-14 22:13:20  d/.git/hooks/pre-commit  (hidden, executable, trusted by other programs)",
		` 0644            5  2023-11-14 22:13:20  d/a\x1b[2J\u202eb\nc`,
		` link            0  1969-12-31 23:59:59  d/l -> a\x07`,
		" 0644            7  2023-11-14 22:13:20  d/mine  (replaces what is there)",
		` 0644            0  2023-11-14 22:13:20  d/raw\xff`,
		" 0644            1  2023-11-14 22:13:20  d/x.exe  (executable)",
	} {
		if i >= len(text) || text[i] != want {
			t.Errorf("line %d is\n%s, not\n%s", i, text[min(i, len(text)-1)], want)
		}
	}
	want := `{"path":"d/.git/hooks/pre-commit","kind":"file","size":10,"mode":"0755","time":"2023-11-14T22:13:20.000000123Z","marks":["hidden","executable","trusted"]}`
	if all[3] != want {
		t.Errorf("it is\n%s, not\n%s", all[3], want)
	}
	if !strings.Contains(all[4], `"exact":"ZC9h`) || strings.Contains(all[6], "exact") {
		t.Errorf("the bytes of a name are in %s, and not in %s", all[4], all[6])
	}
	sums := Sums{Files: 5, Dirs: 3, Links: 1, Bytes: 23, Hidden: 3, Executable: 2, Trusted: 1, Replaces: 1, Whole: true}
	if l.Sums() != sums {
		t.Errorf("the sums are %+v, not %+v", l.Sums(), sums)
	}
}

// A share that grows is listed as it does, each entry once, and only what is wanted of it.
func TestListGrows(t *testing.T) {
	manifest := encode(t, 0, dir("d"), file("d/a", 1), file("d/b", 2), link("d/c", "a"), file("d/e", 3), file("f", 4))
	want := []string{"d/a", "d/b", "d/e", "f"}
	var b Builder
	l := List{Want: func(e Entry) bool { return e.Kind == File }}
	var got []string
	for i := range manifest {
		if err := b.Append(manifest[i : i+1]); err != nil {
			t.Fatal(err)
		}
		for line := range l.More(b.Index()) {
			got = append(got, line.Path)
			break // the rest comes next time
		}
		if l.Sums().Whole && i < len(manifest)-1 {
			t.Errorf("byte %d is said to be the last", i)
		}
	}
	for range l.More(b.Index()) {
		t.Error("an entry is listed twice, or late")
	}
	if !slices.Equal(got, want) {
		t.Errorf("it is %q, not %q", got, want)
	}
	if sums := l.Sums(); sums != (Sums{Files: 4, Bytes: 10, Whole: true}) {
		t.Errorf("the sums are %+v", sums)
	}
}
