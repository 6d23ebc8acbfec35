package datagram

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/internal/link"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/transport"
)

const delay = 20 * time.Millisecond

// A pair is two peers with sessions and a Mux each, in virtual time.
type pair struct {
	t        *testing.T
	w        *peertest.World
	a, b     *peertest.Node
	la, lb   *link.Network
	ma, mb   *Mux
	accepted chan transport.Stream
	done     chan struct{}
}

// virtually runs f with two peers, and sees to it that nothing is left behind.
func virtually(t *testing.T, o Options, f func(p *pair)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &peertest.World{}
		p := &pair{t: t, w: w, a: w.Node("a", nil), b: w.Node("b", nil), accepted: make(chan transport.Stream, 1), done: make(chan struct{})}
		w.Delay(p.a, p.b, delay)
		p.la, p.lb = link.New(p.a, link.Options{}), link.New(p.b, link.Options{})
		p.ma, p.mb = New(p.la, o), New(p.lb, o)
		p.lb.Serve("test", func(s transport.Stream) {
			p.accepted <- s
			<-p.done
		})
		f(p)
		close(p.done)
		for _, m := range []*Mux{p.ma, p.mb} {
			m.Close() //nolint:errcheck // it returns nil
			if m.memory.Used() != 0 || len(m.conns)+len(m.seeking)+len(m.peers) != 0 {
				t.Errorf("%d bytes, %d Conns, %d peers are left", m.memory.Used(), len(m.conns), len(m.peers))
			}
		}
		for _, c := range []io.Closer{p.la, p.lb, p.a, p.b} {
			c.Close() //nolint:errcheck // it returns nil
		}
	})
}

// lanes opens a stream with a lane at each end.
func (p *pair) lanes() (near, far *api.MsgConn) {
	p.t.Helper()
	s, err := p.la.Open(p.t.Context(), p.b.Self(), "test")
	if err != nil {
		p.t.Fatal(err)
	}
	return lane(s), lane(<-p.accepted)
}

func lane(s transport.Stream) *api.MsgConn {
	return api.Frames(s, nil, api.Messages, s.Info(), s.LocalAddr(), s.RemoteAddr()).(*api.MsgConn) //nolint:forcetypeassert // it is
}

// open opens a Conn at each side, and waits until the messages of both sides may be datagrams.
func (p *pair) open() (near, far *Conn) {
	p.t.Helper()
	n, f := p.lanes()
	near, far = p.ma.Ask(p.b.Self(), n), p.mb.Answer(p.a.Self(), f)
	time.Sleep(10 * delay)
	return near, far
}

func (p *pair) write(c transport.MsgConn, text string) {
	p.t.Helper()
	if err := c.WriteMsg([]byte(text), transport.Meta{}); err != nil {
		p.t.Errorf("write: %v", err)
	}
}

// read reads a message, which has to come within some time.
func (p *pair) read(c transport.MsgConn, within time.Duration) string {
	p.t.Helper()
	c.SetReadDeadline(time.Now().Add(within)) //nolint:errcheck // the read below shows it
	b := make([]byte, api.MaxMsg)
	n, _, err := c.ReadMsg(b)
	if err != nil {
		return err.Error()
	}
	return string(b[:n])
}

func (p *pair) reads(c transport.MsgConn, within time.Duration, want ...string) {
	p.t.Helper()
	for _, text := range want {
		if got := p.read(c, within); got != text {
			p.t.Errorf("%.40q comes, and not %.40q", got, text)
		}
	}
}

// A datagram that is lost delays none behind it, while what a stream carries is stuck.
func TestLossDelaysNothing(t *testing.T) {
	virtually(t, Options{}, func(p *pair) {
		near, far := p.open()
		if s := near.Status(); !s.Datagrams {
			t.Fatalf("%+v", s)
		}
		p.w.Stick(p.a, p.b)
		p.w.Treat(p.a, p.b, func(i int) (time.Duration, bool) { return 0, i%3 == 0 })
		near.WriteMsg([]byte("by the lane"), transport.Meta{Text: true}) //nolint:errcheck // it shows below
		for i := range 9 {
			time.Sleep(time.Millisecond)
			p.write(near, fmt.Sprint(i))
		}
		last := time.Now()
		p.reads(far, 2*delay, "1", "2", "4", "5", "7", "8")
		if took := time.Since(last); took != delay {
			t.Errorf("the last one takes %v", took)
		}
		p.w.Heal(p.a, p.b)
		p.reads(far, time.Minute, "by the lane")
		if s := near.Status(); s.Sent != 9 || s.Dropped != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// Each message comes whole, or not at all, whatever its length and by whatever way, in both
// directions.
func TestBoundaries(t *testing.T) {
	virtually(t, Options{Queue: 4 << 20, Memory: 8 << 20}, func(p *pair) {
		near, far := p.open()
		p.w.Treat(p.a, p.b, func(i int) (time.Duration, bool) { return time.Duration(i%3) * time.Millisecond, false })
		random := rand.NewChaCha8([32]byte{'f'})
		for _, ends := range [][2]*Conn{{near, far}, {far, near}} {
			want := map[string]bool{}
			for _, size := range []int{0, 1, 200, peertest.MaxDatagram, peertest.MaxDatagram + 1, 65507, api.MaxMsg} {
				b := make([]byte, size)
				random.Read(b) //nolint:errcheck // it does not fail
				want[string(b)] = true
				p.write(ends[0], string(b))
			}
			for len(want) > 0 {
				got := p.read(ends[1], time.Minute)
				if !want[got] {
					t.Fatalf("a message of %d bytes comes that was not sent: %.40q", len(got), got)
				}
				delete(want, got)
			}
			if s := ends[0].Status(); s.Sent != 4 || s.Dropped != 0 {
				t.Errorf("%+v", s)
			}
		}
		if err := near.WriteMsg(make([]byte, api.MaxMsg+1), transport.Meta{}); !errors.Is(err, transport.ErrMsgTooLong) {
			t.Errorf("one that is too long: %v", err)
		}
	})
}

// What begins over a relay, by the lane, goes on with datagrams when there is a direct
// way, by the lane when that is gone, and with datagrams again.
func TestMove(t *testing.T) {
	virtually(t, Options{}, func(p *pair) {
		via := p.w.Node("relay", nil)
		defer via.Close() //nolint:errcheck // it returns nil
		p.w.Relayed(p.a, p.b, via)
		near, far := p.open()
		both := func(when string, datagrams bool) {
			t.Helper()
			before := near.Status().Sent + far.Status().Sent
			for i := range 3 {
				text := fmt.Sprint(when, i)
				p.write(near, text)
				p.reads(far, time.Minute, text)
				p.write(far, text)
				p.reads(near, time.Minute, text)
			}
			sent := near.Status().Sent + far.Status().Sent - before
			if is := near.Status().Datagrams; is != datagrams || sent != map[bool]int64{true: 6}[datagrams] {
				t.Errorf("%s: %d datagrams, and that it has some is %v", when, sent, is)
			}
		}
		both("relayed", false)
		p.w.Relayed(p.a, p.b, nil)
		time.Sleep(time.Second)
		both("direct", true)
		p.w.Relayed(p.a, p.b, via)
		both("relayed again", false)
		p.w.Break(p.a, p.b)
		p.write(near, "kept by the session")
		p.w.Heal(p.a, p.b)
		p.reads(far, time.Minute, "kept by the session")
		p.w.Relayed(p.a, p.b, nil)
		time.Sleep(time.Second)
		both("direct again", true)
	})
}

// A service whose messages may not be lost has none as datagrams: nothing is answered to who
// asks. A peer that is older than datagrams is not even asked.
func TestNeverWhereNoneMayBeLost(t *testing.T) {
	for name, old := range map[string]bool{"a service with messages": false, "an old peer": true} {
		t.Run(name, func(t *testing.T) {
			virtually(t, Options{}, func(p *pair) {
				p.w.NoDatagrams(p.a, p.b, old)
				n, far := p.lanes()
				asked := 0
				far.OnLabel(func(uint32) { asked++ })
				near := p.ma.Ask(p.b.Self(), n)
				time.Sleep(time.Minute)
				p.w.Treat(p.a, p.b, func(int) (time.Duration, bool) { return 0, true })
				for i := range 50 {
					p.write(near, fmt.Sprint(i))
					p.write(far, fmt.Sprint(i))
				}
				for i := range 50 {
					p.reads(far, time.Second, fmt.Sprint(i))
					p.reads(near, time.Second, fmt.Sprint(i))
				}
				if want := map[bool]int{false: 1}[old]; asked != want || near.Status().Sent != 0 || near.Status().Datagrams {
					t.Errorf("it was asked %d times; %+v", asked, near.Status())
				}
				far.Close() //nolint:errcheck // it is over
			})
		})
	}
}

// Messages that are too long for datagrams do not hold up those that are not, though nobody
// takes them; what they take is bounded.
func TestLongHoldsUpNothing(t *testing.T) {
	virtually(t, Options{}, func(p *pair) {
		near, far := p.open()
		p.w.Stick(p.a, p.b)
		began := time.Now()
		for range 300 {
			p.write(near, string(make([]byte, 20_000)))
		}
		p.write(near, "short")
		p.reads(far, 2*delay, "short")
		if took := time.Since(began); took != delay {
			t.Errorf("it takes %v", took)
		}
		if used := p.ma.memory.Used(); near.Dropped() == 0 || used == 0 || used > DefaultQueue {
			t.Errorf("%d were dropped, %d bytes wait", near.Dropped(), used)
		}
		p.w.Heal(p.a, p.b)
		p.reads(far, time.Minute, string(make([]byte, 20_000)))
	})
}

// An end comes behind what goes by the lane, and ends one direction; what comes as datagrams
// behind it is not read.
func TestEnds(t *testing.T) {
	virtually(t, Options{}, func(p *pair) {
		near, far := p.open()
		long := string(bytes.Repeat([]byte{'x'}, 30_000))
		p.write(near, long)
		if err := errors.Join(near.CloseWrite(), near.CloseWrite()); err != nil {
			t.Error(err)
		}
		if err := near.WriteMsg(nil, transport.Meta{}); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("after CloseWrite: %v", err)
		}
		p.reads(far, time.Minute, long, "EOF")
		strays := p.mb.Strays()
		if err := p.a.SendDatagram(p.b.Self(), far.label, []byte("late")); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * delay)
		p.reads(far, time.Minute, "EOF")
		if p.mb.Strays() != strays+1 {
			t.Errorf("%d strays, and %d before", p.mb.Strays(), strays)
		}
		p.write(far, "the other direction")
		p.reads(near, time.Minute, "the other direction")
		far.Abort(errors.New("cut")) //nolint:errcheck // it shows below
		if got := p.read(near, time.Minute); got == "EOF" || got == "i/o timeout" {
			t.Errorf("after an abort: %s", got)
		}
		if err := far.WriteMsg(nil, transport.Meta{}); !errors.Is(err, transport.ErrAborted) {
			t.Errorf("%v", err)
		}
		time.Sleep(time.Second)
		if err := near.WriteMsg(nil, transport.Meta{}); err == nil {
			t.Error("something is written to what was aborted")
		}
	})
}

// Close has whoever waits return, and the other side read an end.
func TestClose(t *testing.T) {
	virtually(t, Options{}, func(p *pair) {
		near, far := p.open()
		got := make(chan error, 1)
		go func() {
			_, _, err := near.LendMsg()
			got <- err
		}()
		synctest.Wait()
		first, second := near.Close(), near.Close()
		if err := <-got; !errors.Is(err, net.ErrClosed) || first != second { //nolint:errorlint // the same
			t.Errorf("%v; Close: %v, %v", err, first, second)
		}
		p.reads(far, time.Minute, "EOF")
		if _, _, err := far.LendMsg(); err != io.EOF {
			t.Error(err)
		}
	})
}
