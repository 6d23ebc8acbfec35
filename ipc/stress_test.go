//go:build linux

package ipc

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenon-net/tenon/transport"
)

const patience = 20 * time.Second

// coded is the byte at an offset of a stream: with a period that is a prime, what is
// lost, doubled or swapped shows.
func coded(offset int) byte { return byte((offset % 65521) * 167 >> 3) }

func fill(p []byte, offset int) {
	for i := range p {
		p[i] = coded(offset + i)
	}
}

func check(p []byte, offset int) error {
	for i, b := range p {
		if want := coded(offset + i); b != want {
			return fmt.Errorf("byte %d is %#02x, want %#02x", offset+i, b, want)
		}
	}
	return nil
}

// start runs f in a goroutine and returns where its result will be.
func start(f func() error) <-chan error {
	c := make(chan error, 1)
	go func() { c <- f() }()
	return c
}

// await returns what arrives on c, or fails the test with all goroutines' stacks.
func await(t testing.TB, c <-chan error, what string) error {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case err := <-c:
		return err
	case <-timer.C:
		stacks := make([]byte, 64<<10)
		t.Fatalf("%s took more than %v\n\n%s", what, patience, stacks[:runtime.Stack(stacks, true)])
		return nil
	}
}

// until waits for something that the other side's memory shows.
func until(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !f(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("it did not happen in %v that %s", patience, what)
		}
	}
}

// park keeps an end from spinning, as if it had but one processor.
func park(cs ...transport.Conn) {
	for _, c := range cs {
		l := linkOf(c)
		l.in.spin.limit, l.out.spin.limit = -1, -1
	}
}

// TestWakeUps sends both ways at once through the smallest rings, in pieces of
// random sizes, so that everybody parks and is woken thousands of times.
func TestWakeUps(t *testing.T) {
	for _, parked := range []bool{false, true} {
		for _, msgs := range []bool{false, true} {
			t.Run(fmt.Sprintf("messages=%v,parked=%v", msgs, parked), func(t *testing.T) {
				a, b := pair(t, msgs, MinSize)
				if parked {
					park(a, b)
				}
				const total = 1 << 20
				var done []<-chan error
				for i, c := range []transport.Conn{a, b} {
					r := rand.New(rand.NewPCG(1, uint64(i)))
					w := rand.New(rand.NewPCG(2, uint64(i)))
					done = append(done, start(func() error { return receiveAll(c, total, r) }))
					done = append(done, start(func() error { return sendAll(c, total, w) }))
				}
				for _, d := range done {
					if err := await(t, d, "sending both ways"); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
}

// sendAll sends total coded bytes, pausing at times, and then the end.
func sendAll(c transport.Conn, total int, r *rand.Rand) error {
	p := make([]byte, 9000)
	for done := 0; done < total; {
		n := min(1+r.IntN(r.IntN(len(p))+1), total-done)
		var err error
		if m, ok := c.(*MsgConn); ok {
			n = min(n, m.MaxMsg())
			fill(p[:n], done)
			err = m.WriteMsg(p[:n], transport.Meta{Text: done%2 == 0})
		} else {
			fill(p[:n], done)
			_, err = c.(*Conn).Write(p[:n])
		}
		if err != nil {
			return fmt.Errorf("write at %d: %w", done, err)
		}
		done += n
		if r.IntN(8) == 0 {
			runtime.Gosched()
		}
	}
	return c.CloseWrite()
}

// receiveAll receives what sendAll sends.
func receiveAll(c transport.Conn, total int, r *rand.Rand) error {
	p := make([]byte, 5000)
	for done := 0; done <= total; {
		var n int
		var err error
		if m, ok := c.(*MsgConn); ok {
			var meta transport.Meta
			n, meta, err = m.ReadMsg(p)
			if err == nil && meta.Text != (done%2 == 0) {
				return fmt.Errorf("message at %d: text is %v", done, meta.Text)
			}
		} else {
			n, err = c.(*Conn).Read(p[:1+r.IntN(len(p))])
		}
		if err == io.EOF && done == total {
			return nil
		}
		if err := errors.Join(err, check(p[:n], done)); err != nil {
			return fmt.Errorf("read at %d: %w", done, err)
		}
		done += n
		if r.IntN(8) == 0 {
			runtime.Gosched()
		}
	}
	return errors.New("more came than was sent")
}

// TestBothWritersParked fills both rings until both writers park, each of which has
// a reader parked beside it.
func TestBothWritersParked(t *testing.T) {
	a, b := streams(t, MinSize)
	const total = 50_000
	var sent atomic.Int64
	var done []<-chan error
	for _, c := range []*Conn{a, b} {
		done = append(done, start(func() error {
			p := make([]byte, total)
			fill(p, 0)
			n, err := c.Write(p)
			sent.Add(int64(n))
			return err
		}))
	}
	for _, c := range []*Conn{a, b} {
		until(t, "a writer parks", func() bool { return c.out.p.ctl.producerWaits.load() == 1 })
	}
	for _, c := range []*Conn{a, b} {
		done = append(done, start(func() error {
			p := make([]byte, total)
			if _, err := io.ReadFull(c, p); err != nil {
				return err
			}
			return check(p, 0)
		}))
	}
	for _, d := range done {
		if err := await(t, d, "emptying the rings"); err != nil {
			t.Error(err)
		}
	}
	if sent.Load() != 2*total {
		t.Errorf("%d bytes were written", sent.Load())
	}
}

// TestReaderAndWriterParked has a reader and a writer of the same end park at the
// same time, and wakes the one, then the other.
func TestReaderAndWriterParked(t *testing.T) {
	a, b := streams(t, MinSize)
	wrote := start(func() error { _, err := a.Write(make([]byte, 2*MinSize)); return err })
	p := make([]byte, 3)
	read := start(func() error { _, err := io.ReadFull(a, p); return err })
	until(t, "both park", func() bool {
		return a.out.p.ctl.producerWaits.load() == 1 && a.in.c.ctl.consumerWaits.load() == 1
	})
	if _, err := b.Write([]byte("abc")); err != nil {
		t.Fatal(err)
	}
	if err := await(t, read, "waking the reader"); err != nil || string(p) != "abc" {
		t.Errorf("read %q, %v", p, err)
	}
	if _, err := io.ReadFull(b, make([]byte, 2*MinSize)); err != nil {
		t.Fatal(err)
	}
	if err := await(t, wrote, "waking the writer"); err != nil {
		t.Error(err)
	}
}
