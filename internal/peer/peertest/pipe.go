package peertest

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/deadline"
	"github.com/tenon-net/tenon/transport"
)

// window is how many bytes are on their way in one direction of a stream before the
// writer waits.
const window = 64 << 10

// ErrReset is read and written by a stream whose other side has aborted.
var ErrReset = errors.New("stream reset by the peer")

// A side is one of the two ends of a pipe.
type side int

const (
	reader side = iota
	writer
)

// A pipe is one direction of a stream. All in it is guarded by the mutex of the World.
type pipe struct {
	world   *World
	wire    *wire
	changed sync.Cond // of the World's mutex: anything below, or the wire

	chunks []chunk
	held   int       // bytes in chunks
	eof    time.Time // when the end of file arrives; zero = it was not sent
	ended  bool      // nothing more may be written

	stranded bool // nothing arrives any more

	left    [2]bool      // the side has closed its end
	gone    [2]error     // what a side's own calls return once it has left
	failure [2]error     // what a side's calls return once the other has left so, or the link is lost
	failAt  [2]time.Time // when it gets there
	late    [2]deadline.Cond
}

// A chunk is what was written at once, and when it arrives.
type chunk struct {
	data []byte
	at   time.Time
}

// arrival is when something arrives that is sent now.
func (p *pipe) arrival() time.Time { return time.Now().Add(p.wire.delay) }

// arrived tells whether what was to arrive at t has, and if it still will by itself,
// has the pipe woken then.
func (p *pipe) arrived(t time.Time) bool {
	if p.wire.silent || p.wire.stuck || p.stranded {
		return false
	}
	if t.Before(p.wire.resumed.Add(p.wire.delay)) {
		t = p.wire.resumed.Add(p.wire.delay) // it was sent again after the silence
	}
	wait := time.Until(t)
	if wait > 0 {
		time.AfterFunc(wait, func() { p.world.lock(p.changed.Broadcast) })
	}
	return wait <= 0
}

// fail makes both sides fail at once.
func (p *pipe) fail(err error) {
	for s := range p.failure {
		if p.failure[s] == nil || !p.failAt[s].IsZero() {
			p.failure[s], p.failAt[s] = err, time.Time{}
		}
	}
	p.chunks, p.held = nil, 0
	p.changed.Broadcast()
}

// blocked returns why side s may not go on.
func (p *pipe) blocked(s side) error {
	switch {
	case p.gone[s] != nil:
		return p.gone[s]
	case p.late[s].Passed():
		return os.ErrDeadlineExceeded
	case p.failure[s] != nil && (p.failAt[s].IsZero() || p.arrived(p.failAt[s])):
		return p.failure[s]
	case s == writer && p.ended:
		return io.ErrClosedPipe
	}
	return nil
}

func (p *pipe) read(b []byte) (int, error) {
	w := p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		if err := p.blocked(reader); err != nil {
			return 0, err
		}
		if len(b) == 0 {
			return 0, nil
		}
		n := 0
		for n < len(b) && len(p.chunks) > 0 && p.arrived(p.chunks[0].at) {
			c := &p.chunks[0]
			m := copy(b[n:], c.data)
			n, p.held, c.data = n+m, p.held-m, c.data[m:]
			if len(c.data) == 0 {
				p.chunks = p.chunks[1:]
			}
		}
		if n > 0 {
			p.changed.Broadcast()
			return n, nil
		}
		if len(p.chunks) == 0 && !p.eof.IsZero() && p.arrived(p.eof) {
			return 0, io.EOF
		}
		p.changed.Wait()
	}
}

func (p *pipe) write(b []byte) (int, error) {
	w := p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for {
		if err := p.blocked(writer); err != nil {
			return n, err
		}
		if m := min(window-p.held, len(b)-n); m > 0 {
			p.chunks = append(p.chunks, chunk{append([]byte(nil), b[n:n+m]...), p.arrival()})
			n, p.held = n+m, p.held+m
			p.changed.Broadcast()
		}
		if n == len(b) {
			return n, nil
		}
		p.changed.Wait()
	}
}

func (p *pipe) closeWrite() error {
	w := p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := p.gone[writer]; err != nil {
		return err
	}
	p.endWrite()
	return nil
}

func (p *pipe) endWrite() {
	if !p.ended {
		p.ended, p.eof = true, p.arrival()
	}
	p.changed.Broadcast()
}

// leave ends the pipe on side s, whose own calls return own from now on. The other side
// fails with failure when it gets there; if that is nil, a reader reads to the end of
// file, and a writer fails as one does whose reader is gone. It is called with the
// mutex held.
func (p *pipe) leave(s side, own, failure error) {
	if p.left[s] {
		if own == net.ErrClosed { //nolint:errorlint // Close after Abort
			p.gone[s] = own
		}
		return
	}
	p.left[s], p.gone[s] = true, own
	switch {
	case s == writer && failure == nil:
		p.endWrite()
	case s == writer:
		p.ended = true // without an end of file: the reader must not see one
	case failure == nil:
		failure = io.ErrClosedPipe
	}
	if failure != nil && p.failure[1-s] == nil {
		p.failure[1-s], p.failAt[1-s] = failure, p.arrival()
	}
	if s == reader || failure != nil {
		p.chunks, p.held = nil, 0
	}
	p.late[s].Stop()
	if p.left[reader] && p.left[writer] {
		delete(p.wire.pipes, p)
	}
	p.changed.Broadcast()
}

func (p *pipe) setDeadline(s side, t time.Time) error {
	w := p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.gone[s] != nil {
		return p.gone[s]
	}
	p.late[s].Set(&p.changed, t)
	return nil
}

// A stream is one end of a stream between two nodes.
type stream struct {
	in, out       *pipe
	local, remote transport.Addr
	info          *transport.Info
}

var (
	_ transport.Stream  = (*stream)(nil)
	_ transport.Aborter = (*stream)(nil)
)

// newStreams makes both ends. It is called with the mutex held.
func newStreams(a, b *Node, x *wire, proto string) (near, far *stream) {
	var p [2]*pipe
	for i := range p {
		p[i] = &pipe{world: a.world, wire: x}
		p[i].changed.L = &a.world.mu
		x.pipes[p[i]] = true
	}
	end := func(from, to *Node, in, out *pipe) *stream {
		return &stream{in, out, addr(from, proto), addr(to, proto), &transport.Info{Kind: "peer", Peer: to.Self().String()}}
	}
	return end(a, b, p[1], p[0]), end(b, a, p[0], p[1])
}

func addr(n *Node, proto string) transport.Addr {
	return transport.Addr{Net: "peer", Name: n.name + " " + proto}
}

func (s *stream) Read(b []byte) (int, error)  { return s.in.read(b) }
func (s *stream) Write(b []byte) (int, error) { return s.out.write(b) }
func (s *stream) CloseWrite() error           { return s.out.closeWrite() }

func (s *stream) Close() error {
	s.out.world.lock(func() {
		s.out.leave(writer, net.ErrClosed, nil)
		s.in.leave(reader, net.ErrClosed, nil)
	})
	return nil
}

// Abort makes the other side's reads and writes fail with [ErrReset]. What it has not
// read yet is lost to it.
func (s *stream) Abort(error) error {
	s.out.world.lock(func() {
		s.out.leave(writer, transport.ErrAborted, ErrReset)
		s.in.leave(reader, transport.ErrAborted, ErrReset)
	})
	return nil
}

func (s *stream) Info() *transport.Info { return s.info }
func (s *stream) LocalAddr() net.Addr   { return s.local }
func (s *stream) RemoteAddr() net.Addr  { return s.remote }

func (s *stream) SetDeadline(t time.Time) error {
	return errors.Join(s.SetReadDeadline(t), s.SetWriteDeadline(t))
}
func (s *stream) SetReadDeadline(t time.Time) error  { return s.in.setDeadline(reader, t) }
func (s *stream) SetWriteDeadline(t time.Time) error { return s.out.setDeadline(writer, t) }
