package link

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/transport"
)

// A counter is told of every operation on the networks below, and does something in
// one of them.
type counter struct {
	mu    sync.Mutex
	count int
	at    int
	do    func()
}

func (c *counter) next() {
	c.mu.Lock()
	c.count++
	now := c.count == c.at
	c.mu.Unlock()
	if now {
		c.do()
	}
}

// A counted Network tells a counter of all that is done on its streams.
type counted struct {
	peer.Network
	c *counter
}

func (n counted) Open(ctx context.Context, to peer.ID, proto string) (transport.Stream, error) {
	n.c.next()
	s, err := n.Network.Open(ctx, to, proto)
	n.c.next()
	if err != nil {
		return nil, err
	}
	return countedStream{s, n.c}, nil
}

func (n counted) Serve(proto string, h func(transport.Stream)) func() {
	return n.Network.Serve(proto, func(s transport.Stream) { h(countedStream{s, n.c}) })
}

type countedStream struct {
	transport.Stream
	c *counter
}

func (s countedStream) Read(p []byte) (int, error) {
	s.c.next()
	n, err := s.Stream.Read(p)
	s.c.next()
	return n, err
}

func (s countedStream) Write(p []byte) (int, error) {
	s.c.next()
	n, err := s.Stream.Write(p)
	s.c.next()
	return n, err
}

func (s countedStream) Close() error {
	s.c.next()
	return s.Stream.Close()
}

func (s countedStream) CloseWrite() error {
	s.c.next()
	return s.Stream.CloseWrite()
}

func (s countedStream) Unwrap() transport.Conn { return s.Stream }

// A conversation comes to the right end wherever its connection is lost, once and for a
// moment, or gets stuck.
func TestCutAtEveryOperation(t *testing.T) { cutAtEveryOperation(t, converse) }

// So does one of which one side stops reading while the other one ends and has a status to come.
func TestCutWhileNothingIsWanted(t *testing.T) { cutAtEveryOperation(t, turnAway) }

func cutAtEveryOperation(t *testing.T, talk func(t *testing.T, near, far *Network, what string)) {
	for name, cut := range map[string]func(w *peertest.World, a, b *peertest.Node){
		"broken": (*peertest.World).Break, "silent": (*peertest.World).Silence, "stranded": (*peertest.World).Strand,
	} {
		t.Run(name, func(t *testing.T) {
			at := 1
			for ; ; at++ {
				var c *counter
				virtually(t, 3*time.Millisecond, Options{}, func(p *pair) {
					c = &counter{at: at, do: func() {
						cut(p.w, p.a, p.b)
						time.AfterFunc(1500*time.Millisecond, func() { p.w.Heal(p.a, p.b) })
					}}
					p.near.stop()
					p.far.stop()
					near, far := New(counted{p.a, c}, Options{}), New(counted{p.b, c}, Options{})
					defer far.Close()  //nolint:errcheck // it returns nil
					defer near.Close() //nolint:errcheck // it returns nil
					talk(p.t, near, far, fmt.Sprintf("%s at operation %d", name, at))
				})
				if c.count < at || t.Failed() {
					break
				}
			}
			if at < 20 {
				t.Errorf("there were %d operations only", at)
			}
		})
	}
}

// turnAway has one side end, and say later with what, while the other one closes at once.
func turnAway(t *testing.T, near, far *Network, what string) {
	got := make(chan error, 1)
	far.Serve("talk", func(s transport.Stream) {
		far := s.(*Stream)
		far.KnowsStatus()
		far.PromiseStatus()
		err := far.CloseWrite()
		time.Sleep(20 * time.Second)
		far.CarryStatus("exit", answered)
		got <- errors.Join(err, far.Close())
	})
	s, err := near.Open(t.Context(), far.Self(), "talk")
	if err != nil {
		return // there was no session yet
	}
	begin := time.Now()
	if err := s.Close(); err != nil || time.Since(begin) > 15*time.Second {
		t.Errorf("%s: Close: %v after %v", what, err, time.Since(begin))
	}
	if err := <-got; err != nil {
		t.Errorf("%s: far: %v", what, err)
	}
}

// What the two sides of a conversation close with.
var asked, answered = transport.CloseStatus{Code: 1<<62 - 1, Reason: "asked"}, transport.CloseStatus{Code: 143, Reason: "SIGTERM"}

// converse has two sides ask and answer, each to its end, and say then with what they close: one when it ends,
// the other one later.
func converse(t *testing.T, near, far *Network, what string) {
	got := make(chan error, 1)
	far.Serve("talk", func(s transport.Stream) {
		question, err := io.ReadAll(s)
		if err == nil && string(question) != "one two three" {
			err = fmt.Errorf("asked: %q", question)
		}
		if _, werr := io.WriteString(s, "an answer"); err == nil {
			err = werr
		}
		if protocol, status, _ := s.(*Stream).CarriedStatus(); protocol != "quic h3" || status != asked {
			err = cmp.Or(err, fmt.Errorf("asked with %s %+v", protocol, status))
		}
		s.(*Stream).KnowsStatus()
		if !s.(*Stream).PromiseStatus() {
			err = cmp.Or(err, errors.New("no promise"))
		}
		if cerr := s.CloseWrite(); err == nil {
			err = cerr
		}
		time.Sleep(time.Millisecond)
		s.(*Stream).CarryStatus("exit", answered)
		if cerr := s.Close(); err == nil {
			err = cerr
		}
		got <- err
	})
	s, err := near.Open(t.Context(), far.Self(), "talk")
	if err != nil {
		return // there was no session yet
	}
	s.(*Stream).KnowsStatus()
	s.(*Stream).CarryStatus("quic h3", asked)
	for _, word := range []string{"one", " two", " three"} {
		if _, err := io.WriteString(s, word); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		time.Sleep(time.Millisecond)
	}
	if err := s.CloseWrite(); err != nil {
		t.Errorf("%s: %v", what, err)
	}
	if answer, err := io.ReadAll(s); err != nil || string(answer) != "an answer" {
		t.Errorf("%s: %q, %v", what, answer, err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("%s: Close: %v", what, err)
	}
	if protocol, status, _ := s.(*Stream).CarriedStatus(); protocol != "exit" || status != answered {
		t.Errorf("%s: answered with %s %+v", what, protocol, status)
	}
	if err := <-got; err != nil {
		t.Errorf("%s: far: %v", what, err)
	}
}

// Who aborts while something is being sent says so on the stream that there is: another one may not be had before the
// program ends.
func TestAbortAtEveryOperation(t *testing.T) {
	for at := 1; at <= 100; at++ {
		virtually(t, 3*time.Millisecond, Options{Buffer: 64 << 10}, func(p *pair) {
			var taken *Stream
			aborted := false
			c := &counter{at: at, do: func() {
				if aborted = taken != nil; aborted {
					taken.Abort(nil) //nolint:errcheck // it returns nil
				}
			}}
			p.far.stop()
			far := New(counted{p.b, c}, Options{Buffer: 64 << 10})
			defer far.Close() //nolint:errcheck // it returns nil
			far.Serve("test", func(s transport.Stream) {
				taken = s.(*Stream)
				io.Copy(io.Discard, s) //nolint:errcheck // it is aborted
			})
			s, err := p.near.Open(p.t.Context(), p.b.Self(), "test")
			if err != nil {
				p.t.Fatal(err)
			}
			begin := time.Now()
			for range 200 {
				if _, err = s.Write(make([]byte, 10_000)); err != nil {
					break
				}
			}
			near := s.(*Stream)
			near.mu.Lock()
			resumed := near.resumed
			near.mu.Unlock()
			if errors.Is(err, ErrReset) != aborted || resumed > 0 {
				p.t.Errorf("at operation %d: %v after %v, with %d streams more", at, err, time.Since(begin), resumed)
			}
		})
		if t.Failed() {
			break
		}
	}
}
