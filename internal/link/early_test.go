package link

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/nettest"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// OpenEarly saves a round trip, and bytes are counted as always.
func TestOpenEarly(t *testing.T) {
	const delay = 40 * time.Millisecond
	for _, far := range []time.Duration{0, -1} { // one that has survival off, too
		virtually(t, delay, Options{}, func(p *pair) {
			p.far.Close() //nolint:errcheck // it returns nil
			p.far.stop()
			p.far = New(p.b, Options{Survive: far})
			p.far.Serve("echo", func(s transport.Stream) { io.Copy(s, s); s.CloseWrite() }) //nolint:errcheck // it would show below
			begin := time.Now()
			s, err := p.near.OpenEarly(p.t.Context(), p.b.Self(), "echo", 0)
			if err != nil {
				p.t.Fatal(err)
			}
			data := random(1 << 20)
			go func() {
				s.Write(data)  //nolint:errcheck // it would show below
				s.CloseWrite() //nolint:errcheck // it would show below
			}()
			b := make([]byte, 1)
			if _, err := io.ReadFull(s, b); err != nil || time.Since(begin) > 4*delay {
				p.t.Errorf("%v after %v", err, time.Since(begin))
			}
			rest, err := io.ReadAll(s)
			if err != nil || string(append(b, rest...)) != string(data) {
				p.t.Errorf("%d bytes, %v", len(rest), err)
			}
			if err := s.Close(); err != nil {
				p.t.Error(err)
			}
		})
	}
}

func TestOpenEarlyRefused(t *testing.T) {
	virtually(t, time.Millisecond, Options{}, func(p *pair) {
		s, err := p.near.OpenEarly(p.t.Context(), p.b.Self(), "nothing", 0)
		if err != nil {
			p.t.Fatal(err)
		}
		s.Write(make([]byte, 1000)) //nolint:errcheck // it would show below
		if _, err := s.Read(make([]byte, 1)); !errors.Is(err, peer.ErrNoProtocol) {
			p.t.Errorf("it reads: %v", err)
		}
		if _, err := s.Write([]byte("x")); !errors.Is(err, peer.ErrNoProtocol) {
			p.t.Errorf("it writes: %v", err)
		}
	})
}

// A session that is lost before there was an answer goes on, if the other side has it.
func TestOpenEarlyLost(t *testing.T) {
	for _, at := range []time.Duration{0, 10, 20, 21, 30, 40, 50} {
		virtually(t, 20*time.Millisecond, Options{}, func(p *pair) {
			p.far.Serve("echo", func(s transport.Stream) { io.Copy(s, s); s.CloseWrite() }) //nolint:errcheck // it would show below
			s, err := p.near.OpenEarly(p.t.Context(), p.b.Self(), "echo", 0)
			if err != nil {
				p.t.Fatal(err)
			}
			time.AfterFunc(at*time.Millisecond, func() {
				p.w.Break(p.a, p.b)
				time.AfterFunc(time.Second, func() { p.w.Heal(p.a, p.b) })
			})
			io.WriteString(s, "hello") //nolint:errcheck // it would show below
			s.CloseWrite()             //nolint:errcheck // it would show below
			b, err := io.ReadAll(s)
			if !(err == nil && string(b) == "hello" || errors.Is(err, ErrForgotten)) || at > 20 && err != nil {
				p.t.Errorf("lost after %d ms: %q, %v", at, b, err)
			}
		})
	}
}

func TestOpenEarlyConn(t *testing.T) {
	nettest.TestConn(t, func() (near, far net.Conn, stop func(), err error) {
		two := set(0, time.Second)(t)
		accepted, done := make(chan transport.Stream, 1), make(chan struct{})
		two.B.Serve("conn", func(s transport.Stream) {
			accepted <- s
			<-done
		})
		s, err := two.A.(*Network).OpenEarly(t.Context(), two.B.Self(), "conn", 0)
		if err != nil {
			return nil, nil, nil, err
		}
		f := <-accepted
		return s, f, func() {
			close(done)
			s.Close() //nolint:errcheck // checked elsewhere
			f.Close() //nolint:errcheck // checked elsewhere
		}, nil
	})
}

// What opens a session early goes with the first data, and what answers it with the first
// that is said.
func TestOpenEarlyWrites(t *testing.T) {
	virtually(t, time.Millisecond, Options{}, func(p *pair) {
		counts := make(chan *tallied, 1)
		p.open()       // there is a link, of which no change is told in the middle
		p.near.Close() //nolint:errcheck // it returns nil
		p.near.stop()
		p.near = New(tallying{p.a, counts}, Options{})
		synctest.Wait()
		p.far.Serve("ask", func(s transport.Stream) {
			io.ReadFull(s, make([]byte, 3))       //nolint:errcheck // it would show below
			time.Sleep(10 * time.Millisecond)     // it takes its time
			io.WriteString(s, "the answer to it") //nolint:errcheck // it would show below
			io.Copy(io.Discard, s)                //nolint:errcheck // it waits for the end
		})
		s, err := p.near.OpenEarly(p.t.Context(), p.b.Self(), "ask", 0)
		if err != nil {
			p.t.Fatal(err)
		}
		c := <-counts
		io.WriteString(s, "ask") //nolint:errcheck // it would show below
		b := make([]byte, 64)
		if n, err := s.Read(b); err != nil || string(b[:n]) != "the answer to it" {
			p.t.Errorf("%q, %v", b[:n], err)
		}
		if got, want := c.first.Load(), int32(headSize+openSize+len("ask")+headSize+len("ask")); got != want {
			p.t.Errorf("the first write is %d bytes, want the %d of an opening and a request", got, want)
		}
		s.Close() //nolint:errcheck // it would show above
	})
}

// Who opens early and waits for the other side to speak, opens, and who is slow to answer
// says within a second that the session is open.
func TestOpenEarlyListens(t *testing.T) {
	virtually(t, time.Millisecond, Options{}, func(p *pair) {
		p.far.Serve("greet", func(s transport.Stream) { io.WriteString(s, "hi") }) //nolint:errcheck // it would show below
		p.far.Serve("take", func(s transport.Stream) { io.Copy(io.Discard, s) })   //nolint:errcheck // it would show below
		s, err := p.near.OpenEarly(p.t.Context(), p.b.Self(), "greet", 0)
		if err != nil {
			p.t.Fatal(err)
		}
		begin := time.Now()
		if b, err := io.ReadAll(s); err != nil || string(b) != "hi" || time.Since(begin) > 100*time.Millisecond {
			p.t.Errorf("%q, %v after %v", b, err, time.Since(begin))
		}
		s.Close() //nolint:errcheck // it would show above
		if s, err = p.near.OpenEarly(p.t.Context(), p.b.Self(), "take", 0); err != nil {
			p.t.Fatal(err)
		}
		begin = time.Now()
		if _, err := s.Write(make([]byte, 1<<20)); err != nil || time.Since(begin) > 1100*time.Millisecond {
			p.t.Errorf("%v after %v", err, time.Since(begin))
		}
		s.Close() //nolint:errcheck // it would show above
	})
}

// counting hands out the streams that are opened, which count writes.
type tallying struct {
	peer.Network
	opened chan *tallied
}

type tallied struct {
	transport.Stream
	first atomic.Int32 // bytes in the first write
}

func (n tallying) Open(ctx context.Context, to peer.ID, proto string) (transport.Stream, error) {
	s, err := n.Network.Open(ctx, to, proto)
	if err != nil {
		return nil, err
	}
	c := &tallied{Stream: s}
	n.opened <- c
	return c, nil
}

func (c *tallied) Write(p []byte) (int, error) {
	c.first.CompareAndSwap(0, int32(len(p)))
	return c.Stream.Write(p)
}
