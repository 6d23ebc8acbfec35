package link

import (
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// Close takes a round trip, whatever the other side is doing, and both sides are over
// soon after; only one that reads nothing is asked a second later.
func TestCloseIsQuick(t *testing.T) {
	const delay = 20 * time.Millisecond
	read := func(s transport.Stream) { io.Copy(io.Discard, s) }        //nolint:errcheck // it ends some time
	echo := func(s transport.Stream) { io.Copy(s, s); s.CloseWrite() } //nolint:errcheck // it ends some time
	write := func(s transport.Stream) {
		for err := error(nil); err == nil; {
			_, err = s.Write(make([]byte, 1000))
		}
	}
	some := func(s transport.Stream) { io.CopyN(io.Discard, s, 500) } //nolint:errcheck // it ends some time
	hello := func(s transport.Stream) {
		io.WriteString(s, "x")          //nolint:errcheck // it would show below
		io.ReadFull(s, make([]byte, 1)) //nolint:errcheck // it would show below
	}
	toTheEnd := func(s transport.Stream) {
		hello(s)
		s.CloseWrite() //nolint:errcheck // it would show below
		read(s)
	}
	for name, c := range map[string]struct {
		far, near func(transport.Stream)
		most      time.Duration
	}{
		"reads to the end": {read, func(transport.Stream) {}, 2 * delay},
		"echo":             {echo, hello, 2 * delay},
		"echo to the end":  {echo, toTheEnd, 2 * delay},
		"returns":          {func(transport.Stream) {}, read, 2 * delay},
		"reads nothing":    {func(s transport.Stream) { <-s.(*Stream).over }, func(s transport.Stream) { s.Write(make([]byte, 1000)) }, busyBeat}, //nolint:errcheck // it would show below
		"writes":           {write, some, 2 * delay},
	} {
		t.Run(name, func(t *testing.T) {
			virtually(t, delay, Options{}, func(p *pair) {
				p.far.Serve("test", c.far)
				s, err := p.near.Open(p.t.Context(), p.b.Self(), "test")
				if err != nil {
					p.t.Fatal(err)
				}
				c.near(s)
				begin := time.Now()
				if err := s.Close(); err != nil || time.Since(begin) > c.most {
					p.t.Errorf("Close: %v after %v", err, time.Since(begin))
				}
				time.Sleep(c.most + 2*busyBeat)
				if n := len(p.near.Sessions()) + len(p.far.Sessions()); n > 0 {
					p.t.Errorf("%d ends are left", n)
				}
			})
		})
	}
}

// The end of one direction is acknowledged soon also if the other goes on, and with the end of the
// other if that comes of it.
func TestEndIsAcknowledged(t *testing.T) {
	const delay = 20 * time.Millisecond
	for name, c := range map[string]struct {
		far   func(transport.Stream)
		after time.Duration // a round trip
	}{
		"the other goes on": {func(s transport.Stream) {
			io.Copy(io.Discard, s) //nolint:errcheck // it ends some time
			<-s.(*Stream).over
		}, finDelay},
		"the other ends": {func(s transport.Stream) {
			io.Copy(io.Discard, s) //nolint:errcheck // it ends some time
			s.CloseWrite()         //nolint:errcheck // it would show below
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			virtually(t, delay, Options{}, func(p *pair) {
				p.far.Serve("test", c.far)
				opened, err := p.near.Open(p.t.Context(), p.b.Self(), "test")
				if err != nil {
					p.t.Fatal(err)
				}
				s := opened.(*Stream)     //nolint:forcetypeassert // it survives
				go io.Copy(io.Discard, s) //nolint:errcheck // it ends some time
				if err := s.CloseWrite(); err != nil {
					p.t.Error(err)
				}
				time.Sleep(2*delay + c.after + time.Millisecond)
				s.mu.Lock()
				acked := s.finAcked
				s.mu.Unlock()
				if !acked {
					p.t.Error("it is not")
				}
				abort(s, nil)
			})
		})
	}
}

// Close of a Network waits neither for those who say nothing, nor for streams that do
// not survive, nor for who opens.
func TestNetworkCloses(t *testing.T) {
	virtually(t, time.Millisecond, Options{}, func(p *pair) {
		p.near.stop()
		p.raw(p.a, nil)                                                           // half-open
		p.far.Serve("plain", func(s transport.Stream) { io.Copy(io.Discard, s) }) //nolint:errcheck // of no interest
		plain := p.raw(p.a, (&opening{proto: "plain"}).frame())
		if h, _, err := readFrame(plain, frameOpened); err != nil {
			p.t.Error(h, err)
		}
		silent := p.w.Node("silent", nil)
		defer silent.Close()                                                     //nolint:errcheck // it returns nil
		silent.Serve(Proto, func(s transport.Stream) { io.Copy(io.Discard, s) }) //nolint:errcheck // of no interest
		opened := make(chan error)
		go func() {
			_, err := p.far.Open(p.t.Context(), silent.Self(), "test")
			opened <- err
		}()
		time.Sleep(time.Second)
		begin := time.Now()
		closed := make(chan error)
		go func() { closed <- p.far.Close() }()
		if err := <-opened; !errors.Is(err, peer.ErrUnreachable) {
			p.t.Errorf("Open: %v", err)
		}
		<-closed
		if d := time.Since(begin); d > closeGrace {
			p.t.Errorf("Close takes %v", d)
		}
	})
}

// A sluggish Network is on a machine that is too busy to send.
type sluggish struct {
	peer.Network
	busy atomic.Bool
}

const sluggishTime = 1200 * time.Millisecond

func (n *sluggish) Serve(proto string, h func(transport.Stream)) func() {
	return n.Network.Serve(proto, func(s transport.Stream) { h(sluggishStream{s, n}) })
}

type sluggishStream struct {
	transport.Stream
	n *sluggish
}

func (s sluggishStream) Write(p []byte) (int, error) {
	if s.n.busy.Load() {
		time.Sleep(sluggishTime)
	}
	return s.Stream.Write(p)
}

func (s sluggishStream) Unwrap() transport.Conn { return s.Stream }

// Who sends all the time hears that the other side ends, however busy that is: it would wait for as long as the
// session survives.
func TestNetworkClosesBusy(t *testing.T) {
	for _, aborts := range []bool{false, true} {
		virtually(t, time.Millisecond, Options{}, func(p *pair) {
			p.far.stop()
			slow := &sluggish{Network: p.b}
			far := New(slow, Options{})
			come := make(chan transport.Stream, 1)
			far.Serve("test", func(s transport.Stream) {
				io.CopyN(io.Discard, s, 1<<20) //nolint:errcheck // it would show below
				come <- s
				<-s.(*Stream).over
			})
			s, err := p.near.Open(p.t.Context(), p.b.Self(), "test")
			if err != nil {
				p.t.Fatal(err)
			}
			poured := make(chan error, 1)
			go func() {
				_, err := io.Copy(s, zeroes{})
				poured <- err
			}()
			taken := <-come
			slow.busy.Store(true)
			begin := time.Now()
			if aborts {
				abort(taken, nil)
			}
			far.Close() //nolint:errcheck // it returns nil
			if d := time.Since(begin); d > aliveGrace {
				p.t.Errorf("Close takes %v", d)
			}
			p.b.Close() //nolint:errcheck // it returns nil
			time.Sleep(time.Second)
			select {
			case err := <-poured:
				if !errors.Is(err, ErrReset) {
					p.t.Error(err)
				}
			default:
				p.t.Error("it waits for a side that has gone")
				abort(s, nil)
			}
		})
	}
}

// zeroes are without end.
type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) { return len(p), nil }
