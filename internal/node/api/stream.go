package api

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// Protocol is what a connection to the control socket is upgraded to (RFC 9110
// section 7.8) when it is to carry an end.
const Protocol = "tenon-stream"

// Frames makes an end out of a connection on which both sides speak frames: a
// [*Stream], or a [*MsgConn] if it carries messages. It owns conn; in, which may be
// nil, has what was read of it already.
func Frames(conn net.Conn, in *bufio.Reader, carries Carries, info *transport.Info, local, remote net.Addr) transport.Conn {
	e := &end{framer: *newFramer(conn, in), info: info, local: local, remote: remote, sizes: make(chan struct{}, 1)}
	e.onWindow = e.window
	if carries == Messages || carries == Datagrams {
		return &MsgConn{e}
	}
	return &Stream{e}
}

// An end is what a Stream and a MsgConn have in common.
type end struct {
	framer
	info          *transport.Info
	local, remote net.Addr
	over          atomic.Pointer[error] // what calls return after Close or Abort
	bounded       bool                  // see BoundStatus
	reports       bool                  // Close returns how a program at the other side has ended

	smu        sync.Mutex // guards what follows
	rows, cols int
	sizes      chan struct{} // has a value after a change; closed by Close
	unsized    bool          // sizes is closed
}

// whole returns what is behind a Stream or a MsgConn.
func whole(c transport.Conn) *end {
	if m, ok := c.(*MsgConn); ok {
		return m.end
	}
	return c.(*Stream).end //nolint:forcetypeassert // Frames makes nothing else
}

// A Stream is an end that carries bytes through frames.
type Stream struct{ *end }

// A MsgConn is an end that carries messages through frames.
type MsgConn struct{ *end }

var (
	_ transport.Stream  = (*Stream)(nil)
	_ transport.MsgConn = (*MsgConn)(nil)
	_ transport.Aborter = (*Stream)(nil)
	_ transport.Aborter = (*MsgConn)(nil)
	_ transport.Sizer   = (*Stream)(nil)
	_ transport.Resizer = (*Stream)(nil)
	_ transport.Resizer = (*MsgConn)(nil)
	_ transport.Sizer   = (*MsgConn)(nil)

	_ transport.StatusPromiser = (*Stream)(nil)
	_ transport.StatusPromiser = (*MsgConn)(nil)
	_ transport.LateCloser     = (*Stream)(nil)
	_ transport.LateCloser     = (*MsgConn)(nil)
)

// Read reads bytes.
func (s *Stream) Read(p []byte) (int, error) {
	s.rmu.Lock()
	defer s.rmu.Unlock()
	if err := s.isOver(); err != nil {
		return 0, err
	}
	if len(p) == 0 {
		return 0, nil
	}
	for s.left == 0 {
		if err := s.next(); err != nil {
			return 0, s.failed(err)
		}
	}
	n, err := s.read(p)
	return n, s.failed(err)
}

// Write writes bytes, in as many frames as it takes.
func (s *Stream) Write(p []byte) (n int, err error) {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	if err := s.mayWrite(); err != nil {
		return 0, err
	}
	for n < len(p) {
		part := p[n:min(len(p), n+maxBytes)]
		accepted, err := s.write(frameData, part)
		if accepted {
			n += len(part)
		}
		if err != nil && n < len(p) {
			return n, s.failed(err)
		}
	}
	return n, nil
}

// ReadMsg reads one message.
func (m *MsgConn) ReadMsg(p []byte) (n int, meta transport.Meta, err error) {
	got, meta, err := m.TakeMsg()
	if err != nil {
		return 0, meta, err
	}
	if n = copy(p, got); n < len(got) {
		err = io.ErrShortBuffer
	}
	return n, meta, err
}

// TakeMsg reads one message, which belongs to the caller.
func (m *MsgConn) TakeMsg() (p []byte, meta transport.Meta, err error) {
	m.rmu.Lock()
	defer m.rmu.Unlock()
	if err := m.isOver(); err != nil {
		return nil, meta, err
	}
	if m.got == nil {
		if m.left == 0 {
			if err := m.next(); err != nil {
				return nil, meta, m.failed(err)
			}
			m.got = make([]byte, 0, m.left)
		}
	}
	for m.left > 0 { // a deadline may pass in between: what is there stays for the next call
		n, err := m.read(m.got[len(m.got):cap(m.got)])
		m.got = m.got[:len(m.got)+n]
		if err != nil {
			return nil, meta, m.failed(err)
		}
	}
	p, m.got = m.got, nil
	return p, transport.Meta{Text: m.typ == frameText}, nil
}

// OnLabel has f called by who reads, when the other side sends the label of datagrams. It is
// called before the first read.
func (m *MsgConn) OnLabel(f func(label uint32)) { m.onLabel = f }

// WriteLabel sends the label that datagrams are to have.
func (m *MsgConn) WriteLabel(label uint32) error {
	m.wmu.Lock()
	defer m.wmu.Unlock()
	if err := m.mayWrite(); err != nil {
		return err
	}
	_, err := m.write(frameLabel, binary.BigEndian.AppendUint32(nil, label))
	return m.failed(err)
}

// WriteMsg sends p as one message.
func (m *MsgConn) WriteMsg(p []byte, meta transport.Meta) error {
	if len(p) > MaxMsg {
		return fmt.Errorf("%w: %d bytes", transport.ErrMsgTooLong, len(p))
	}
	m.wmu.Lock()
	defer m.wmu.Unlock()
	if err := m.mayWrite(); err != nil {
		return err
	}
	typ := frameData
	if meta.Text {
		typ = frameText
	}
	accepted, err := m.write(typ, p)
	if accepted {
		return nil
	}
	return m.failed(err)
}

// MaxMsg is the length of the longest message.
func (m *MsgConn) MaxMsg() int { return MaxMsg }

// mayWrite tells why nothing can be written. It is called with wmu held.
func (e *end) mayWrite() error {
	if err := e.isOver(); err != nil {
		return err
	}
	if e.shut {
		return io.ErrClosedPipe
	}
	return nil
}

func (e *end) isOver() error {
	if err := e.over.Load(); err != nil {
		return *err
	}
	return nil
}

// failed returns err, or what Close or Abort has made of it.
func (e *end) failed(err error) error {
	if err == nil || errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if over := e.isOver(); over != nil {
		return over
	}
	return err
}

// CloseWrite says that nothing more will be written.
func (e *end) CloseWrite() error {
	if err := e.isOver(); err != nil {
		return err
	}
	return e.failed(e.closeWrite())
}

// Close ends both directions. The other side reads to the end of file. If that has ended, and
// has promised a status, it is waited for.
func (e *end) Close() error {
	over := net.ErrClosed
	e.over.Store(&over)
	untold := e.awaitStatus()
	err := e.shutdown(func() {
		if !e.shut {
			e.goodbye(frameEnd, nil) //nolint:errcheck // the other side sees a failure then
		}
		e.sayLate()
	})
	if e.reports {
		err = cmp.Or(transport.CarriedExit(e), err)
	}
	return cmp.Or(untold, err)
}

// Abort ends both directions so that the other side sees a failure: by the connection's
// own abort, or where that has none, or there is a close status to carry, by a frame.
func (e *end) Abort(cause error) error {
	err := transport.ErrAborted
	e.over.CompareAndSwap(nil, &err)
	if a, ok := e.conn.(transport.Aborter); ok && !e.tellsStatus() {
		a.Abort(cause)  //nolint:errcheck // the cause is the error that counts
		e.shutdown(nil) //nolint:errcheck // it is aborted
		return nil
	}
	e.shutdown(func() { //nolint:errcheck // the cause is the error that counts
		e.goodbye(frameAbort, abortText(cause)) //nolint:errcheck // the end of the connection says the same
	})
	return nil
}

func (e *end) shutdown(last func()) error {
	err := e.framer.shutdown(last)
	e.smu.Lock()
	defer e.smu.Unlock()
	if !e.unsized {
		e.unsized = true
		close(e.sizes)
	}
	return err
}

// Info returns what is known about the other side: Peer is the ID of the peer.
func (e *end) Info() *transport.Info { return e.info }

// LocalAddr returns this node's name for its side.
func (e *end) LocalAddr() net.Addr { return e.local }

// RemoteAddr returns the name of the peer and the service.
func (e *end) RemoteAddr() net.Addr { return e.remote }

func (e *end) SetDeadline(t time.Time) error      { return e.set(e.conn.SetDeadline, t) }
func (e *end) SetReadDeadline(t time.Time) error  { return e.set(e.conn.SetReadDeadline, t) }
func (e *end) SetWriteDeadline(t time.Time) error { return e.set(e.conn.SetWriteDeadline, t) }

func (e *end) set(set func(time.Time) error, t time.Time) error {
	if err := e.isOver(); err != nil {
		return err
	}
	return e.failed(set(t))
}

// Resize tells the other side the size of the window at this one.
func (e *end) Resize(rows, cols int) error {
	if err := e.isOver(); err != nil {
		return err
	}
	return e.failed(e.resize(rows, cols))
}

// WindowSize returns the size of the window at the other side; 0, 0 if it has not
// told any.
func (e *end) WindowSize() (rows, cols int) {
	e.smu.Lock()
	defer e.smu.Unlock()
	return e.rows, e.cols
}

// SizeChanges returns a channel that gets a value after the size has changed.
func (e *end) SizeChanges() <-chan struct{} { return e.sizes }

func (e *end) window(rows, cols int) {
	e.smu.Lock()
	defer e.smu.Unlock()
	e.rows, e.cols = rows, cols
	if e.unsized {
		return
	}
	select {
	case e.sizes <- struct{}{}:
	default:
	}
}
