package peertest

import (
	"context"
	"io"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// A Behavior is what a peer does on a stream that it has opened, and should not. Play
// returns when there is nothing more to do, at the latest when ctx ends.
type Behavior struct {
	Name string
	Play func(ctx context.Context, s transport.Stream)
}

// Behaviors are what a handler must survive, whatever its protocol.
var Behaviors = []Behavior{
	{"closes at once", func(context.Context, transport.Stream) {}},
	{"aborts at once", func(_ context.Context, s transport.Stream) { transport.Abort(s, io.ErrUnexpectedEOF) }},
	{"half-closes at once and reads on", func(_ context.Context, s transport.Stream) {
		s.CloseWrite()         //nolint:errcheck // hostile
		io.Copy(io.Discard, s) //nolint:errcheck // hostile
	}},
	{"says nothing and reads nothing", func(ctx context.Context, _ transport.Stream) { <-ctx.Done() }},
	{"says nothing and reads on", func(_ context.Context, s transport.Stream) {
		io.Copy(io.Discard, s) //nolint:errcheck // hostile
	}},
	{"sends zeros without end", func(_ context.Context, s transport.Stream) { flood(s, make([]byte, 16<<10)) }},
	{"sends the greatest numbers without end", func(_ context.Context, s transport.Stream) { flood(s, ones(16<<10)) }},
	{"sends rubbish without end", func(_ context.Context, s transport.Stream) { flood(s, rubbish(16<<10)) }},
	{"sends some rubbish and closes", func(_ context.Context, s transport.Stream) { s.Write(rubbish(999)) }}, //nolint:errcheck // hostile
	{"sends a great length and waits", func(ctx context.Context, s transport.Stream) {
		s.Write(ones(8)) //nolint:errcheck // hostile
		<-ctx.Done()
	}},
	{"sends a byte every second", func(ctx context.Context, s transport.Stream) {
		for tick := time.NewTicker(time.Second); ctx.Err() == nil; {
			if _, err := s.Write([]byte{0}); err != nil {
				return
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	}},
	{"sends a few bytes and aborts", func(_ context.Context, s transport.Stream) {
		s.Write([]byte{0, 0, 0}) //nolint:errcheck // hostile
		transport.Abort(s, io.ErrUnexpectedEOF)
	}},
	{"speaks HTTP", func(_ context.Context, s transport.Stream) {
		io.WriteString(s, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n") //nolint:errcheck // hostile
		io.Copy(io.Discard, s)                                         //nolint:errcheck // hostile
	}},
}

// flood writes b again and again, until it cannot.
func flood(s transport.Stream, b []byte) {
	for range 8 << 20 / len(b) {
		if _, err := s.Write(b); err != nil {
			return
		}
	}
}

func ones(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = 0xff
	}
	return b
}

func rubbish(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{'h'}).Read(b) //nolint:errcheck // it does not fail
	return b
}

// Hostile runs a handler against every one of the [Behaviors], in virtual time, and
// fails if it has not returned within limit. check, which may be nil, is called
// behind each, to see that the peer has got nothing by it.
func Hostile(t *testing.T, limit time.Duration, handler func(transport.Stream), check func(t *testing.T)) {
	for _, b := range Behaviors {
		t.Run(b.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &World{}
				us, them := w.Node("us", nil), w.Node("them", nil)
				ctx, cancel := context.WithCancel(t.Context())
				begin := time.Now()
				us.Serve("test", func(s transport.Stream) {
					defer cancel()
					handler(s)
				})
				s, err := them.Open(ctx, us.Self(), "test")
				if err != nil {
					t.Fatal(err)
				}
				late := time.AfterFunc(limit, func() {
					t.Errorf("the handler has not returned after %v", limit)
					w.Break(us, them)
				})
				b.Play(ctx, s)
				s.Close() //nolint:errcheck // it returns nil
				<-ctx.Done()
				late.Stop()
				if d := time.Since(begin); d > limit {
					t.Errorf("the handler has returned after %v, and had %v", d, limit)
				}
				us.Close()   //nolint:errcheck // it returns nil
				them.Close() //nolint:errcheck // it returns nil
				if check != nil {
					check(t)
				}
			})
		})
	}
}
