//go:build unix

package file

import (
	"io"
	"os"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// A direction that ends while the joint is being cut lets its descriptor go once.
func TestRetiresOnce(t *testing.T) {
	for range 100 {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := unix.FcntlInt(w.Fd(), unix.F_DUPFD_CLOEXEC, 3)
		w.Close()
		if err != nil {
			t.Fatal(err)
		}
		o, err := newSharedOut(-1, out, true)
		if err != nil {
			t.Fatal(err)
		}
		s := &stream{out: o}
		var ending sync.WaitGroup
		for _, end := range []func() error{o.CloseWrite, func() error { return release(-1, out, s) }} {
			ending.Go(func() {
				if err := end(); err != nil {
					t.Error(err)
				}
			})
		}
		ending.Wait()
		if b, err := io.ReadAll(r); len(b) > 0 || err != nil {
			t.Errorf("%q, %v", b, err)
		}
		r.Close()
	}
}
