package transporttest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/tenon-net/tenon/transport"
)

// maxTried bounds the messages that are sent; maxRefused those that must not be.
const (
	maxTried   = 1 << 20
	maxRefused = 64 << 20
)

// testMessages checks that messages arrive whole, in order and with their
// boundaries.
func (h Harness) testMessages(t *testing.T) {
	t.Run("sizes", h.testSizes)
	t.Run("too long", h.testTooLong)
	t.Run("boundaries", func(t *testing.T) {
		a, b := h.open(t)
		for _, f := range h.all(a, b) {
			done := start(func() error {
				return errors.Join(write(f.w, []byte("one")), write(f.w, []byte("two and more")))
			})
			wantMsg(t, f.r, []byte("one"), false)
			wantMsg(t, f.r, []byte("two and more"), false)
			if err := await(t, done, Patience, "writing two messages"); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("short buffer", h.testShortBuffer)
	t.Run("both ways", func(t *testing.T) {
		a, b := h.open(t)
		for i := range 200 {
			for _, f := range h.all(a, b) {
				transfer(t, f, pattern(1+i*7%1200), false)
			}
		}
	})
	if h.Text {
		t.Run("text", func(t *testing.T) {
			a, b := h.open(t)
			for _, f := range h.all(a, b) {
				transfer(t, f, []byte("grüße"), true)
				transfer(t, f, []byte{0xff, 0}, false)
			}
		})
	}
}

func (h Harness) testSizes(t *testing.T) {
	a, b := h.open(t)
	for _, f := range h.all(a, b) {
		longest := min(f.w.(transport.MsgConn).MaxMsg(), f.r.(transport.MsgConn).MaxMsg(), maxTried)
		for _, size := range []int{1, 0, 0, longest, 1} {
			if size == 0 && h.NoEmpty {
				if err := write(f.w, nil); !errors.Is(err, errors.ErrUnsupported) {
					t.Errorf("empty message: error %v, want errors.ErrUnsupported", err)
				}
				continue
			}
			transfer(t, f, pattern(size), false)
		}
	}
}

func (h Harness) testTooLong(t *testing.T) {
	a, b := h.open(t)
	for _, f := range h.all(a, b) {
		limit := f.w.(transport.MsgConn).MaxMsg()
		if limit < 1 {
			t.Fatalf("MaxMsg is %d", limit)
		}
		if limit >= maxRefused {
			t.Logf("MaxMsg is %d: not tried", limit)
			continue
		}
		done := start(func() error { return write(f.w, make([]byte, limit+1)) })
		if err := await(t, done, Patience, "refusing a long message"); !errors.Is(err, transport.ErrMsgTooLong) {
			t.Errorf("a message of MaxMsg+1 bytes: error %v, want transport.ErrMsgTooLong", err)
		}
		transfer(t, f, []byte("after it"), false)
	}
}

func (h Harness) testShortBuffer(t *testing.T) {
	a, b := h.open(t)
	for _, f := range h.all(a, b) {
		sent := start(func() error { return errors.Join(write(f.w, pattern(100)), write(f.w, []byte("next"))) })
		p := make([]byte, 10)
		got := start(func() error {
			n, _, err := f.r.(transport.MsgConn).ReadMsg(p)
			if n != 10 || !errors.Is(err, io.ErrShortBuffer) || !bytes.Equal(p, pattern(100)[:10]) {
				return fmt.Errorf("ReadMsg of 100 bytes into 10: %d, error %v; want 10, io.ErrShortBuffer", n, err)
			}
			return nil
		})
		if err := await(t, got, Patience, "reading into a short buffer"); err != nil {
			t.Error(err)
		}
		wantMsg(t, f.r, []byte("next"), false)
		if err := await(t, sent, Patience, "writing two messages"); err != nil {
			t.Error(err)
		}
	}
}

// transfer sends one message through f and checks that it arrives.
func transfer(t testing.TB, f flow, want []byte, text bool) {
	t.Helper()
	sent := start(func() error { return f.w.(transport.MsgConn).WriteMsg(want, transport.Meta{Text: text}) })
	wantMsg(t, f.r, want, text)
	if err := await(t, sent, Patience, "writing a message"); err != nil {
		t.Errorf("write of %d bytes: %v", len(want), err)
	}
}

// wantMsg reads one message, which must be want.
func wantMsg(t testing.TB, c transport.Conn, want []byte, text bool) {
	t.Helper()
	got := start(func() error {
		p := make([]byte, len(want)+1)
		n, m, err := c.(transport.MsgConn).ReadMsg(p)
		switch {
		case err != nil:
			return fmt.Errorf("read %d bytes, error %w; want %d bytes", n, err, len(want))
		case !bytes.Equal(p[:n], want):
			return fmt.Errorf("read %d bytes %.40q, want %d bytes %.40q", n, p[:n], len(want), want)
		case text && !m.Text:
			return errors.New("a text message arrived as binary")
		}
		return nil
	})
	if err := await(t, got, Patience, fmt.Sprintf("reading a message of %d bytes", len(want))); err != nil {
		t.Fatal(err)
	}
}

// pattern returns a position-coded message.
func pattern(n int) []byte {
	p := make([]byte, n)
	fill(p, 0)
	return p
}
