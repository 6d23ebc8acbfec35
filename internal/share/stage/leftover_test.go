package stage

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/share"
)

// What was interrupted in a directory is listed, whatever it is, and nothing is changed.
func TestLeftovers(t *testing.T) {
	target := t.TempDir()
	src := photos(t)
	ids := []share.ID{{1}, {2}, {3}, {4}, {5}}
	stages := make([]*Stage, len(ids))
	for i, groups := range []int64{0, 6, -1, 3, 0} { // the fourth of photos/a has 5 bytes
		s, err := at(t, target, func(c *Config) { c.ID, c.Rename = ids[i], true })
		must(t, err)
		stages[i] = s
		if i == 0 {
			continue // of which nothing is known
		}
		_, err = src.fetch(s, groups)
		must(t, err)
		switch {
		case groups < 0: // it is in place, and serves on
			must(t, s.Finish())
		case i == 1: // it goes on
			must(t, s.sync())
		default:
			must(t, s.Close())
		}
	}
	dir := func(i int) string { return filepath.Join(target, prefix+ids[i].String()) }
	must(t, os.WriteFile(filepath.Join(dir(4), "journal"), []byte("something else that is long enough"), 0o600))
	put(t, filepath.Join(target, ".tenon-other/journal"), nil)
	put(t, filepath.Join(target, ".tenon-ABCDEF00000000000000000000000000"), nil)
	put(t, filepath.Join(target, ".tenon-abcdef00000000000000000000000000"), nil)
	before := src.at(target)

	all, err := Leftovers(target)
	must(t, err)
	if len(all) != 6 {
		t.Fatalf("there are %d: %+v", len(all), all)
	}
	bytes := src.index.Totals().Bytes
	for i, want := range []Leftover{
		{ID: ids[0]},
		{ID: ids[1], Name: "photos", Bytes: 3*group + 5 + 2*group, Of: bytes, Whole: true},
		{ID: ids[2], Name: "photos", Bytes: bytes, Of: bytes, Whole: true},
		{ID: ids[3], Name: "photos", Bytes: 3 * group, Of: bytes, Whole: true},
	} {
		got := all[i]
		if time.Since(got.When) > time.Hour {
			t.Errorf("%d was last touched at %v", i, got.When)
		}
		if got.When = (time.Time{}); got != want {
			t.Errorf("it is %+v, and not %+v", got, want)
		}
	}
	wantErr(t, all[4].Err, ErrDamaged)
	wantErr(t, all[5].Err, ErrDamaged)
	if after := src.at(target); len(after) != len(before) {
		t.Errorf("there was %q, and is %q", before, after)
	}

	wantErr(t, Remove(target, ids[1]), ErrBusy)
	wantErr(t, Remove(target, share.ID{9}), fs.ErrNotExist)
	for _, i := range []int{0, 1} {
		must(t, stages[i].Close())
	}
	wantErr(t, Remove(target, ids[0]), fs.ErrNotExist) // of which nothing is known, nothing is left
	for _, i := range []int{1, 3, 4} {
		must(t, Remove(target, ids[i]))
		if _, err := os.Lstat(dir(i)); err == nil {
			t.Errorf("%s is there", dir(i))
		}
	}
	if _, err := Leftovers(filepath.Join(target, "none")); err == nil {
		t.Error("a directory that is not there has leftovers")
	}
}

// What is in the way of a share is known before anything is fetched.
func TestTaken(t *testing.T) {
	target := t.TempDir()
	put(t, filepath.Join(target, "d/e/f"), nil)
	must(t, os.Symlink("nowhere", filepath.Join(target, "d/l")))
	taken, done, err := Taken(target)
	must(t, err)
	for _, c := range []struct {
		path string
		want bool
	}{{"a", false}, {"d/a", false}, {"d/e/a/b/c", false}, {"d/e/a/d", false}, {"d/e/ab", false}, {"d/e/f", true}, {"d/l", true}, {"d/l/x", false}, {"../x", false}, {"e", false}} {
		if got := taken(c.path); got != c.want {
			t.Errorf("%s is taken: %v", c.path, got)
		}
	}
	must(t, done())
}
