package transporttest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// testEnded checks what an end says about the end of both directions; see
// [transport.Ender].
func (h Harness) testEnded(t *testing.T) {
	a, b := h.open(t)
	both := h.Kind.Traits.EndsBoth
	e, ok := transport.As[transport.Ender](a)
	switch {
	case both && !ok:
		t.Fatalf("Traits.EndsBoth, and %T is no Ender", a)
	case !ok:
		t.Skip("an end of file ends one direction, and the kind knows of nothing else")
	}
	if first, second := e.Ended(), e.Ended(); first == nil || first != second {
		t.Error("Ended does not return the same channel each time")
	} else if transport.HasEnded(a) {
		t.Error("Ended is closed from the beginning")
	}
	if b == nil {
		return
	}
	if !both {
		t.Run("half-close", h.testNotEnded)
	}
	t.Run("close", h.testOtherCloses)
}

// testNotEnded checks that a half-close of the other side ends one direction only.
func (h Harness) testNotEnded(t *testing.T) {
	a, b := h.open(t)
	if err := b.CloseWrite(); errors.Is(err, errors.ErrUnsupported) || h.Farewell {
		t.Skip("the other side cannot half-close")
	} else if err != nil {
		t.Fatal(err)
	}
	if _, in := h.flows(a, b); in.r != nil {
		if err := await(t, start(func() error { return wantEOF(a) }), Patience, "reading the end of file"); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(quiet / 5) // to see that nothing happens
	if transport.HasEnded(a) {
		t.Error("Ended is closed after a half-close of the other side")
	}
}

// testOtherCloses checks that an end whose other side has gone can be read to the end
// of file, that it says so if its kind always does, and that ending it from this side
// does not wait for the other.
func (h Harness) testOtherCloses(t *testing.T) {
	pair := h.Pair
	if h.Ending != nil {
		pair = h.Ending
	}
	a, b := h.opened(t, pair)
	e, _ := transport.As[transport.Ender](a)
	_, in := h.flows(a, b)
	last := "last words"
	if h.HangsUp {
		last = ""
	}
	if in.w != nil && last != "" {
		if err := write(b, []byte(last)); err != nil {
			t.Fatal(err)
		}
	}
	closed := start(b.Close) // which may wait until what was written has been read
	if in.r != nil && (h.Kind.Traits.EndsBoth || h.Kind.Traits.HalfClose && !h.Farewell) {
		got := start(func() error { return readToEnd(a, last) })
		if err := await(t, got, Patience, "reading to the end of file"); err != nil {
			t.Error(err)
		}
	}
	await(t, closed, Patience, "Close of the other side")
	if h.Kind.Traits.EndsBoth {
		await(t, e.Ended(), Patience, "Ended, after the other side was closed and the end of file read,")
	} else {
		select {
		case <-e.Ended():
		case <-time.After(quiet):
			return // it need not know
		}
	}
	await(t, start(a.CloseWrite), Prompt, "CloseWrite of an end that has ended")
	await(t, start(a.Close), Prompt, "Close of an end that has ended")
	if !transport.HasEnded(a) {
		t.Error("Ended is another channel after Close")
	}
}

// readToEnd reads want and then the end of file.
func readToEnd(c transport.Conn, want string) error {
	if want == "" {
		return wantEOF(c)
	}
	p := make([]byte, len(want))
	if err := readFull(c, p); err != nil || string(p) != want {
		return fmt.Errorf("what the other side wrote before Close reads as %q, error %w", p, err)
	}
	return wantEOF(c)
}
