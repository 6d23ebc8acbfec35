package transporttest

import (
	"fmt"
	"io"
	"net"
	"testing"

	"golang.org/x/net/nettest"

	"github.com/tenon-net/tenon/transport"
)

// testStream checks that bytes arrive in order and once.
func (h Harness) testStream(t *testing.T) {
	t.Run("both ways", func(t *testing.T) {
		a, b := h.open(t)
		h.exchange(t, h.all(a, b), 1<<20, sizes, func(i int) int { return sizes(i + 3) })
	})
	t.Run("small pieces", func(t *testing.T) {
		a, b := h.open(t)
		h.exchange(t, h.all(a, b), 5000, func(int) int { return 1 }, func(i int) int { return 1 + i%7 })
	})
	if h.Kind.Traits.Deadlines && !h.Kind.Traits.OneWay && !h.Echo {
		t.Run("nettest", h.testNettest)
	}
}

func (h Harness) testNettest(t *testing.T) {
	if h.NoNettest != "" {
		t.Skip("nettest.TestConn does not hold: " + h.NoNettest)
	}
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		a, b := h.open(t)
		if b == nil {
			return nil, nil, nil, fmt.Errorf("a kind with deadlines needs a pair of two ends")
		}
		return a.(transport.Stream), b.(transport.Stream), func() { closeBoth(a, b) }, nil
	})
}

// exchange moves total bytes through all flows at once, in pieces of the sizes that
// the functions give. Those who read are asked first: when one of them has found a
// fault, those who write may wait for ever.
func (h Harness) exchange(t testing.TB, flows []flow, total int, out, in func(i int) int) {
	t.Helper()
	var got, sent []<-chan error
	for _, f := range flows {
		sent = append(sent, start(func() error { return send(f.w, total, out) }))
		got = append(got, start(func() error { return receive(f.r, total, in) }))
	}
	for _, r := range append(got, sent...) {
		if err := await(t, r, Patience, fmt.Sprintf("moving %d bytes", total)); err != nil {
			t.Fatal(err)
		}
	}
}

// sizes returns the size of the i-th piece: all sorts, most of them large.
func sizes(i int) int {
	return [...]int{1, 4096, 17, 65536, 1000, 32768, 3, 131072}[i%8]
}

// coded returns the byte at an offset of a position-coded stream: with a period
// that is a prime, a piece that is lost, doubled or swapped shows.
func coded(offset int) byte { return byte((offset % 65521) * 167 >> 3) }

// fill position-codes p, which stands at offset.
func fill(p []byte, offset int) {
	for i := range p {
		p[i] = coded(offset + i)
	}
}

// send writes total position-coded bytes.
func send(c transport.Conn, total int, size func(int) int) error {
	p := make([]byte, 131072)
	for i, done := 0, 0; done < total; i++ {
		piece := p[:min(size(i), total-done)]
		fill(piece, done)
		if err := write(c, piece); err != nil {
			return fmt.Errorf("write at %d of %d: %w", done, total, err)
		}
		done += len(piece)
	}
	return nil
}

// receive reads total position-coded bytes.
func receive(c transport.Conn, total int, size func(int) int) error {
	p := make([]byte, 131072)
	for i, done := 0, 0; done < total; i++ {
		n, err := read(c, p[:size(i)])
		if n > total-done {
			return fmt.Errorf("%d bytes more than the %d that were sent", n-(total-done), total)
		}
		for j, got := range p[:n] {
			if want := coded(done + j); got != want {
				return fmt.Errorf("byte %d is %#02x, want %#02x", done+j, got, want)
			}
		}
		if done += n; err != nil && done < total {
			return fmt.Errorf("read at %d of %d: %w", done, total, err)
		}
	}
	return nil
}

// wantEOF checks that nothing is left to read and that the end is clean.
func wantEOF(c transport.Conn) error {
	p := make([]byte, 64)
	if n, err := read(c, p); n != 0 || err != io.EOF {
		return fmt.Errorf("read %d bytes %q, error %v; want io.EOF", n, p[:n], err)
	}
	return nil
}
