package stage

import (
	"path/filepath"
	"testing"

	"github.com/tenon-net/tenon/internal/share/manifest"
)

// What is in a share twice is fetched once, whichever of them are wanted or there already,
// and is whole, served and resumed like everything else.
func TestTwice(t *testing.T) {
	const size = 5*group + 7
	for name, test := range map[string]struct {
		want    func(manifest.Entry) bool
		there   string
		fetched int64
	}{
		"all":                      {nil, "", 6 + 3},
		"without the first":        {func(e manifest.Entry) bool { return e.Path != "d/a" }, "", 6 + 3},
		"the last alone":           {only("e"), "", 6},
		"the first is there":       {nil, "d/a", 6 + 3},
		"the second is there":      {nil, "d/b", 6 + 3},
		"the last is there":        {nil, "e", 6 + 3},
		"what is small is fetched": {only("d/s", "d/t", "d/empty"), "", 2},
	} {
		t.Run(name, func(t *testing.T) {
			src := of(t, dirOf("d"), fileOf("d/a", size), twice("d/b", "d/a", size), fileOf("d/empty", 0), fileOf("d/other", 5), fileOf("d/s", group), twice("d/t", "d/s", group), twice("e", "d/a", size))
			target := t.TempDir()
			if test.there != "" {
				put(t, filepath.Join(target, test.there), src.data[1])
			}
			s, err := at(t, target, wanting(test.want))
			must(t, err)
			fetched, err := src.fetch(s, 2)
			must(t, err)
			must(t, s.Close())
			s, err = at(t, target, wanting(test.want))
			must(t, err)
			more, err := src.fetch(s, -1)
			must(t, err)
			if fetched += more; fetched != test.fetched {
				t.Errorf("%d groups were fetched, and not %d", fetched, test.fetched)
			}
			must(t, s.Finish())
			src.serves(s)
			must(t, s.Close())
			part := src.chosen(test.want).without("d")
			if test.there != "" {
				part = part.without(test.there)
			}
			part.final(target, true)
		})
	}
}

// A copy that was being made is made again; what is copied from is never taken for right
// without a look.
func TestTwiceInterrupted(t *testing.T) {
	src := of(t, fileOf("a", 2*group), twice("b", "a", 2*group))
	target := t.TempDir()
	s, err := at(t, target, nil)
	must(t, err)
	if n, err := src.fetch(s, -1); err != nil || n != 2 {
		t.Errorf("%d groups were fetched, and not 2: %v", n, err)
	}
	must(t, s.sync())
	name := filepath.Join(target, s.dir, "tree/a")
	put(t, name, make([]byte, 2*group))
	wantErr(t, s.Finish(), ErrDamaged)
	src.final(target, false)
	put(t, name, src.data[0])
	must(t, end(s))
	src.without("a").final(target, true)
}
