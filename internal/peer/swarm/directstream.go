package swarm

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// A directStream is one stream on a connection of its own.
type directStream struct {
	x     *directConn
	info  transport.Info
	moved moveCount

	rmu  sync.Mutex // held by Read: guards the following
	head [frameHead]byte
	have int   // bytes in head
	left int   // bytes that are left of a frame of data
	rerr error // what every further Read returns

	asks    atomic.Bool                // ask has not been sent yet
	asking  atomic.Pointer[time.Timer] // sends it; nil if it is not needed
	wmu     sync.Mutex                 // held by Write and CloseWrite: guards the following
	ask     []byte                     // goes before all else: it begins the stream
	owed    int                        // bytes of the frame that a deadline has cut, and that must come next
	written bool                       // nothing more may be written

	done    atomic.Int32 // 0, or what has ended the stream
	close   sync.Once
	served  bool             // who serves the stream lingers when the handler has returned
	lingers bool             // he has to; written in close
	settled func(again bool) // is told once whether the connection can carry another stream
}

var (
	_ transport.Stream  = (*directStream)(nil)
	_ transport.Aborter = (*directStream)(nil)
)

// newDirectStream begins a stream, by what is sent before all else. Its end is told once
// to settled.
func newDirectStream(x *directConn, ask []byte, settled func(again bool)) *directStream {
	s := &directStream{x: x, ask: ask, settled: settled, moved: moveCount{all: x.d.n.moves.with(x.id)},
		info: transport.Info{Kind: "peer", Peer: x.who.String(), Socket: x.tcp.RemoteAddr()}}
	if len(ask) > 0 {
		s.asks.Store(true)
		s.asking.Store(time.AfterFunc(askDelay, func() { s.sendAsk() })) //nolint:errcheck // whoever reads or writes sees it
	}
	return s
}

// askDelay is how long a stream that the other side is not asked for waits for the first
// data, to begin with it.
const askDelay = 5 * time.Millisecond

func (s *directStream) Read(p []byte) (int, error) {
	s.rmu.Lock()
	defer s.rmu.Unlock()
	if err := s.gone(); err != nil {
		return 0, err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if err := s.sendAsk(); err != nil {
		return 0, s.explain(err)
	}
	n, err := s.read(p)
	switch {
	case err == io.EOF && s.gone() == nil:
		return 0, io.EOF
	case err != nil:
		err = s.explain(err)
	}
	return n, err
}

// sendAsk has the stream begin, though nothing is written. If somebody writes, he does that.
func (s *directStream) sendAsk() error {
	if !s.asks.Load() || !s.wmu.TryLock() {
		return nil
	}
	defer s.wmu.Unlock()
	if len(s.ask) == 0 {
		return nil
	}
	_, err := s.x.tls.Write(s.ask)
	if err == nil {
		s.sentAsk()
	}
	return err
}

// sentAsk is called with wmu held.
func (s *directStream) sentAsk() {
	if s.ask != nil {
		s.ask = nil
		s.asks.Store(false)
		if t := s.asking.Load(); t != nil {
			t.Stop()
		}
	}
}

// read reads data, and takes the frames apart.
func (s *directStream) read(p []byte) (int, error) {
	if s.rerr != nil {
		return 0, s.rerr
	}
	for s.left == 0 {
		n, err := s.x.tls.Read(s.head[s.have:])
		s.have += n
		if err != nil {
			return 0, s.cut(err)
		}
		if s.have < frameHead {
			continue
		}
		s.have = 0
		switch t, length := parseHead(s.head[:]); {
		case t == frameData && length > 0:
			s.left = length
		case t == frameEnd && length == 0:
			s.rerr = io.EOF
			return 0, io.EOF
		case t == frameAbort && length == 0:
			s.rerr = errReset
			return 0, errReset
		default:
			s.rerr = errFrame
			return 0, errFrame
		}
	}
	n, err := s.x.tls.Read(p[:min(len(p), s.left)])
	s.left -= n
	if n > 0 {
		s.moved.read()
		return n, nil
	}
	return 0, s.cut(err)
}

// cut is called when the connection gives nothing. Its end is not that of the stream,
// and only a deadline passes.
func (s *directStream) cut(err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		s.rerr = err
	}
	return err
}

var smalls = sync.Pool{New: func() any { return new([2*frameHead + smallData]byte) }}

func (s *directStream) Write(p []byte) (int, error) {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	if err := s.gone(); err != nil {
		return 0, err
	}
	if s.written {
		return 0, io.ErrClosedPipe
	}
	done := 0
	for done < len(p) {
		n, err := s.writeFrame(p[done:min(len(p), done+maxFrame)])
		done += n
		s.moved.write(n)
		if err != nil {
			return done, s.explain(err)
		}
	}
	return done, nil
}

// WriteLast is Write and CloseWrite at once: what is little goes out in one piece with the
// end.
func (s *directStream) WriteLast(p []byte) error {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	switch err := s.gone(); {
	case err != nil:
		return err
	case s.written:
		return io.ErrClosedPipe
	}
	if len(p) == 0 || len(p) > smallData || s.owed > 0 {
		n, err := 0, error(nil)
		for n < len(p) && err == nil {
			var m int
			m, err = s.writeFrame(p[n:min(len(p), n+maxFrame)])
			n += m
			s.moved.write(m)
		}
		if err == nil {
			err = s.end()
		}
		return s.explain(err)
	}
	b := append(append(s.ask, head(frameData, len(p))...), p...)
	s.written = true
	n, err := s.x.tls.Write(append(b, head(frameEnd, 0)...)) // all or nothing
	if n > 0 {
		s.sentAsk()
		s.moved.write(len(p))
	}
	return s.explain(err)
}

// writeFrame writes a frame, or what is owed of one.
func (s *directStream) writeFrame(p []byte) (int, error) {
	if s.owed > 0 {
		n, err := s.x.tls.Write(p[:min(len(p), s.owed)])
		s.owed -= n
		return n, err
	}
	if len(p) <= smallData {
		b, _ := smalls.Get().(*[2*frameHead + smallData]byte)
		defer smalls.Put(b)
		before := copy(b[:], s.ask) + frameHead
		putHead(b[before-frameHead:], frameData, len(p))
		n, err := s.x.tls.Write(b[:before+copy(b[before:], p)]) // all or nothing
		if n > 0 {
			s.sentAsk()
		}
		return max(0, n-before), err
	}
	var h [2 * frameHead]byte
	before := copy(h[:], s.ask) + frameHead
	putHead(h[before-frameHead:], frameData, len(p))
	n, err := s.x.tls.WriteAfter(h[:before], p)
	if n > 0 {
		s.sentAsk()
		s.owed = len(p) - n
	}
	return n, err
}

func (s *directStream) CloseWrite() error {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	if err := s.gone(); err != nil {
		return err
	}
	return s.explain(s.end())
}

// end sends the end of the stream. It is called with wmu held.
func (s *directStream) end() error {
	switch {
	case s.written:
		return nil
	case s.owed > 0:
		return errors.New("a write was cut by its deadline")
	}
	s.written = true
	_, err := s.x.tls.Write(append(s.ask, head(frameEnd, 0)...))
	if err == nil {
		s.sentAsk()
	}
	return err
}

// Close ends both directions. What was written still arrives, unless a Write is going
// on, which is cut.
func (s *directStream) Close() error {
	s.close.Do(func() {
		s.done.Store(doneClosed)
		if !s.wmu.TryLock() {
			s.over(false)
			return
		}
		defer s.wmu.Unlock()
		ended := s.ended()
		s.x.tls.SetWriteDeadline(time.Now().Add(lingerTime)) //nolint:errcheck // sockets have deadlines
		if ended != nil && ended != io.EOF || s.end() != nil {
			s.over(false)
			return
		}
		s.x.tls.SetReadDeadline(time.Unix(1, 0)) //nolint:errcheck // whoever reads returns
		switch {
		case ended != nil:
			s.over(true)
		case s.served:
			s.lingers = true
		case !s.x.d.n.task(s.linger):
			s.over(false)
		}
	})
	return nil
}

// ended returns with what the other side has ended, or nil.
func (s *directStream) ended() error {
	if !s.rmu.TryLock() {
		return nil
	}
	defer s.rmu.Unlock()
	return s.rerr
}

// linger reads what still comes, until the other side has ended too.
func (s *directStream) linger() {
	s.rmu.Lock()
	defer s.rmu.Unlock()
	until := time.Now().Add(lingerSilence)
	buf := make([]byte, 1)
	for {
		s.x.tls.SetReadDeadline(until) //nolint:errcheck // sockets have deadlines
		_, err := s.read(buf)
		if err != nil {
			s.over(err == io.EOF)
			return
		}
		if len(buf) == 1 {
			buf = make([]byte, 16<<10)
			until = time.Now().Add(lingerTime)
		}
	}
}

// over tells whether the connection can carry another stream, and cuts it if not.
func (s *directStream) over(again bool) {
	if again {
		again = s.x.tls.SetDeadline(time.Time{}) == nil
	}
	if !again {
		s.x.cut()
	}
	s.settled(again)
}

// Abort ends both directions, and the connection.
func (s *directStream) Abort(error) error {
	s.close.Do(func() {
		s.done.Store(doneAborted)
		if s.wmu.TryLock() {
			if s.owed == 0 {
				s.x.tls.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)) //nolint:errcheck // sockets have deadlines
				s.x.tls.Write(append(s.ask, head(frameAbort, 0)...))             //nolint:errcheck // it sees the end of the connection
			}
			s.wmu.Unlock()
		}
		s.over(false)
	})
	return nil
}

// gone returns how this side has ended the stream, or nil.
func (s *directStream) gone() error {
	switch s.done.Load() {
	case doneClosed:
		return net.ErrClosed
	case doneAborted:
		return transport.ErrAborted
	}
	return nil
}

// explain turns what the connection says into what the contract says.
func (s *directStream) explain(err error) error {
	if err == nil {
		return nil
	}
	if gone := s.gone(); gone != nil {
		return gone
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return os.ErrDeadlineExceeded
	case errors.Is(err, errReset):
		return errReset
	}
	return fmt.Errorf("%w: %w", peer.ErrUnreachable, transport.Cause(err))
}

// Path tells over which path the stream goes.
func (s *directStream) Path() peer.Path { return peer.Direct }

func (s *directStream) Info() *transport.Info { return &s.info }
func (s *directStream) LocalAddr() net.Addr   { return s.x.tcp.LocalAddr() }
func (s *directStream) RemoteAddr() net.Addr  { return s.x.tcp.RemoteAddr() }

func (s *directStream) SetDeadline(t time.Time) error {
	return errors.Join(s.SetReadDeadline(t), s.SetWriteDeadline(t))
}

func (s *directStream) SetReadDeadline(t time.Time) error {
	if err := s.gone(); err != nil {
		return err
	}
	return s.x.tls.SetReadDeadline(t)
}

func (s *directStream) SetWriteDeadline(t time.Time) error {
	if err := s.gone(); err != nil {
		return err
	}
	return s.x.tls.SetWriteDeadline(t)
}
