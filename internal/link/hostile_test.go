package link

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/transport"
)

// A liar speaks the protocol by hand, as the peer a does to b's link.
type liar struct {
	p *pair
	opening
	below transport.Stream
}

func frameOf(k kind, number uint64, content ...byte) []byte {
	return append(head{k, len(content), number}.append(nil), content...)
}

func numbers(n ...uint64) (b []byte) {
	for _, x := range n {
		b = binary.BigEndian.AppendUint64(b, x)
	}
	return b
}

// lie opens a session by hand and returns its other end.
func (p *pair) lie() (*liar, *Stream) {
	p.t.Helper()
	p.near.stop()
	stop := p.far.Serve("test", func(s transport.Stream) {
		p.accepted <- s.(*Stream)
		<-p.done
	})
	defer stop()
	l := &liar{p: p, opening: opening{survive: time.Minute, window: 1 << 20, proto: "test"}}
	l.random[0], l.key[0] = 7, 8
	l.below = p.raw(p.a, l.frame())
	if h, _, err := readFrame(l.below, frameOpened); err != nil {
		p.t.Fatal(h, err)
	}
	return l, <-p.accepted
}

// raw opens a stream below and writes to it.
func (p *pair) raw(from peer.Network, b []byte) transport.Stream {
	p.t.Helper()
	s, err := from.Open(p.t.Context(), p.b.Self(), Proto)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := s.Write(b); err != nil {
		p.t.Fatal(err)
	}
	return s
}

// resuming is what the liar resumes with.
func (l *liar) resuming(from peer.ID, epoch uint64) *resuming {
	return &resuming{id: sessionID{peer: from, random: l.random}, key: &l.key, from: from, to: l.p.b.Self(), epoch: epoch}
}

// answer reads the answer to a resumption: 0 if it was accepted.
func answer(t *testing.T, s transport.Stream) reason {
	t.Helper()
	h, _, err := readFrame(s, frameResumed, frameRefused)
	if err != nil {
		t.Errorf("no answer: %v", err)
		return refusedProtocol
	}
	if h.kind == frameRefused {
		return reason(h.number)
	}
	return 0
}

// What breaks the protocol ends the session, and nothing else.
func TestLies(t *testing.T) {
	data := func(at uint64, n int) []byte { return frameOf(frameData, at, make([]byte, n)...) }
	for name, lie := range map[string][]byte{
		"a gap":                       data(1, 1),
		"more than the window":        bytes.Repeat([]byte(nil), 0),
		"a huge frame":                append(head{frameData, 1<<24 - 1, 0}.append(nil), make([]byte, 100)...),
		"a huge control frame":        append(head{frameAck, 1<<24 - 1, 0}.append(nil), make([]byte, 100)...),
		"an empty frame of data":      frameOf(frameData, 0),
		"a huge position":             data(1<<63, 1),
		"a kind that is not":          frameOf(99, 0),
		"a kind of zero":              make([]byte, headSize),
		"a handshake":                 (&opening{proto: "test"}).frame(),
		"an end further on":           frameOf(frameFin, 9),
		"bytes after the end":         append(frameOf(frameFin, 0), data(0, 1)...),
		"two ends":                    append(frameOf(frameFin, 0), frameOf(frameFin, 1)...),
		"it has what was not sent":    frameOf(frameAck, 6, numbers(1<<20)...),
		"it has the end, not sent":    frameOf(framePong, 6, numbers(6, 1<<20)...),
		"what was not sent, in pong":  frameOf(framePong, 0, numbers(1<<40, 1<<20)...),
		"an end that is below":        append(data(0, 5), frameOf(frameFin, 4)...),
		"rubbish":                     bytes.Repeat([]byte{0xff}, 1000),
		"a handshake that resumes":    frameOf(frameResume, 1, make([]byte, resumeSize)...),
		"a frame that is a bit short": frameOf(frameAck, 0, 1, 2, 3),
	} {
		if name == "more than the window" {
			for at := 0; at <= firstWindow; at += 1024 {
				lie = append(lie, data(uint64(at), 1024)...)
			}
		}
		t.Run(name, func(t *testing.T) {
			virtually(t, time.Millisecond, Options{}, func(p *pair) {
				l, s := p.lie()
				s.Write([]byte("hello")) //nolint:errcheck // it would show below
				go func() {
					l.below.Write(lie)           //nolint:errcheck // hostile
					io.Copy(io.Discard, l.below) //nolint:errcheck // hostile
					l.below.Close()              //nolint:errcheck // hostile
				}()
				time.Sleep(time.Minute) // nobody reads
				if s.mu.Lock(); s.in.length > firstWindow {
					p.t.Errorf("%d bytes are held", s.in.length)
				}
				s.mu.Unlock()
				s.SetDeadline(time.Now().Add(time.Hour)) //nolint:errcheck // it would show below
				if _, err := io.Copy(io.Discard, s); !errors.Is(err, ErrProtocol) {
					p.t.Errorf("it reads: %v", err)
				}
				if _, err := s.Write([]byte("x")); !errors.Is(err, ErrProtocol) {
					p.t.Errorf("it writes: %v", err)
				}
			})
		})
	}
}

// Only who has the key, and is who the session is with, goes on with it; and a position
// that cannot be ends it.
func TestResumeIsBound(t *testing.T) {
	virtually(t, time.Millisecond, Options{}, func(p *pair) {
		l, s := p.lie()
		s.Write([]byte("hello"))                       //nolint:errcheck // it would show below
		io.ReadFull(l.below, make([]byte, headSize+5)) //nolint:errcheck // it would show below
		mallory := p.w.Node("mallory", nil)
		defer mallory.Close() //nolint:errcheck // it returns nil
		at := standing{0, 1 << 20}

		// Somebody else, who has everything but the identity.
		if why := answer(p.t, p.raw(mallory, l.resuming(p.a.Self(), 1).request(at))); why != refusedUnknown {
			p.t.Errorf("another's session: %v", why)
		}
		if why := answer(p.t, p.raw(mallory, l.resuming(mallory.Self(), 1).request(at))); why != refusedUnknown {
			p.t.Errorf("another's session under the own name: %v", why)
		}
		// The right one, with other keys, and a request that was changed.
		other := *l
		other.key[5]++
		if why := answer(p.t, p.raw(p.a, other.resuming(p.a.Self(), 1).request(at))); why != refusedUnknown {
			p.t.Errorf("another key: %v", why)
		}
		good := l.resuming(p.a.Self(), 5).request(at)
		for _, i := range []int{headSize - 1, headSize + idSize + 7, headSize + idSize + 15, len(good) - 1} {
			bad := bytes.Clone(good)
			bad[i] ^= 1
			if why := answer(p.t, p.raw(p.a, bad)); why != refusedUnknown {
				p.t.Errorf("byte %d was changed: %v", i, why)
			}
		}
		if st := s.Status(); st.Resumed != 0 || !st.PausedSince.IsZero() {
			p.t.Errorf("the session has noticed: %+v", st)
		}
		// It goes on by the right one, and once only: a replay is refused.
		below := p.raw(p.a, good)
		if why := answer(p.t, below); why != 0 {
			p.t.Errorf("the right one: %v", why)
		}
		if b := make([]byte, headSize+5); true {
			if _, err := io.ReadFull(below, b); err != nil || string(b[headSize:]) != "hello" {
				p.t.Errorf("%q, %v", b, err)
			}
		}
		if why := answer(p.t, p.raw(p.a, good)); why != refusedStale {
			p.t.Errorf("a replay: %v", why)
		}
		if why := answer(p.t, p.raw(p.a, l.resuming(p.a.Self(), 4).request(at))); why != refusedStale {
			p.t.Errorf("an earlier attempt: %v", why)
		}
		// The answer of the other side does not serve as a request.
		r := l.resuming(p.a.Self(), 6)
		if _, ok := r.open(head{frameResumed, repliedLen, 6}, r.answer(at)[headSize:]); !ok {
			p.t.Error("an answer is not read")
		}
		if _, ok := r.open(head{frameResume, resumeSize, 6}, append(bytes.Clone(l.random[:]), r.answer(at)[headSize:]...)); ok {
			p.t.Error("an answer serves as a request")
		}
		// A position that was never reached.
		if why := answer(p.t, p.raw(p.a, l.resuming(p.a.Self(), 7).request(standing{6, 1 << 20}))); why != refusedProtocol {
			p.t.Errorf("a position that lies: %v", why)
		}
		if _, err := s.Read(make([]byte, 1)); !errors.Is(err, ErrProtocol) {
			p.t.Errorf("the session: %v", err)
		}
	})
}

// A position below what was acknowledged changes nothing: what is not there any more is
// not sent.
func TestLowPosition(t *testing.T) {
	virtually(t, time.Millisecond, Options{}, func(p *pair) {
		l, s := p.lie()
		s.Write([]byte("hello world"))                         //nolint:errcheck // it would show below
		l.below.Write(frameOf(frameAck, 6, numbers(1<<20)...)) //nolint:errcheck // it would show below
		time.Sleep(2 * time.Second)
		below := p.raw(p.a, l.resuming(p.a.Self(), 1).request(standing{0, 1 << 20}))
		if why := answer(p.t, below); why != 0 {
			p.t.Errorf("refused: %v", why)
		}
		h, content, err := readFrame(below, frameData)
		if err != nil || h.number != 6 || string(content) != "world" {
			p.t.Errorf("%+v %q %v", h, content, err)
		}
	})
}

// One peer's half-open handshakes and sessions are bounded, and others are served.
func TestFloods(t *testing.T) {
	virtually(t, time.Millisecond, Options{}, func(p *pair) {
		p.far.Close() //nolint:errcheck // it returns nil
		p.far.stop()
		p.far = New(p.b, Options{Handshakes: 10, Sessions: 20, Memory: 1 << 20})
		p.near.stop()
		other := p.w.Node("other", nil)
		defer other.Close() //nolint:errcheck // it returns nil
		friend := New(other, Options{})
		defer friend.Close() //nolint:errcheck // it returns nil
		p.far.Serve("test", func(transport.Stream) { <-p.done })
		refused := 0
		var open []transport.Stream
		for range 50 {
			open = append(open, p.raw(p.a, []byte{byte(frameOpen)}))
		}
		for _, s := range open {
			s.SetReadDeadline(time.Now().Add(time.Millisecond)) //nolint:errcheck // it would show below
			if _, err := s.Read(make([]byte, 1)); errors.Is(err, peertest.ErrReset) {
				refused++
			}
		}
		if refused != 40 {
			p.t.Errorf("%d of 50 half-open handshakes were refused", refused)
		}
		if s, err := friend.Open(p.t.Context(), p.b.Self(), "test"); err != nil {
			p.t.Errorf("another peer: %v", err)
		} else {
			s.Close() //nolint:errcheck // checked elsewhere
		}
		time.Sleep(handshakeTime)
		refused = 0
		for i := range 50 {
			o := opening{survive: time.Hour, window: 1, proto: "test"}
			o.random[0] = byte(i)
			s := p.raw(p.a, o.frame())
			open = append(open, s)
			h, content, err := readFrame(s, frameOpened, frameRefused)
			if errors.Is(err, peertest.ErrReset) || err == nil && h.kind == frameRefused && reason(h.number) == refusedBusy {
				refused++
			} else if err != nil {
				p.t.Error(err)
			} else if survive, _ := parseOpened(content); survive != DefaultMaxSurvive {
				p.t.Errorf("it survives %v", survive)
			}
		}
		if refused != 30 {
			p.t.Errorf("%d of 50 sessions were refused", refused)
		}
		if used := p.far.memory.Used(); used > 1<<20 {
			p.t.Errorf("%d bytes", used)
		}
		if s, err := friend.Open(p.t.Context(), p.b.Self(), "test"); err != nil {
			p.t.Errorf("another peer: %v", err)
		} else {
			s.Close() //nolint:errcheck // checked elsewhere
		}
		for _, s := range open {
			s.Close() //nolint:errcheck // hostile
		}
	})
}

// One session cannot be opened twice, and opening nothing that is served opens nothing.
func TestOpenTwice(t *testing.T) {
	virtually(t, time.Millisecond, Options{}, func(p *pair) {
		l, s := p.lie()
		p.far.Serve("test", func(transport.Stream) { p.t.Error("a handler was called") })
		for proto, want := range map[string]reason{"test": refusedProtocol, "nothing": refusedNoProtocol, "a\x1b[31m": refusedNoProtocol} {
			o := l.opening
			o.proto = proto
			h, _, err := readFrame(p.raw(p.a, o.frame()), frameRefused)
			if err != nil || reason(h.number) != want {
				p.t.Errorf("%q: %+v, %v", proto, h, err)
			}
		}
		if _, err := s.Write([]byte("x")); err != nil {
			p.t.Errorf("the first: %v", err)
		}
	})
}

// The handler of the protocol survives what a peer should not do.
func TestHostile(t *testing.T) {
	var l *Network
	peertest.Hostile(t, time.Minute, func(s transport.Stream) {
		w := &peertest.World{}
		n := w.Node("ours", nil)
		l = New(n, Options{})
		l.Serve("test", func(s transport.Stream) { io.Copy(io.Discard, s) }) //nolint:errcheck // of no interest
		l.accept(s)
		l.Close() //nolint:errcheck // it returns nil
		n.Close() //nolint:errcheck // it returns nil
	}, func(t *testing.T) {
		if len(l.sessions) > 0 || len(l.peers) > 0 {
			t.Errorf("%d sessions, %d peers", len(l.sessions), len(l.peers))
		}
	})
}

// A peer that acknowledges and answers as it likes makes nobody hold more than the
// bounds: it never acknowledges, and grants everything.
func TestNoAcknowledgement(t *testing.T) {
	virtually(t, time.Millisecond, Options{}, func(p *pair) {
		l, s := p.lie()
		go io.Copy(io.Discard, l.below)                        //nolint:errcheck // hostile
		l.below.Write(frameOf(frameAck, 0, numbers(1<<61)...)) //nolint:errcheck // hostile
		stop := make(chan struct{})
		go func() { // it seems to be there
			for {
				select {
				case <-stop:
					return
				case <-time.After(100 * time.Millisecond):
					l.below.Write(frameOf(framePing, 1)) //nolint:errcheck // hostile
				}
			}
		}()
		s.SetWriteDeadline(time.Now().Add(time.Minute)) //nolint:errcheck // it would show below
		n, err := s.Write(make([]byte, 64<<20))
		if !errors.Is(err, io.EOF) && n > DefaultBuffer {
			p.t.Errorf("%d bytes, %v", n, err)
		}
		if used := p.far.memory.Used(); used > DefaultBuffer+1<<20 {
			p.t.Errorf("%d bytes are booked", used)
		}
		close(stop)
		s.Abort(nil) //nolint:errcheck // it returns nil
	})
}

// Idle sessions cost no goroutine on the side that opens, and little memory.
func TestIdleCost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 200
		w := &peertest.World{}
		a, b := w.Node("a", nil), w.Node("b", nil)
		near, far := New(a, Options{}), New(b, Options{})
		hold := make(chan struct{})
		far.Serve("test", func(s transport.Stream) { s.Read(make([]byte, 1)); <-hold }) //nolint:errcheck // idle
		before := runtime.NumGoroutine()
		for range many {
			s, err := near.Open(t.Context(), b.Self(), "test")
			if err != nil {
				t.Fatal(err)
			}
			go s.Read(make([]byte, 1)) //nolint:errcheck // idle
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := runtime.NumGoroutine() - before; n > 2*many+10 { // the two that read
			t.Errorf("%d goroutines for %d sessions", n, many)
		}
		for _, n := range []*Network{near, far} {
			if per := n.memory.Used() / many; per > firstWindow {
				t.Errorf("%d bytes are booked for each session", per)
			}
		}
		close(hold)
		near.Close() //nolint:errcheck // it returns nil
		far.Close()  //nolint:errcheck // it returns nil
		a.Close()    //nolint:errcheck // it returns nil
		b.Close()    //nolint:errcheck // it returns nil
	})
}
