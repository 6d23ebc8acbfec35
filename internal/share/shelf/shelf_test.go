package shelf

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// What was put is there when the shelf is opened again, and what was not whole is not, nor what others have left.
func TestShelf(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "shelf")
	units := map[int64][]byte{0: []byte("zero"), 7: bytes.Repeat([]byte("seven"), 1000), 1023: {}, 1024: []byte("x"), 1 << 40: []byte("far")}
	check := func(s *Shelf) {
		t.Helper()
		var size int64
		for n, p := range units {
			size += int64(len(p))
			f, err := s.Open(n)
			must(t, err)
			got, err := io.ReadAll(f)
			must(t, err)
			must(t, f.Close())
			if !s.Has(n) || !bytes.Equal(got, p) {
				t.Errorf("unit %d is %q, and there: %v", n, got, s.Has(n))
			}
		}
		if n, b := s.Count(); n != int64(len(units)) || b != size {
			t.Errorf("%d units of %d bytes are there, want %d of %d", n, b, len(units), size)
		}
		if s.Has(1) || s.Has(-1) {
			t.Error("what was not put is there")
		}
	}
	s, err := Open(dir)
	must(t, err)
	for n, p := range units {
		must(t, s.Put(n, []byte("before")))
		must(t, s.Put(n, p))
	}
	check(s)
	must(t, s.Sync())
	must(t, s.Close())
	for _, left := range []string{"new-5", "0/5x", "5", "0/6/x", "0/1024"} {
		must(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(left)), 0o700))
		must(t, os.WriteFile(filepath.Join(dir, left), []byte("left"), 0o600))
	}
	s, err = Open(dir)
	must(t, err)
	check(s)
	if _, err := os.Stat(filepath.Join(dir, "new-5")); !os.IsNotExist(err) {
		t.Errorf("half a unit is still there: %v", err)
	}
	if fi, err := os.Stat(dir); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", fi.Mode(), err)
	}
	must(t, s.Close())
}

// A unit that cannot be written is not there, and what was is.
func TestFull(t *testing.T) {
	s, err := Open(t.TempDir())
	must(t, err)
	defer s.Close() //nolint:errcheck // it was only read
	must(t, s.Put(1, []byte("one")))
	must(t, os.Mkdir(filepath.Join(s.root.Name(), "new-2"), 0o700)) // in the way
	if err := s.Put(2, []byte("two")); err == nil || s.Has(2) {
		t.Errorf("%v, and it is there: %v", err, s.Has(2))
	}
	if n, b := s.Count(); n != 1 || b != 3 {
		t.Errorf("%d units of %d bytes", n, b)
	}
}
