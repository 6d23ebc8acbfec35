package join

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// Messages cuts s into messages of at most max bytes, or [DefaultMaxMsg] if max is
// 0. A longer one is an error matching [transport.ErrMsgTooLong], after which
// nothing more can be read; nothing is cut short. At the end of file, bytes that no
// separator ends are a last message. The result owns s. It is a
// [transport.MsgLender], an [transport.Aborter] and a [transport.Wrapper].
func Messages(s transport.Stream, f Framing, max int) transport.MsgConn {
	return &framed{s: s, cut: newCutter(f, max)}
}

// framed is a Stream seen as messages.
type framed struct {
	s      transport.Stream
	cut    *cutter // of the reader
	failed error   // why nothing more can be cut; of the reader
	ended  error   // what ends the messages after those held; of the reader

	closed atomic.Bool
	mu     sync.Mutex // guards what follows, and keeps messages apart on s
	out    []byte
	broken bool
}

var (
	_ transport.MsgConn   = (*framed)(nil)
	_ transport.MsgLender = (*framed)(nil)
	_ transport.Aborter   = (*framed)(nil)
	_ transport.Wrapper   = (*framed)(nil)
)

// Inner returns the Stream.
func (m *framed) Inner() transport.Conn { return m.s }

// LendMsg reads until a message is whole. An error that may pass, such as a
// deadline, loses nothing.
func (m *framed) LendMsg() ([]byte, transport.Meta, error) {
	for {
		p, ok, err := m.next()
		if ok || err != nil {
			return p, transport.Meta{}, err
		}
		n, err := m.s.Read(m.cut.space())
		m.cut.added(n)
		switch {
		case err == io.EOF:
			m.ended = err
		case err != nil && n > 0:
			// What was read first; a lasting error comes again.
		case err != nil:
			return nil, transport.Meta{}, err
		}
	}
}

// next returns what can be had without reading.
func (m *framed) next() ([]byte, bool, error) {
	if m.failed != nil {
		return nil, false, m.failed
	}
	p, ok, err := m.cut.next()
	if err == nil && !ok && m.ended != nil {
		if p, ok, err = m.cut.rest(); !ok && err == nil {
			m.ended, err = nil, m.ended
			return nil, false, err
		}
	}
	m.failed = err
	return p, ok, err
}

func (m *framed) ReadMsg(p []byte) (int, transport.Meta, error) {
	msg, meta, err := m.LendMsg()
	n := copy(p, msg)
	if n < len(msg) {
		err = io.ErrShortBuffer
	}
	return n, meta, err
}

// WriteMsg writes the message and what marks its end with one Write.
func (m *framed) WriteMsg(p []byte, _ transport.Meta) error {
	if len(p) > m.cut.max {
		return transport.ErrMsgTooLong
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.closed.Load():
		return net.ErrClosed
	case m.broken:
		return errBroken
	}
	out, err := p, error(nil)
	if m.cut.framing != Chunks {
		if out, err = m.cut.framing.frame(m.out[:0], p); err != nil {
			return err
		}
		if m.out = out; cap(out) > chunkLen {
			m.out = nil
		}
	}
	if len(out) == 0 {
		return nil
	}
	n, err := m.s.Write(out)
	if err == nil && n < len(out) {
		err = io.ErrShortWrite
	}
	m.broken = err != nil && n > 0 && n < len(out) && m.cut.framing != Chunks
	return err
}

func (m *framed) MaxMsg() int                        { return m.cut.max }
func (m *framed) CloseWrite() error                  { return m.s.CloseWrite() }
func (m *framed) Close() error                       { m.closed.Store(true); return m.s.Close() }
func (m *framed) Abort(cause error) error            { return transport.Abort(m.s, cause) }
func (m *framed) Info() *transport.Info              { return m.s.Info() }
func (m *framed) LocalAddr() net.Addr                { return m.s.LocalAddr() }
func (m *framed) RemoteAddr() net.Addr               { return m.s.RemoteAddr() }
func (m *framed) SetDeadline(t time.Time) error      { return m.s.SetDeadline(t) }
func (m *framed) SetReadDeadline(t time.Time) error  { return m.s.SetReadDeadline(t) }
func (m *framed) SetWriteDeadline(t time.Time) error { return m.s.SetWriteDeadline(t) }
