//go:build linux

package local

import (
	"errors"
	"io"
	"net"
	"os"
	"time"

	"github.com/tenon-net/tenon/internal/deadline"
	"github.com/tenon-net/tenon/internal/sessions"
	"github.com/tenon-net/tenon/transport"
)

// A gramSession is the datagrams of one sender at a socket that it shares with
// others. [sessions.Session] draws its states.
type gramSession struct {
	entry    gramEntry
	a        *gramAcceptor
	to       *net.UnixAddr // nil if the sender has no name
	info     *transport.Info
	in       chan []byte
	ended    chan struct{}     // closed by End
	deadline deadline.Deadline // of reading
}

type gramEntry = sessions.Entry[string, *gramSession]

var (
	_ transport.MsgConn = (*gramSession)(nil)
	_ transport.Ender   = (*gramSession)(nil)
)

func newGramSession(a *gramAcceptor, to *net.UnixAddr, cred *transport.Cred) *gramSession {
	return &gramSession{a: a, to: to, info: &transport.Info{Kind: gramListenKind, Cred: cred},
		in: make(chan []byte, queueLen), ended: make(chan struct{})}
}

// End implements [sessions.Session].
func (s *gramSession) End() { close(s.ended) }

// Ended implements [transport.Ender]: a session that has run out is over both ways,
// and the next datagram of its sender opens another one.
func (s *gramSession) Ended() <-chan struct{} { return s.ended }

// put hands one datagram to the reader, waiting for room. The session does not end
// before that has read it.
func (s *gramSession) put(msg []byte) {
	s.entry.Hold(1)
	select {
	case s.in <- msg:
	case <-s.entry.Done():
	}
}

// ReadMsg reads one datagram.
func (s *gramSession) ReadMsg(p []byte) (int, transport.Meta, error) {
	var none transport.Meta
	over := s.deadline.Wait()
	select { // what has ended comes before what can be read
	case <-s.entry.Done():
		return 0, none, s.opError("read", net.ErrClosed)
	case <-over:
		return 0, none, s.opError("read", os.ErrDeadlineExceeded)
	default:
	}
	var msg []byte
	select {
	case msg = <-s.in:
	case <-s.ended:
		select {
		case msg = <-s.in:
		default:
			return 0, none, io.EOF
		}
	case <-s.entry.Done():
		return 0, none, s.opError("read", net.ErrClosed)
	case <-over:
		return 0, none, s.opError("read", os.ErrDeadlineExceeded)
	}
	s.entry.Hold(-1)
	n := copy(p, msg)
	if n < len(msg) {
		return n, none, io.ErrShortBuffer
	}
	return n, none, nil
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
	s.entry.Touch()
	err := s.entry.Writable()
	for pause := firstPause; err == nil; pause = min(2*pause, lastPause) {
		var full bool
		if full, err = sendTo(s.a.c, p, s.to.Name); !full && err == nil {
			return nil
		}
		if full { // the system wakes only those who are connected to who has no room
			err = s.entry.Pause(pause)
		}
	}
	return sizeError(s.opError("write", err))
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
func (s *gramSession) Close() error { return s.entry.Close() }

func (s *gramSession) Info() *transport.Info { return s.info }
func (s *gramSession) LocalAddr() net.Addr   { return s.a.addr }

// RemoteAddr is the sender's name, or says that it has none.
func (s *gramSession) RemoteAddr() net.Addr {
	if s.to == nil {
		return named(unixAddr("unixgram", ""), s.info.Cred)
	}
	return s.to
}

func (s *gramSession) SetDeadline(t time.Time) error {
	return errors.Join(s.SetReadDeadline(t), s.SetWriteDeadline(t))
}

func (s *gramSession) SetReadDeadline(t time.Time) error {
	if deadline.IsClosed(s.entry.Done()) {
		return s.opError("set", net.ErrClosed)
	}
	s.deadline.Set(t)
	return nil
}

func (s *gramSession) SetWriteDeadline(t time.Time) error { return s.entry.SetWriteDeadline(t) }
