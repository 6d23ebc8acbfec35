//go:build linux

package local

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// A gramSession is the datagrams of one sender at a socket that it shares with
// others:
//
//	        SessionIdle without a datagram
//	open ────────────────────────────────────► ended: reads give io.EOF when
//	  │                                          │    all is read; writes work
//	  └──────────────── Close ───────────────────┴──► closed
type gramSession struct {
	a    *gramAcceptor
	key  string
	to   *net.UnixAddr // nil if the sender has no name
	info *transport.Info
	in   chan []byte

	closing  sync.Once
	done     chan struct{} // closed by Close
	ended    chan struct{} // closed when the session is idle for too long
	idle     *time.Timer   // nil if it never is
	touched  atomic.Int64  // when the last datagram came or went, in Unix nanoseconds
	deadline deadline      // of reading
	writeEnd atomic.Int64  // deadline of writing, in Unix nanoseconds; 0 is none
}

var _ transport.MsgConn = (*gramSession)(nil)

// newGramSession needs a.mu, which makes expire wait until it is done.
func newGramSession(a *gramAcceptor, key string, to *net.UnixAddr, cred *transport.Cred) *gramSession {
	s := &gramSession{a: a, key: key, to: to, info: &transport.Info{Kind: gramListenKind, Cred: cred},
		in: make(chan []byte, queueLen), done: make(chan struct{}), ended: make(chan struct{})}
	s.touch()
	if a.idle > 0 {
		s.idle = time.AfterFunc(a.idle, s.expire)
	}
	return s
}

func (s *gramSession) touch() { s.touched.Store(time.Now().UnixNano()) }

// expire ends the session if it has been silent, or sets the clock again.
func (s *gramSession) expire() {
	s.a.mu.Lock()
	timer := s.idle
	s.a.mu.Unlock()
	if left := s.a.idle - time.Since(time.Unix(0, s.touched.Load())); left > 0 || len(s.in) > 0 {
		timer.Reset(max(left, time.Millisecond))
		return
	}
	s.a.forget(s)
	close(s.ended)
}

// put hands one datagram to the reader, waiting for room.
func (s *gramSession) put(msg []byte) {
	s.touch()
	select {
	case s.in <- msg:
	case <-s.done:
	}
}

// ReadMsg reads one datagram.
func (s *gramSession) ReadMsg(p []byte) (int, transport.Meta, error) {
	var none transport.Meta
	over := s.deadline.wait()
	select { // what has ended comes before what can be read
	case <-s.done:
		return 0, none, s.opError("read", net.ErrClosed)
	case <-over:
		return 0, none, s.opError("read", os.ErrDeadlineExceeded)
	default:
	}
	select {
	case msg := <-s.in:
		return take(p, msg)
	default:
	}
	select {
	case msg := <-s.in:
		return take(p, msg)
	case <-s.ended:
		select {
		case msg := <-s.in:
			return take(p, msg)
		default:
		}
		return 0, none, io.EOF
	case <-s.done:
		return 0, none, s.opError("read", net.ErrClosed)
	case <-over:
		return 0, none, s.opError("read", os.ErrDeadlineExceeded)
	}
}

func take(p, msg []byte) (int, transport.Meta, error) {
	n := copy(p, msg)
	if n < len(msg) {
		return n, transport.Meta{}, io.ErrShortBuffer
	}
	return n, transport.Meta{}, nil
}

// WriteMsg sends one datagram to the sender of the session. It waits while that
// has no room.
func (s *gramSession) WriteMsg(p []byte, _ transport.Meta) error {
	if s.to == nil {
		return transport.WithHint(s.opError("write", errors.ErrUnsupported), "the sender has no name to answer to; socat sets one with bind=")
	}
	if len(p) > MaxMessage {
		return s.opError("write", transport.ErrMsgTooLong)
	}
	s.touch()
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		if err := s.writable(); err != nil {
			return s.opError("write", err)
		}
		full, err := sendTo(s.a.c, p, s.to.Name)
		if !full && err != nil {
			return sizeError(s.opError("write", err))
		}
		if !full {
			return nil
		}
		// The system wakes only those who are connected to who has no room.
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-s.done:
			t.Stop()
		}
	}
}

// writable tells whether a write may begin or go on.
func (s *gramSession) writable() error {
	select {
	case <-s.done:
		return net.ErrClosed
	default:
	}
	if d := s.writeEnd.Load(); d != 0 && time.Now().UnixNano() >= d {
		return os.ErrDeadlineExceeded
	}
	return nil
}

func (s *gramSession) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: "unixgram", Source: s.a.addr, Addr: s.RemoteAddr(), Err: err}
}

// MaxMsg is [MaxMessage].
func (s *gramSession) MaxMsg() int { return MaxMessage }

// CloseWrite is unsupported: the other side of a datagram socket does not learn of
// it.
func (s *gramSession) CloseWrite() error { return s.opError("close", errors.ErrUnsupported) }

// Close ends the session. The next datagram of its sender opens another one.
func (s *gramSession) Close() error {
	s.closing.Do(func() {
		close(s.done)
		if s.idle != nil {
			s.idle.Stop()
		}
		s.a.forget(s)
		_ = s.a.leave() // of the socket, which the acceptor answers for
	})
	return nil
}

func (s *gramSession) Info() *transport.Info { return s.info }
func (s *gramSession) LocalAddr() net.Addr   { return s.a.addr }

// RemoteAddr is the sender's name, which may be empty.
func (s *gramSession) RemoteAddr() net.Addr {
	if s.to == nil {
		return unixAddr("unixgram", "")
	}
	return s.to
}

func (s *gramSession) SetDeadline(t time.Time) error {
	return errors.Join(s.SetReadDeadline(t), s.SetWriteDeadline(t))
}

func (s *gramSession) SetReadDeadline(t time.Time) error {
	s.deadline.set(t)
	return nil
}

func (s *gramSession) SetWriteDeadline(t time.Time) error {
	s.writeEnd.Store(0)
	if !t.IsZero() {
		s.writeEnd.Store(t.UnixNano())
	}
	return nil
}
