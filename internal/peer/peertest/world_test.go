package peertest

import (
	"context"
	"errors"
	"io"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// set makes two nodes that admit each other, with a delay between them, and a third.
func set(delay time.Duration) func(t *testing.T) Set {
	return func(t *testing.T) Set {
		w := &World{}
		var stranger *Node
		admit := func(id peer.ID) bool { return id != stranger.Self() }
		a, b := w.Node("a", admit), w.Node("b", admit)
		stranger = w.Node("stranger", nil)
		w.Delay(a, b, delay)
		for _, n := range []*Node{a, b, stranger} {
			t.Cleanup(func() { n.Close() }) //nolint:errcheck // it returns nil
		}
		return Set{A: a, B: b, Stranger: stranger, Datagrams: true, Break: func() { w.Break(a, b) }}
	}
}

func TestNetwork(t *testing.T)              { Run(t, set(0)) }
func TestNetworkWithLatency(t *testing.T)   { Run(t, set(5*time.Millisecond)) }
func TestAHandlerThatReadsAll(t *testing.T) { Hostile(t, time.Hour, readBounded, nil) }

// readBounded is a handler that does what every one must: it bounds what it reads, and
// the time.
func readBounded(s transport.Stream) {
	s.SetDeadline(time.Now().Add(time.Minute))      //nolint:errcheck // it has deadlines
	io.Copy(io.Discard, io.LimitReader(s, 100<<10)) //nolint:errcheck // of no interest
}

func TestHostileNoticesAHandlerThatHangs(t *testing.T) {
	// A handler that waits for an end that does not come: the behaviors must have one
	// that shows it.
	hangs := 0
	for _, b := range Behaviors {
		synctest.Test(t, func(t *testing.T) {
			w := &World{}
			us, them := w.Node("us", nil), w.Node("them", nil)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			returned := make(chan struct{})
			us.Serve("test", func(s transport.Stream) {
				defer close(returned)
				io.CopyN(io.Discard, s, 1<<30) //nolint:errcheck // the bug
			})
			s, err := them.Open(ctx, us.Self(), "test")
			if err != nil {
				t.Fatal(err)
			}
			go b.Play(ctx, s)
			select {
			case <-returned:
			case <-time.After(50 * time.Second):
				hangs++
			}
			w.Break(us, them)
			us.Close()   //nolint:errcheck // it returns nil
			them.Close() //nolint:errcheck // it returns nil
		})
	}
	if hangs < 3 {
		t.Errorf("%d behaviors show it", hangs)
	}
}

// two runs f with two nodes and a stream between them, in virtual time.
func two(t *testing.T, delay time.Duration, f func(t *testing.T, w *World, a, b *Node, near, far transport.Stream)) {
	synctest.Test(t, func(t *testing.T) {
		w := &World{}
		a, b := w.Node("a", nil), w.Node("b", nil)
		w.Delay(a, b, delay)
		got, done := make(chan transport.Stream, 1), make(chan struct{})
		b.Serve("test", func(s transport.Stream) {
			got <- s
			<-done
		})
		near, err := a.Open(t.Context(), b.Self(), "test")
		if err != nil {
			t.Fatal(err)
		}
		f(t, w, a, b, near, <-got)
		close(done)
		a.Close() //nolint:errcheck // it returns nil
		b.Close() //nolint:errcheck // it returns nil
	})
}

func TestLatencyIsExact(t *testing.T) {
	begin := time.Now()
	two(t, 40*time.Millisecond, func(t *testing.T, w *World, a, b *Node, near, far transport.Stream) {
		opened := time.Now()
		near.Write([]byte("x")) //nolint:errcheck // it would show below
		near.CloseWrite()       //nolint:errcheck // it would show below
		if p, err := io.ReadAll(far); err != nil || string(p) != "x" || time.Since(opened) != 40*time.Millisecond {
			t.Errorf("%q, %v after %v", p, err, time.Since(opened))
		}
		for l := range a.Links() {
			if l.RTT != 80*time.Millisecond || l.Peer != b.Self() || l.Addr != "b" {
				t.Errorf("%+v", l)
			}
		}
	})
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("virtual time took %v", d)
	}
}

func TestSilenceLosesNothing(t *testing.T) {
	two(t, 10*time.Millisecond, func(t *testing.T, w *World, a, b *Node, near, far transport.Stream) {
		begin := time.Now()
		near.Write([]byte("before ")) //nolint:errcheck // it would show below
		w.Silence(a, b)
		near.Write([]byte("after")) //nolint:errcheck // it would show below
		near.CloseWrite()           //nolint:errcheck // it would show below
		time.AfterFunc(time.Minute, func() { w.Heal(a, b) })
		if p, err := io.ReadAll(far); err != nil || string(p) != "before after" || time.Since(begin) != time.Minute+10*time.Millisecond {
			t.Errorf("%q, %v after %v", p, err, time.Since(begin))
		}
	})
}

func TestStrand(t *testing.T) {
	two(t, 10*time.Millisecond, func(t *testing.T, w *World, a, b *Node, near, far transport.Stream) {
		near.Write([]byte("lost")) //nolint:errcheck // it would show below
		w.Strand(a, b)
		far.SetReadDeadline(time.Now().Add(time.Hour)) //nolint:errcheck // it would show below
		if n, err := far.Read(make([]byte, 9)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%d, %v", n, err)
		}
		s, err := a.Open(t.Context(), b.Self(), "test")
		if err != nil {
			t.Fatalf("another stream: %v", err)
		}
		s.Close() //nolint:errcheck // it returns nil
	})
}

func TestOpenInSilence(t *testing.T) {
	two(t, 0, func(t *testing.T, w *World, a, b *Node, _, _ transport.Stream) {
		w.Silence(a, b)
		begin := time.Now()
		if _, err := a.Open(t.Context(), b.Self(), "test"); !errors.Is(err, peer.ErrUnreachable) || time.Since(begin) != OpenTimeout {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		begin = time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := a.Open(ctx, b.Self(), "test"); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
	})
}

func TestBreakAndHeal(t *testing.T) {
	two(t, time.Second, func(t *testing.T, w *World, a, b *Node, near, far transport.Stream) {
		near.Write([]byte("on its way")) //nolint:errcheck // it would show below
		changed := a.LinksChanged()
		w.Break(a, b)
		<-changed
		if p, err := io.ReadAll(far); len(p) > 0 || !errors.Is(err, peer.ErrUnreachable) {
			t.Errorf("%q, %v", p, err)
		}
		if _, err := a.Open(t.Context(), b.Self(), "test"); !errors.Is(err, peer.ErrUnreachable) {
			t.Errorf("while it is broken: %v", err)
		}
		w.Heal(a, b)
		s, err := a.Open(t.Context(), b.Self(), "test")
		if err != nil {
			t.Fatalf("after Heal: %v", err)
		}
		s.Close() //nolint:errcheck // it returns nil
	})
}

func TestRelayed(t *testing.T) {
	two(t, 0, func(t *testing.T, w *World, a, b *Node, _, _ transport.Stream) {
		via := w.Node("relay", nil)
		changed := b.LinksChanged()
		w.Relayed(a, b, via)
		<-changed
		for l := range b.Links() {
			if l.Path != peer.Relayed || l.Via != via.Self() || l.Peer != a.Self() {
				t.Errorf("%+v", l)
			}
		}
		w.Relayed(a, b, nil)
		for l := range b.Links() {
			if l.Path != peer.Direct || !l.Via.IsZero() {
				t.Errorf("%+v", l)
			}
		}
	})
}

func TestTickets(t *testing.T) {
	s := &Tickets{}
	no := errors.New("no")
	for i, c := range []struct {
		leave *peer.TicketRecord
		err   error
		want  bool // is there one before
	}{{nil, no, false}, {&peer.TicketRecord{Revoked: true}, no, false}, {&peer.TicketRecord{Revoked: true}, nil, false}, {nil, no, true}} {
		err := s.Update(t.Context(), peer.Serial{1}, func(r *peer.TicketRecord) (*peer.TicketRecord, error) {
			if (r != nil) != c.want {
				t.Errorf("%d: %+v", i, r)
			}
			return c.leave, c.err
		})
		if err != c.err { //nolint:errorlint // the same
			t.Errorf("%d: %v", i, err)
		}
	}
}
