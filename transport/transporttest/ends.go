package transporttest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// testEnds checks how an end ends.
func (h Harness) testEnds(t *testing.T) {
	switch {
	case h.Farewell:
		t.Run("farewell", h.testFarewell)
	case h.Kind.Traits.HalfClose:
		t.Run("half-close", h.testHalfClose)
	default:
		t.Run("no half-close", h.testNoHalfClose)
	}
	t.Run("close unblocks", h.testCloseUnblocks)
	t.Run("interrupted", h.testInterrupted)
	t.Run("close twice", func(t *testing.T) {
		a, _ := h.open(t)
		first, second := a.Close(), a.Close()
		if first != second && fmt.Sprint(first) != fmt.Sprint(second) {
			t.Errorf("Close: first %v, then %v", first, second)
		}
	})
	t.Run("abort", h.testAbort)
	t.Run("closed", h.testClosed)
}

// testHalfClose checks that CloseWrite ends one direction and only that, also
// while data is on its way in the other.
func (h Harness) testHalfClose(t *testing.T) {
	a, b := h.open(t)
	out, in := h.flows(a, b)
	if out.w == nil {
		if err := a.CloseWrite(); err != nil {
			t.Errorf("CloseWrite: %v", err)
		}
		return
	}
	const total = 300_000
	reply := make(<-chan error)
	if in.w != nil {
		reply = start(func() error { return errors.Join(h.sendAll(in.w, total), in.w.CloseWrite()) })
	}
	sent := start(func() error { return errors.Join(h.sendAll(out.w, total), a.CloseWrite(), a.CloseWrite()) })
	got := start(func() error { return errors.Join(h.receiveAll(out.r, total), wantEOF(out.r)) })
	if err := await(t, got, Patience, "reading to the end of file"); err != nil {
		t.Fatalf("after CloseWrite the other side reads: %v", err)
	}
	if err := await(t, sent, Patience, "writing, and CloseWrite twice"); err != nil {
		t.Error(err)
	}
	written := start(func() error { return write(a, []byte("more")) })
	if err := await(t, written, Patience, "writing after CloseWrite"); err == nil {
		t.Error("a write after CloseWrite succeeds")
	}
	if in.w == nil {
		return
	}
	got = start(func() error { return h.receiveAll(in.r, total) })
	if err := await(t, got, Patience, "reading after CloseWrite"); err != nil {
		t.Fatalf("the other direction, after CloseWrite: %v", err)
	}
	if err := await(t, reply, Patience, "writing to a half-closed end"); err != nil {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Error(err)
		}
		in.w.Close()
	}
	if err := await(t, start(func() error { return wantEOF(in.r) }), Patience, "reading the end of file"); err != nil {
		t.Error(err)
	}
}

// testFarewell checks that CloseWrite hands on all that was written, that a then
// reads the end, and that b goes on.
func (h Harness) testFarewell(t *testing.T) {
	a, b := h.open(t)
	transfer(t, flow{b, a}, []byte("before"), false)
	const total = 300_000
	got := start(func() error { return h.receiveAll(b, total) })
	sent := start(func() error { return errors.Join(h.sendAll(a, total), a.CloseWrite(), a.CloseWrite()) })
	if err := await(t, got, Patience, "reading what was written before CloseWrite"); err != nil {
		t.Fatal(err)
	}
	if err := await(t, sent, Patience, "writing, and CloseWrite twice"); err != nil {
		t.Error(err)
	}
	if err := write(a, []byte("more")); err == nil {
		t.Error("a write after CloseWrite succeeds")
	}
	if err := await(t, start(func() error { return wantEOF(a) }), Patience, "reading the end of file"); err != nil {
		t.Error(err)
	}
	if err := b.SetReadDeadline(time.Now().Add(quiet)); err != nil {
		t.Fatal(err)
	}
	if _, err := read(b, make([]byte, 64)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the other side of a farewell reads %v, want to wait for more", err)
	}
	if err := write(b, []byte("still here")); err != nil {
		t.Errorf("the other side of a farewell writes: %v", err)
	}
}

// sendAll writes total position-coded bytes, in one message of each 1000 bytes
// where there are messages.
func (h Harness) sendAll(c transport.Conn, total int) error {
	if h.Kind.Traits.Messages {
		return send(c, total, func(int) int { return 1000 })
	}
	return send(c, total, sizes)
}

func (h Harness) receiveAll(c transport.Conn, total int) error {
	m, ok := c.(transport.MsgConn)
	if !ok {
		return receive(c, total, sizes)
	}
	p := make([]byte, 1001)
	for done := 0; done < total; {
		n, _, err := m.ReadMsg(p)
		if err != nil || n != 1000 {
			return fmt.Errorf("message at %d of %d: %d bytes, error %w", done, total, n, err)
		}
		for i, got := range p[:n] {
			if want := coded(done + i); got != want {
				return fmt.Errorf("byte %d is %#02x, want %#02x", done+i, got, want)
			}
		}
		done += n
	}
	return nil
}

// testNoHalfClose checks that a kind without half-close says so, and that asking
// does no harm.
func (h Harness) testNoHalfClose(t *testing.T) {
	a, b := h.open(t)
	if err := a.CloseWrite(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("CloseWrite without the trait: error %v, want errors.ErrUnsupported", err)
	}
	for _, f := range h.all(a, b) {
		sent := start(func() error { return write(f.w, []byte("still here")) })
		got := start(func() error {
			p := make([]byte, 64)
			n, err := read(f.r, p)
			if err != nil || n == 0 {
				return fmt.Errorf("read %d bytes, error %w", n, err)
			}
			return nil
		})
		for _, c := range []<-chan error{sent, got} {
			if err := await(t, c, Patience, "moving data after CloseWrite was refused"); err != nil {
				t.Error(err)
			}
		}
	}
}

// testCloseUnblocks checks that Close ends the calls in progress, promptly and
// with net.ErrClosed, and the calls after it too.
func (h Harness) testCloseUnblocks(t *testing.T) {
	a, b := h.open(t)
	out, _ := h.flows(a, b)
	reads := !h.Kind.Traits.OneWay || !h.Writes
	var reading, writing <-chan error
	if reads && !h.Echo && b != nil {
		reading = start(func() error { _, err := read(a, make([]byte, 64)); return err })
	}
	if out.w != nil {
		var written atomic.Int64
		writing = start(func() error {
			p := make([]byte, 1000)
			for {
				if err := write(a, p); err != nil {
					return err
				}
				written.Add(1)
			}
		})
		waitStall(&written)
	}
	closed := start(a.Close)
	await(t, closed, Prompt+4*time.Second, "Close")
	if reading != nil {
		wantClosed(t, "read during Close", await(t, reading, Prompt, "a read during Close"))
	}
	if writing != nil {
		wantClosed(t, "write during Close", await(t, writing, Prompt, "a write during Close"))
	}
	if reads {
		after := start(func() error { _, err := read(a, make([]byte, 64)); return err })
		wantClosed(t, "read after Close", await(t, after, Prompt, "a read after Close"))
	}
	if out.w != nil {
		after := start(func() error { return write(a, []byte("x")) })
		wantClosed(t, "write after Close", await(t, after, Prompt, "a write after Close"))
	}
}

// waitStall returns when n has stopped growing or has grown a lot: the writer is
// blocked, or belongs to a kind that never blocks.
func waitStall(n *atomic.Int64) {
	last := int64(-1)
	for range 50 {
		now := n.Load()
		if now == last || now > 20_000 {
			return
		}
		last = now
		time.Sleep(20 * time.Millisecond) // to see that nothing happens
	}
}

// testAbort checks that an abort does not look like a clean end of file.
func (h Harness) testAbort(t *testing.T) {
	a, b := h.open(t)
	aborter, ok := transport.As[transport.Aborter](a)
	if !ok {
		t.Skip("the kind has no Abort")
	}
	out, in := h.flows(a, b)
	if out.w != nil {
		sent := start(func() error { return write(a, []byte("cut off")) })
		got := start(func() error { _, err := read(out.r, make([]byte, 64)); return err })
		for _, c := range []<-chan error{sent, got} {
			if err := await(t, c, Patience, "moving data before Abort"); err != nil {
				t.Fatal(err)
			}
		}
	}
	await(t, start(func() error { return aborter.Abort(errors.New("the other end failed")) }), Patience, "Abort")
	if out.w != nil && !h.Echo && !connectionless(h.Kind, out.r) {
		got := start(func() error { _, err := read(out.r, make([]byte, 64)); return err })
		if err := await(t, got, Patience, "reading after the other side's Abort"); err == nil || err == io.EOF {
			t.Errorf("the other side of an Abort reads %v, want an error that is not io.EOF", err)
		}
	}
	if in.w != nil {
		got := start(func() error { _, err := read(a, make([]byte, 64)); return err })
		if err := await(t, got, Prompt, "reading after Abort"); !errors.Is(err, transport.ErrAborted) && !errors.Is(err, net.ErrClosed) {
			t.Errorf("read after Abort: error %v, want transport.ErrAborted or net.ErrClosed", err)
		}
	}
	await(t, start(a.Close), Patience, "Close after Abort")
}

// connectionless tells whether c cannot learn that its other side is gone.
func connectionless(k transport.Kind, c transport.Conn) bool {
	return k.Traits.Messages && !k.Traits.HalfClose && c.RemoteAddr().Network() == "udp"
}
