//go:build unix

package scan

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// What is in a hole, or partly in one, is read as it is, and what is behind the end is not there.
func TestHoles(t *testing.T) {
	name := filepath.Join(t.TempDir(), "sparse")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // of a test
	const size = 1<<20 + 5
	for _, at := range []int64{300_000, 700_000} {
		if _, err := f.WriteAt(bytes.Repeat([]byte{7}, 5000), at); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := openFolder(filepath.Dir(name))
	if err != nil {
		t.Fatal(err)
	}
	defer dir.close()
	r, err := dir.open("sparse")
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	r.expectHoles(true)
	var stored unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &stored); err != nil {
		t.Fatal(err)
	}
	if holesKnown && stored.Blocks*512 < size && !r.hole(1<<19, 1<<19+100) { // a file system without holes stores all of it
		t.Error("a hole is not known for one")
	}
	p := make([]byte, 65536)
	for _, n := range []int{65536, 1000} {
		for at := int64(0); at < size+70_000; at += 1000 {
			for i := range p {
				p[i] = 1
			}
			got, err := r.ReadAt(p[:n], at)
			is := want[min(at, size):min(at+int64(n), size)]
			if !bytes.Equal(p[:got], is) || errors.Is(err, io.EOF) != (got < n) {
				t.Fatalf("%d bytes at %d: %d are read, %v", n, at, got, err)
			}
		}
	}
}
