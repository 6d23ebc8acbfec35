package transporttest

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// testClosed calls every method of an end that has been closed, or aborted: none of
// them does anything any more, and all say so.
func (h Harness) testClosed(t *testing.T) {
	t.Run("Close", func(t *testing.T) {
		a, _ := h.open(t)
		await(t, start(a.Close), Patience, "Close")
		h.testOver(t, a, net.ErrClosed)
	})
	t.Run("Abort", func(t *testing.T) {
		a, _ := h.open(t)
		aborter, ok := transport.As[transport.Aborter](a)
		if !ok {
			t.Skip("the kind has no Abort")
		}
		await(t, start(func() error { return aborter.Abort(errors.New("the other end failed")) }), Patience, "Abort")
		h.testOver(t, a, net.ErrClosed, transport.ErrAborted)
	})
}

// testOver checks that every method of an end that is over returns an error that
// matches one of want, or says that the kind has no such thing.
func (h Harness) testOver(t *testing.T, a transport.Conn, want ...error) {
	check := func(c call, want ...error) {
		t.Helper()
		err := await(t, start(c.do), Prompt, c.name).err
		for _, w := range want {
			if errors.Is(err, w) {
				return
			}
		}
		t.Errorf("%s: error %v, want one matching %v", c.name, err, want)
	}
	var calls []call
	if one := h.Kind.Traits.OneWay; !one || !h.Writes {
		calls = append(calls, readCalls(a)...)
	}
	if one := h.Kind.Traits.OneWay; !one || h.Writes {
		calls = append(calls, writeCalls(a)...)
	}
	for _, c := range calls {
		check(c, want...)
	}
	half := want
	if !h.Kind.Traits.HalfClose {
		half = append(half, errors.ErrUnsupported)
	}
	check(call{"CloseWrite", func() outcome { return outcome{err: a.CloseWrite()} }}, half...)
	deadlines := want
	if !h.Kind.Traits.Deadlines {
		deadlines = append(deadlines, os.ErrNoDeadline)
	}
	for name, set := range map[string]func(time.Time) error{
		"SetDeadline": a.SetDeadline, "SetReadDeadline": a.SetReadDeadline, "SetWriteDeadline": a.SetWriteDeadline,
	} {
		for _, at := range []time.Time{time.Now().Add(time.Hour), {}} {
			check(call{name, func() outcome { return outcome{err: set(at)} }}, deadlines...)
		}
	}
}
