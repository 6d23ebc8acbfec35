package link

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/transport"
)

// A pair is two nodes with links, in virtual time.
type pair struct {
	w         *peertest.World
	a, b      *peertest.Node
	near, far *Network
	t         *testing.T
	accepted  chan *Stream
	done      chan struct{} // closed at the end
}

// virtually runs f with two nodes, and sees to it that nothing is left behind.
func virtually(t *testing.T, delay time.Duration, o Options, f func(p *pair)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &peertest.World{}
		p := &pair{w: w, a: w.Node("a", nil), b: w.Node("b", nil), t: t, accepted: make(chan *Stream, 100), done: make(chan struct{})}
		w.Delay(p.a, p.b, delay)
		p.near, p.far = New(p.a, o), New(p.b, o)
		f(p)
		close(p.done)
		p.near.Close() //nolint:errcheck // it returns nil
		p.far.Close()  //nolint:errcheck // it returns nil
		p.a.Close()    //nolint:errcheck // it returns nil
		p.b.Close()    //nolint:errcheck // it returns nil
		for _, n := range []*Network{p.near, p.far} {
			if used := n.memory.Used(); used != 0 || len(n.sessions) > 0 {
				t.Errorf("%d bytes are still booked, %d sessions are left", used, len(n.sessions))
			}
			for id, s := range n.peers {
				if s.memory.Used() != 0 || s.sessions != 0 || s.handshakes != 0 {
					t.Errorf("peer %v: %d bytes, %d sessions, %d handshakes", id, s.memory.Used(), s.sessions, s.handshakes)
				}
			}
		}
	})
}

// open opens a session and returns both ends.
func (p *pair) open() (near, far *Stream) {
	p.t.Helper()
	stop := p.far.Serve("test", func(s transport.Stream) {
		p.accepted <- s.(*Stream)
		<-p.done
	})
	defer stop()
	s, err := p.near.Open(p.t.Context(), p.b.Self(), "test")
	if err != nil {
		p.t.Fatal(err)
	}
	return s.(*Stream), <-p.accepted
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{'l'}).Read(b) //nolint:errcheck // it does not fail
	return b
}

// transfer moves data in both directions to their ends, and closes both.
func (p *pair) transfer(near, far *Stream, data []byte, pieces int) {
	want := sha256.Sum256(data)
	done := make(chan error, 4)
	for _, s := range []*Stream{near, far} {
		go func() {
			for rest := data; len(rest) > 0; {
				n := min(pieces, len(rest))
				if _, err := s.Write(rest[:n]); err != nil {
					done <- err
					return
				}
				rest = rest[n:]
			}
			done <- s.CloseWrite()
		}()
		go func() {
			h := sha256.New()
			n, err := io.Copy(h, s)
			if err == nil && !bytes.Equal(h.Sum(nil), want[:]) {
				err = fmt.Errorf("%d bytes, but other ones", n)
			}
			done <- err
		}()
	}
	for range 4 {
		if err := <-done; err != nil {
			p.t.Error(err)
		}
	}
	if err := near.Close(); err != nil {
		p.t.Error(err)
	}
	if err := far.Close(); err != nil {
		p.t.Error(err)
	}
}

func TestTransfer(t *testing.T) {
	virtually(t, 20*time.Millisecond, Options{}, func(p *pair) {
		near, far := p.open()
		begin := time.Now()
		p.transfer(near, far, random(3<<20), 5000)
		if d := time.Since(begin); d > 3*time.Second {
			p.t.Errorf("it takes %v", d)
		}
	})
}

// echo sends a line now and then, until stop is closed, and returns how long the answer
// took at most.
func (p *pair) echo(stop <-chan struct{}) (worst time.Duration) {
	defer p.far.Serve("echo", func(s transport.Stream) { io.Copy(s, s); s.CloseWrite() })() //nolint:errcheck // it would show below
	s, err := p.near.Open(p.t.Context(), p.b.Self(), "echo")
	if err != nil {
		p.t.Error(err)
		return 0
	}
	defer s.Close() //nolint:errcheck // checked elsewhere
	for i := 0; ; i++ {
		begin, line := time.Now(), fmt.Sprintf("line %04d", i)
		b := make([]byte, len(line))
		if _, err := io.WriteString(s, line); err != nil {
			p.t.Error(err)
			return worst
		}
		if _, err := io.ReadFull(s, b); err != nil || string(b) != line {
			p.t.Errorf("%q, %v instead of %q", b, err, line)
			return worst
		}
		worst = max(worst, time.Since(begin))
		select {
		case <-stop:
			return worst
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// through moves data in both directions, with an echo beside it, while trouble happens.
func (p *pair) through(trouble func()) (took, worst time.Duration, near *Stream) {
	near, far := p.open()
	stop, done := make(chan struct{}), make(chan time.Duration)
	go func() { done <- p.echo(stop) }()
	begin := time.Now()
	time.AfterFunc(200*time.Millisecond, trouble)
	p.transfer(near, far, random(2<<20), 5000)
	took = time.Since(begin)
	close(stop)
	return took, <-done, near
}

// Nothing is lost in a cut, and the session goes on soon after it.
func TestCuts(t *testing.T) {
	for _, cut := range []time.Duration{0, time.Millisecond, time.Second, 2 * time.Second, 7 * time.Second, 30 * time.Second, 55 * time.Second} {
		for name, f := range map[string]func(w *peertest.World, a, b *peertest.Node){"broken": (*peertest.World).Break, "silent": (*peertest.World).Silence} {
			t.Run(fmt.Sprint(cut, " ", name), func(t *testing.T) {
				virtually(t, 20*time.Millisecond, Options{}, func(p *pair) {
					took, worst, _ := p.through(func() {
						f(p.w, p.a, p.b)
						time.AfterFunc(cut, func() { p.w.Heal(p.a, p.b) })
					})
					if most := cut + 4*time.Second; took > most+time.Second || worst > most {
						p.t.Errorf("it took %v, the longest pause was %v", took, worst)
					}
				})
			})
		}
	}
}

// A way that passes nothing any more is noticed, though nothing says so.
func TestStranded(t *testing.T) {
	virtually(t, 20*time.Millisecond, Options{}, func(p *pair) {
		_, worst, near := p.through(func() { p.w.Strand(p.a, p.b) })
		if worst > 4*time.Second || near.Status().Resumed == 0 {
			p.t.Errorf("the longest pause was %v; resumed %d times", worst, near.Status().Resumed)
		}
	})
}

// Who is told that addresses have changed goes on within a second.
func TestProbe(t *testing.T) {
	virtually(t, 20*time.Millisecond, Options{}, func(p *pair) {
		_, worst, near := p.through(func() {
			p.w.Strand(p.a, p.b)
			p.near.Probe()
		})
		if worst > time.Second || near.Status().Resumed != 1 {
			p.t.Errorf("the longest pause was %v; resumed %d times", worst, near.Status().Resumed)
		}
		// It changes nothing where all is well.
		near, far := p.open()
		p.near.Probe()
		time.Sleep(5 * time.Second)
		if near.Status().Resumed != 0 || !near.Status().PausedSince.IsZero() {
			p.t.Errorf("%+v", near.Status())
		}
		p.transfer(near, far, random(1000), 100)
	})
}

// The side that has not opened the session does as well, and does not wait for the other to begin, which
// knows of nothing.
func TestProbeByTheOther(t *testing.T) {
	virtually(t, 20*time.Millisecond, Options{}, func(p *pair) {
		_, worst, near := p.through(func() {
			p.w.Strand(p.a, p.b)
			time.AfterFunc(25*time.Millisecond, p.far.Probe) // what was on its way has arrived by then
		})
		if worst > 700*time.Millisecond || near.Status().Resumed != 1 {
			p.t.Errorf("the longest pause was %v; resumed %d times", worst, near.Status().Resumed)
		}
	})
}

// An idle session notices it, too.
func TestStrandedIdle(t *testing.T) {
	virtually(t, 20*time.Millisecond, Options{}, func(p *pair) {
		near, far := p.open()
		time.Sleep(time.Minute)
		p.w.Strand(p.a, p.b)
		time.Sleep(15 * time.Second)
		if n, f := near.Status(), far.Status(); n.Resumed != 1 || f.Resumed != 1 || !n.PausedSince.IsZero() || !f.PausedSince.IsZero() {
			p.t.Errorf("%+v\n%+v", n, f)
		}
		p.transfer(near, far, random(1000), 100)
	})
}

// A session moves to a better path without a pause.
func TestRelayedToDirect(t *testing.T) {
	virtually(t, 20*time.Millisecond, Options{}, func(p *pair) {
		relay := p.w.Node("relay", nil)
		p.w.Relayed(p.a, p.b, relay)
		var near *Stream
		var paused atomic.Bool
		stop := make(chan struct{})
		watch := func() {
			for {
				for _, n := range []*Network{p.near, p.far} {
					for _, s := range n.Sessions() {
						if !s.PausedSince.IsZero() {
							paused.Store(true)
						}
					}
				}
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
				}
			}
		}
		_, worst, near := p.through(func() {
			go watch()
			p.w.Relayed(p.a, p.b, nil)
		})
		close(stop)
		if paused.Load() || worst > 200*time.Millisecond || near.Status().Resumed != 1 {
			p.t.Errorf("paused: %v, the longest wait was %v, moved %d times", paused.Load(), worst, near.Status().Resumed)
		}
		// And back: the direct path is lost.
		_, _, near = p.through(func() {
			p.w.Relayed(p.a, p.b, relay)
			p.w.Break(p.a, p.b)
			p.w.Heal(p.a, p.b)
		})
		if near.Status().Resumed != 1 {
			p.t.Errorf("resumed %d times", near.Status().Resumed)
		}
		relay.Close() //nolint:errcheck // it returns nil
	})
}

// When time has run out, both ends fail, and neither reads an end of file.
func TestTooLong(t *testing.T) {
	for name, f := range map[string]func(w *peertest.World, a, b *peertest.Node){"broken": (*peertest.World).Break, "silent": (*peertest.World).Silence} {
		t.Run(name, func(t *testing.T) {
			virtually(t, 20*time.Millisecond, Options{Survive: 10 * time.Second}, func(p *pair) {
				near, far := p.open()
				near.Write([]byte("x")) //nolint:errcheck // it would show below
				io.ReadFull(far, make([]byte, 1))
				time.Sleep(time.Second)
				begin := time.Now()
				f(p.w, p.a, p.b)
				time.AfterFunc(time.Minute, func() { p.w.Heal(p.a, p.b) })
				done := make(chan bool)
				for _, s := range []*Stream{near, far} {
					go func() {
						_, err := io.Copy(io.Discard, s)
						d := time.Since(begin)
						if !errors.Is(err, peer.ErrUnreachable) || d < 9*time.Second || d > 12*time.Second {
							p.t.Errorf("it reads %v after %v", err, d)
						}
						if _, err := s.Write([]byte("x")); !errors.Is(err, peer.ErrUnreachable) {
							p.t.Errorf("it writes: %v", err)
						}
						done <- true
					}()
				}
				<-done
				<-done
				if err := near.Close(); err != nil {
					p.t.Error(err)
				}
			})
		})
	}
}

// Close says so if the other side cannot be told.
func TestCloseTooLong(t *testing.T) {
	virtually(t, 20*time.Millisecond, Options{Survive: 10 * time.Second}, func(p *pair) {
		near, _ := p.open()
		p.w.Break(p.a, p.b)
		near.Write([]byte("x")) //nolint:errcheck // Close says it
		if err := near.Close(); !errors.Is(err, peer.ErrUnreachable) {
			p.t.Errorf("Close: %v", err)
		}
		if err := near.Close(); !errors.Is(err, peer.ErrUnreachable) {
			p.t.Errorf("Close again: %v", err)
		}
	})
}

// A half-close, a close and an abort are not lost with a connection, whenever that is.
func TestEndsAreCarried(t *testing.T) {
	for name, end := range map[string]func(s *Stream){
		"half-close": func(s *Stream) { s.CloseWrite() }, //nolint:errcheck // it would show below
		"close":      func(s *Stream) { s.Close() },      //nolint:errcheck // it would show below
		"abort":      func(s *Stream) { s.Abort(nil) },   //nolint:errcheck // it would show below
	} {
		for _, after := range []time.Duration{0, 10, 19, 20, 21, 30, 40, 41, 50, 60, 70} {
			for _, how := range []func(w *peertest.World, a, b *peertest.Node){(*peertest.World).Break, (*peertest.World).Silence, (*peertest.World).Strand} {
				t.Run(fmt.Sprint(name, after), func(t *testing.T) {
					virtually(t, 20*time.Millisecond, Options{}, func(p *pair) {
						near, far := p.open()
						near.Write([]byte("hello")) //nolint:errcheck // it would show below
						time.AfterFunc(after*time.Millisecond, func() {
							how(p.w, p.a, p.b)
							time.AfterFunc(5*time.Second, func() { p.w.Heal(p.a, p.b) })
						})
						end(near)
						b, err := io.ReadAll(far)
						switch {
						case name == "abort":
							if !errors.Is(err, ErrReset) && !errors.Is(err, ErrForgotten) {
								p.t.Errorf("%q, %v", b, err)
							}
							return
						case err != nil || string(b) != "hello":
							p.t.Errorf("%q, %v", b, err)
						}
						if name == "close" {
							for err = nil; err == nil; {
								_, err = far.Write(make([]byte, 1000))
							}
							if !errors.Is(err, ErrStopped) && !errors.Is(err, io.ErrClosedPipe) {
								p.t.Errorf("a write to who has closed: %v", err)
							}
						} else {
							io.WriteString(far, "bye") //nolint:errcheck // it would show below
						}
						if err := far.Close(); err != nil {
							p.t.Errorf("far: %v", err)
						}
						if name == "half-close" {
							if b, err := io.ReadAll(near); err != nil || string(b) != "bye" {
								p.t.Errorf("%q, %v", b, err)
							}
						}
						if err := near.Close(); err != nil {
							p.t.Errorf("near: %v", err)
						}
						time.Sleep(20 * time.Second)
						if n, f := p.near.Sessions(), p.far.Sessions(); len(n)+len(f) > 0 {
							p.t.Errorf("left: %+v %+v", n, f)
						}
					})
				})
			}
		}
	}
}

// A peer that has been restarted knows nothing of the session, and says so.
func TestRestarted(t *testing.T) {
	virtually(t, 20*time.Millisecond, Options{}, func(p *pair) {
		near, _ := p.open()
		p.w.Break(p.a, p.b)
		close(p.done)
		p.far.Close() //nolint:errcheck // it returns nil
		p.far.stop()
		p.done = make(chan struct{})
		p.far = New(p.b, Options{})
		p.w.Heal(p.a, p.b)
		begin := time.Now()
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, ErrForgotten) || !errors.Is(err, peer.ErrUnreachable) || time.Since(begin) > 3*time.Second {
			p.t.Errorf("%v after %v", err, time.Since(begin))
		}
	})
}

// Both sides go on with a session at the same time, and agree.
func TestBothResume(t *testing.T) {
	for _, apart := range []time.Duration{-30, -20, -10, -1, 0, 1, 10, 20, 30} {
		t.Run(fmt.Sprint(int(apart)), func(t *testing.T) {
			virtually(t, 10*time.Millisecond, Options{}, func(p *pair) {
				resume := func(s *Stream, after time.Duration) {
					time.Sleep(after)
					s.mu.Lock()
					s.better = true
					s.mu.Unlock()
					s.attempt(p.t.Context())
				}
				_, worst, near := p.through(func() {
					var near, far *Stream
					for _, s := range p.near.streams() {
						if s.proto == "test" {
							near = s
						}
					}
					for _, s := range p.far.streams() {
						if s.proto == "test" {
							far = s
						}
					}
					go resume(near, max(0, apart*time.Millisecond))
					go resume(far, max(0, -apart*time.Millisecond))
				})
				if near.Status().Resumed == 0 || worst > time.Second {
					p.t.Errorf("resumed %d times, %v", near.Status().Resumed, worst)
				}
			})
		})
	}
}

// A reader that takes nothing makes neither side hold more than a window.
func TestSlowReader(t *testing.T) {
	virtually(t, 20*time.Millisecond, Options{Buffer: 256 << 10}, func(p *pair) {
		near, far := p.open()
		near.SetWriteDeadline(time.Now().Add(time.Minute)) //nolint:errcheck // it would show below
		n, err := near.Write(make([]byte, 10<<20))
		if !errors.Is(err, os.ErrDeadlineExceeded) || n > 512<<10 {
			p.t.Errorf("%d, %v", n, err)
		}
		if st := near.Status(); st.Resumed > 0 || !st.PausedSince.IsZero() {
			p.t.Errorf("%+v", st)
		}
		far.mu.Lock()
		held := far.in.length
		far.mu.Unlock()
		if held > 256<<10 {
			p.t.Errorf("%d bytes are held", held)
		}
		near.Abort(nil) //nolint:errcheck // it returns nil
	})
}

func TestSessions(t *testing.T) {
	virtually(t, 20*time.Millisecond, Options{}, func(p *pair) {
		near, far := p.open()
		io.WriteString(near, "hello")               //nolint:errcheck // it would show below
		io.ReadFull(far, make([]byte, 5))           //nolint:errcheck // it would show below
		time.Sleep(1500 * time.Millisecond)         // a ping has measured
		n, f := p.near.Sessions(), p.far.Sessions() // one each
		if len(n) != 1 || len(f) != 1 || n[0].Sent != 5 || f[0].Received != 5 || !n[0].Opened || f[0].Opened || n[0].Peer != p.b.Self() || n[0].Proto != "test" ||
			n[0].Path != peer.Direct || n[0].Survive != DefaultSurvive || n[0].RoundTrip != 40*time.Millisecond || !n[0].PausedSince.IsZero() {
			p.t.Errorf("%+v\n%+v", n, f)
		}
		p.w.Break(p.a, p.b)
		synctest.Wait()
		if n := p.near.Sessions(); n[0].PausedSince != time.Now() || n[0].Path != "" {
			p.t.Errorf("%+v", n)
		}
	})
}
