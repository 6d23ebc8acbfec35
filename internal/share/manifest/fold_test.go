package manifest

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestCollisions(t *testing.T) {
	entries := []Entry{
		dir("A"), file("A/x", 1), file("FILE", 1), dir("a"), file("a/X", 1), file("a/x", 1), dir("file"),
		dir("three"), file("three/ABC", 1), file("three/Abc", 1), file("three/aBc", 1),
		dir("u"), file("u/E\u0301", 1), file("u/e\u0301", 1), file("u/\u00e9", 1), file("u/\u212a", 1),
		dir("v"), file("v/e\u0301", 1), file("v/k", 1), file("v/ss", 1), file("v/\u00df", 1), file("v/\xfe", 1), file("v/\xff", 1),
	}
	x := build(t, 200, encode(t, 200, entries...), 50).Index()
	for fold, want := range map[Fold]string{
		0:                   "",
		FoldCase:            "A=a FILE=file a/X=a/x three/ABC=three/Abc three/ABC=three/aBc u/E\u0301=u/e\u0301",
		FoldForm:            "u/e\u0301=u/\u00e9",
		FoldCase | FoldForm: "A=a FILE=file a/X=a/x three/ABC=three/Abc three/ABC=three/aBc u/E\u0301=u/e\u0301 u/E\u0301=u/\u00e9",
	} {
		var got []string
		for _, c := range x.Collisions(fold, 100, nil) {
			if entries[c.First].Path != c.FirstPath || entries[c.Second].Path != c.SecondPath {
				t.Errorf("%v: these are not the paths", c)
			}
			got = append(got, c.FirstPath+"="+c.SecondPath)
		}
		// They come in the order of the second, in which every test could be written.
		if !sameWords(got, want) {
			t.Errorf("fold %b: %q, want %q", fold, got, want)
		}
	}
	if got := x.Collisions(FoldCase, 2, nil); len(got) != 2 {
		t.Errorf("two at most are %v", got)
	}
}

func sameWords(got []string, want string) bool {
	m := map[string]int{}
	for _, w := range strings.Fields(want) {
		m[w]++
	}
	for _, w := range got {
		m[w]--
	}
	for _, n := range m {
		if n != 0 {
			return false
		}
	}
	return true
}

// Whatever collides, the search for it keeps to its limit.
func TestManyCollisions(t *testing.T) {
	var entries []Entry
	for _, format := range []string{"A%05d", "a%05d"} {
		for i := range 5_000 {
			entries = append(entries, file(fmt.Sprintf(format, i), 1))
		}
	}
	x := build(t, 0, encode(t, 0, entries...), BlockSize).Index()
	if got := x.Collisions(FoldCase, 1_000_000, nil); len(got) != 5_000 {
		t.Errorf("%d of 5,000", len(got))
	}
	if got := x.Collisions(FoldCase, 10, nil); len(got) != 10 || !reflect.DeepEqual(got[0], Collision{0, 5_000, "A00000", "a00000"}) {
		t.Errorf("%v", got)
	}
}
