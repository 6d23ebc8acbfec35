package stage

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// fill makes a file in a box that is whole.
func fill(t *testing.T, b *Box, id, text string) {
	t.Helper()
	p, err := b.Part(id, 0)
	must(t, err)
	_, err = p.WriteAt([]byte(text), 0)
	must(t, errors.Join(err, p.Sync(), p.Close(), b.Note(id, []byte("{}"))))
}

// A file gets its name when it is whole, and never through what is there.
func TestBox(t *testing.T) {
	target, outside := t.TempDir(), filepath.Join(t.TempDir(), "outside")
	must(t, os.WriteFile(filepath.Join(target, "file"), []byte("was there"), 0o600))
	must(t, os.Mkdir(filepath.Join(target, "dir"), 0o700))
	must(t, os.Symlink(outside, filepath.Join(target, "link")))
	for _, over := range []bool{false, true} {
		b, err := OpenBox(target, over)
		must(t, err)
		for _, c := range []struct{ name, new, over string }{
			{"fresh", "fresh", "fresh"}, {"file", "file (2)", "file"}, {"dir", "dir (2)", "dir (3)"}, {"link", "link (2)", "link"},
		} {
			want := c.new
			if over {
				want = c.over
			}
			fill(t, b, "1", c.name)
			as, err := b.Place("1", c.name, time.Unix(1e9, 0))
			if err != nil || as != want {
				t.Errorf("%s: %s, %v, want %s", c.name, as, err, want)
			}
			if fi, err := os.Lstat(filepath.Join(target, as)); err != nil || !fi.Mode().IsRegular() || fi.Size() != int64(len(c.name)) || !fi.ModTime().Equal(time.Unix(1e9, 0)) {
				t.Errorf("%s: %v, %v", as, fi, err)
			}
		}
		must(t, b.Discard())
	}
	if _, err := os.Lstat(outside); err == nil {
		t.Error("it was written through a link")
	}
	if _, err := os.Lstat(filepath.Join(target, boxName)); err == nil {
		t.Error("the box is left")
	}
	b := &Box{windows: true}
	for _, name := range []string{"", "..", "a/b", ".Tenon-x", "NUL.txt", "a:b", "x."} {
		wantErr(t, b.Judge(name), ErrName)
	}
	must(t, os.Mkdir(filepath.Join(target, boxName), 0o755))
	if _, err := OpenBox(target, false); !errors.Is(err, ErrDamaged) {
		t.Errorf("what others can write to: %v", err)
	}
}
