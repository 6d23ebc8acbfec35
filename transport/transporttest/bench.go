package transporttest

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/tenon-net/tenon/transport"
)

// Bench measures the kind: throughput by the size of the pieces, round trips, and
// how long it takes to open and close a pair.
func Bench(b *testing.B, h Harness) {
	for _, size := range []int{1 << 10, 16 << 10, 64 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("throughput/%dk", size>>10), func(b *testing.B) { h.benchThroughput(b, size) })
	}
	if !h.Kind.Traits.OneWay {
		b.Run("roundtrip", h.benchRoundTrip)
	}
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			c, other := h.Pair(b)
			c.Close()
			if other != nil {
				other.Close()
			}
		}
	})
}

func (h Harness) benchThroughput(b *testing.B, size int) {
	x, y := h.open(b)
	flows := h.all(x, y)
	if len(flows) == 0 {
		b.Skip("nothing moves through the kind")
	}
	f := flows[0]
	if m, ok := f.w.(transport.MsgConn); ok && m.MaxMsg() < size {
		b.Skipf("the longest message is %d bytes", m.MaxMsg())
	}
	drained := start(func() error { return drain(f.r, size) })
	b.SetBytes(int64(size))
	p := make([]byte, size)
	for b.Loop() {
		if err := write(f.w, p); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	x.Close()
	if y != nil {
		y.Close()
	}
	<-drained
}

// drain reads c until something ends it.
func drain(c transport.Conn, size int) error {
	p := make([]byte, max(size, 64<<10))
	for {
		if _, err := read(c, p); err != nil {
			return err
		}
	}
}

func (h Harness) benchRoundTrip(b *testing.B) {
	x, y := h.open(b)
	if y != nil {
		echoed := start(func() error { return echo(y) })
		defer func() { x.Close(); y.Close(); <-echoed }()
	}
	p := make([]byte, 64)
	for b.Loop() {
		if err := errors.Join(write(x, p), readFull(x, p)); err != nil {
			b.Fatal(err)
		}
	}
}

// echo writes back what c sends until something ends it.
func echo(c transport.Conn) error {
	p := make([]byte, 4096)
	for {
		n, err := read(c, p)
		if err != nil {
			return err
		}
		if err := write(c, p[:n]); err != nil {
			return err
		}
	}
}

// readFull reads one message, or as many bytes as p has.
func readFull(c transport.Conn, p []byte) error {
	if s, ok := c.(transport.Stream); ok {
		_, err := io.ReadFull(s, p)
		return err
	}
	_, err := read(c, p)
	return err
}
