package link

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/transport"
)

// A pair is two nodes with links, in virtual time.
type pair struct {
	w          *peertest.World
	a, b       *peertest.Node
	near, far  *Network
	t          *testing.T
	accepted   chan *Stream
	wasClosing bool
}

// virtually runs f with two nodes, and sees to it that nothing is left behind.
func virtually(t *testing.T, delay time.Duration, o Options, f func(p *pair)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &peertest.World{}
		p := &pair{w: w, a: w.Node("a", nil), b: w.Node("b", nil), t: t, accepted: make(chan *Stream, 100)}
		w.Delay(p.a, p.b, delay)
		p.near, p.far = New(p.a, o), New(p.b, o)
		f(p)
		p.near.Close() //nolint:errcheck // it returns nil
		p.far.Close()  //nolint:errcheck // it returns nil
		p.a.Close()    //nolint:errcheck // it returns nil
		p.b.Close()    //nolint:errcheck // it returns nil
		for _, n := range []*Network{p.near, p.far} {
			if used := n.memory.used.Load(); used != 0 || len(n.sessions) > 0 {
				t.Errorf("%d bytes are still booked, %d sessions are left", used, len(n.sessions))
			}
			for id, s := range n.peers {
				if s.memory.used.Load() != 0 || s.sessions != 0 || s.handshakes != 0 {
					t.Errorf("peer %v: %d bytes, %d sessions, %d handshakes", id, s.memory.used.Load(), s.sessions, s.handshakes)
				}
			}
		}
	})
}

// open opens a session and returns both ends.
func (p *pair) open() (near, far *Stream) {
	p.t.Helper()
	hold := make(chan struct{})
	stop := p.far.Serve("test", func(s transport.Stream) {
		p.accepted <- s.(*Stream)
		<-s.(*Stream).over
	})
	defer stop()
	_ = hold
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
		t.Log(time.Since(begin))
	})
}

func TestCuts(t *testing.T) {
	for _, cut := range []time.Duration{0, 1, 7, 30, 55} {
		for _, silent := range []bool{false, true} {
			t.Run(fmt.Sprint(cut, silent), func(t *testing.T) {
				virtually(t, 20*time.Millisecond, Options{}, func(p *pair) {
					near, far := p.open()
					begin := time.Now()
					time.AfterFunc(200*time.Millisecond, func() {
						if silent {
							p.w.Silence(p.a, p.b)
						} else {
							p.w.Break(p.a, p.b)
						}
						time.AfterFunc(cut*time.Second, func() { p.w.Heal(p.a, p.b) })
					})
					p.transfer(near, far, random(3<<20), 5000)
					t.Log(time.Since(begin))
				})
			})
		}
	}
}
