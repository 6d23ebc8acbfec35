package transport

import (
	"net"
	"sync"
	"time"
)

// StreamOf returns c as a Stream: itself, or, if it carries messages, with this
// framing: each Write is one message, cut into several of MaxMsg bytes if it is longer,
// and reading strings the messages together. Boundaries are lost on reading, empty
// messages are skipped, and an empty Write sends nothing. What it returns owns c.
//
// It is for packages that want a net.Conn and whose protocol finds its own boundaries,
// as HTTP, SSH and databases do, over an end such as a WebSocket. Over an end that may
// lose messages, such as UDP, bytes are lost.
func StreamOf(c Conn) Stream {
	switch c := c.(type) {
	case Stream:
		return c
	case MsgConn:
		return &msgStream{conn: c}
	}
	panic("transport: a Conn that is neither a Stream nor a MsgConn")
}

// A msgStream is a MsgConn read and written as bytes.
type msgStream struct {
	conn MsgConn

	reading sync.Mutex // guards rest and buf
	rest    []byte     // of the message read last
	buf     []byte     // for ends that lend no messages

	writing sync.Mutex // keeps the messages of one Write together
}

var (
	_ Stream  = (*msgStream)(nil)
	_ Aborter = (*msgStream)(nil)
)

func (s *msgStream) Read(p []byte) (int, error) {
	s.reading.Lock()
	defer s.reading.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	for len(s.rest) == 0 {
		if err := s.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// next reads a message.
func (s *msgStream) next() (err error) {
	if l, ok := As[MsgLender](s.conn); ok {
		s.rest, _, err = l.LendMsg()
		return err
	}
	if s.buf == nil {
		s.buf = make([]byte, s.conn.MaxMsg())
	}
	n, _, err := s.conn.ReadMsg(s.buf)
	if err == nil {
		s.rest = s.buf[:n]
	}
	return err
}

func (s *msgStream) Write(p []byte) (n int, err error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	for len(p) > 0 {
		m := min(len(p), s.conn.MaxMsg())
		if err := s.conn.WriteMsg(p[:m], Meta{}); err != nil {
			return n, err
		}
		n, p = n+m, p[m:]
	}
	return n, nil
}

// CloseWrite half-closes the end, if it can.
func (s *msgStream) CloseWrite() error { return s.conn.CloseWrite() }

// Close closes the end.
func (s *msgStream) Close() error                       { return s.conn.Close() }
func (s *msgStream) Abort(cause error) error            { return Abort(s.conn, cause) }
func (s *msgStream) Info() *Info                        { return s.conn.Info() }
func (s *msgStream) LocalAddr() net.Addr                { return s.conn.LocalAddr() }
func (s *msgStream) RemoteAddr() net.Addr               { return s.conn.RemoteAddr() }
func (s *msgStream) SetDeadline(t time.Time) error      { return s.conn.SetDeadline(t) }
func (s *msgStream) SetReadDeadline(t time.Time) error  { return s.conn.SetReadDeadline(t) }
func (s *msgStream) SetWriteDeadline(t time.Time) error { return s.conn.SetWriteDeadline(t) }
