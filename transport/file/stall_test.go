//go:build unix

package file

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

// Reading and writing wait, from the first byte on, for the deadline and for Close.
func TestStallWaits(t *testing.T) {
	s := opened(t, "stall")
	calls := map[string]func() (int, error){
		"read":  func() (int, error) { return s.Read(make([]byte, 1)) },
		"write": func() (int, error) { return s.Write([]byte("x")) },
	}
	if err := s.SetDeadline(time.Now().Add(30 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	for name, call := range calls {
		if n, err := call(); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %d, error %v; want to wait for the deadline", name, n, err)
		}
	}
	if err := s.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 2)
	for _, call := range calls {
		go func() { _, err := call(); ended <- err }()
	}
	select {
	case err := <-ended:
		t.Fatalf("before Close: %v", err)
	case <-time.After(30 * time.Millisecond): // to see that nothing happens
	}
	s.Close()
	for range calls {
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("during Close: error %v, want net.ErrClosed", err)
		}
	}
}
