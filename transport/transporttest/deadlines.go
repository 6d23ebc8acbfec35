package transporttest

import (
	"errors"
	"os"
	"testing"
	"time"
)

// testDeadlines checks that deadlines end a read and can be taken back, or that
// the kind says that it has none.
func (h Harness) testDeadlines(t *testing.T) {
	a, b := h.open(t)
	if !h.Kind.Traits.Deadlines {
		for name, set := range map[string]func(time.Time) error{
			"SetDeadline": a.SetDeadline, "SetReadDeadline": a.SetReadDeadline, "SetWriteDeadline": a.SetWriteDeadline,
		} {
			if err := set(time.Now().Add(time.Hour)); !errors.Is(err, os.ErrNoDeadline) {
				t.Errorf("%s without the trait: error %v, want os.ErrNoDeadline", name, err)
			}
		}
		return
	}
	out, in := h.flows(a, b)
	if h.Echo {
		in = out
	}
	if in.w == nil {
		if err := a.SetWriteDeadline(time.Now().Add(time.Hour)); err != nil {
			t.Errorf("SetWriteDeadline: %v", err)
		}
		return
	}
	for _, d := range []time.Duration{-time.Hour, 20 * time.Millisecond} {
		if err := a.SetReadDeadline(time.Now().Add(d)); err != nil {
			t.Fatalf("SetReadDeadline: %v", err)
		}
		got := start(func() error { _, err := read(a, make([]byte, 64)); return err })
		if err := await(t, got, Prompt, "a read with a deadline"); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read with a deadline %v from now: error %v, want os.ErrDeadlineExceeded", d, err)
		}
	}
	if err := a.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	sent := start(func() error { return write(in.w, []byte("later")) })
	got := start(func() error { _, err := read(a, make([]byte, 64)); return err })
	for _, c := range []<-chan error{sent, got} {
		if err := await(t, c, Patience, "moving data after a deadline"); err != nil {
			t.Errorf("after the deadline was taken back: %v", err)
		}
	}
}
