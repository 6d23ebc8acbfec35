package transport

import (
	"io"
	"net"
	"sync"
	"time"
)

// A Filter is a Stream that reads and writes through something else than the
// Stream beneath it: a limiter, a translator, a reader that has some bytes left
// of a handshake. All the rest is passed on. It is a [Wrapper].
type Filter struct {
	Stream Stream
	R      io.Reader    // nil: Stream itself
	W      io.Writer    // nil: Stream itself
	Flush  func() error // nil, or called by CloseWrite before Stream's
	Extra  *Info        // nil: Stream's own
}

var (
	_ Stream  = (*Filter)(nil)
	_ Aborter = (*Filter)(nil)
	_ Wrapper = (*Filter)(nil)
)

func (f *Filter) Read(p []byte) (int, error) {
	if f.R != nil {
		return f.R.Read(p)
	}
	return f.Stream.Read(p)
}

func (f *Filter) Write(p []byte) (int, error) {
	if f.W != nil {
		return f.W.Write(p)
	}
	return f.Stream.Write(p)
}

// CloseWrite flushes what the filter holds back and half-closes the Stream.
func (f *Filter) CloseWrite() error {
	if f.Flush != nil {
		if err := f.Flush(); err != nil {
			return err
		}
	}
	return f.Stream.CloseWrite()
}

// Inner returns the Stream beneath.
func (f *Filter) Inner() Conn { return f.Stream }

// Abort aborts the Stream, or closes it if it cannot abort.
func (f *Filter) Abort(cause error) error { return Abort(f.Stream, cause) }

// Info returns Extra if it is set, else the Stream's.
func (f *Filter) Info() *Info {
	if f.Extra != nil {
		return f.Extra
	}
	return f.Stream.Info()
}

func (f *Filter) Close() error                       { return f.Stream.Close() }
func (f *Filter) LocalAddr() net.Addr                { return f.Stream.LocalAddr() }
func (f *Filter) RemoteAddr() net.Addr               { return f.Stream.RemoteAddr() }
func (f *Filter) SetDeadline(t time.Time) error      { return f.Stream.SetDeadline(t) }
func (f *Filter) SetReadDeadline(t time.Time) error  { return f.Stream.SetReadDeadline(t) }
func (f *Filter) SetWriteDeadline(t time.Time) error { return f.Stream.SetWriteDeadline(t) }

// Abort ends c so that the other side sees a failure, as far as c can.
func Abort(c Conn, cause error) error {
	if a, ok := As[Aborter](c); ok {
		return a.Abort(cause)
	}
	return c.Close()
}

// OnClose returns c with done called once, when c is first closed or aborted.
// What it returns is an Unwrapper.
func OnClose(c Conn, done func()) Conn {
	h := closeHook{c, sync.OnceFunc(done)}
	switch c := c.(type) {
	case Stream:
		return &hookedStream{h, c}
	case MsgConn:
		return &hookedMsgs{h, c}
	}
	panic("transport: a Conn that is neither a Stream nor a MsgConn")
}

type closeHook struct {
	conn Conn
	done func()
}

func (h *closeHook) Close() error                       { defer h.done(); return h.conn.Close() }
func (h *closeHook) Abort(cause error) error            { defer h.done(); return Abort(h.conn, cause) }
func (h *closeHook) Unwrap() Conn                       { return h.conn }
func (h *closeHook) CloseWrite() error                  { return h.conn.CloseWrite() }
func (h *closeHook) Info() *Info                        { return h.conn.Info() }
func (h *closeHook) LocalAddr() net.Addr                { return h.conn.LocalAddr() }
func (h *closeHook) RemoteAddr() net.Addr               { return h.conn.RemoteAddr() }
func (h *closeHook) SetDeadline(t time.Time) error      { return h.conn.SetDeadline(t) }
func (h *closeHook) SetReadDeadline(t time.Time) error  { return h.conn.SetReadDeadline(t) }
func (h *closeHook) SetWriteDeadline(t time.Time) error { return h.conn.SetWriteDeadline(t) }

type hookedStream struct {
	closeHook
	s Stream
}

func (h *hookedStream) Read(p []byte) (int, error)  { return h.s.Read(p) }
func (h *hookedStream) Write(p []byte) (int, error) { return h.s.Write(p) }

type hookedMsgs struct {
	closeHook
	m MsgConn
}

func (h *hookedMsgs) ReadMsg(p []byte) (int, Meta, error) { return h.m.ReadMsg(p) }
func (h *hookedMsgs) WriteMsg(p []byte, m Meta) error     { return h.m.WriteMsg(p, m) }
func (h *hookedMsgs) MaxMsg() int                         { return h.m.MaxMsg() }
