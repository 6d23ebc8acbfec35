package serve

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/tenon-net/tenon/internal/plan"
	"github.com/tenon-net/tenon/transport"
)

// wrapEnd puts on c what the options of every end ask for: rate, readbytes, ignoreeof,
// crlf, in this order from the wire inwards. Messages know only the rate.
func wrapEnd(p *plan.Plan, c transport.Conn) transport.Conn {
	o := &p.Common
	if o.Rate > 0 {
		c = limitRate(c, o.Rate)
	}
	s, ok := c.(transport.Stream)
	if !ok {
		return c
	}
	if o.ReadBytes > 0 {
		s = &transport.Filter{Stream: s, R: io.LimitReader(s, o.ReadBytes)}
	}
	if o.IgnoreEOF {
		s = ignoreEOF(s)
	}
	if o.CRLF {
		s = &transport.Filter{Stream: s, R: lfReader{bufio.NewReader(s)}, W: &crlfWriter{w: s}}
	}
	return s
}

// limitRate slows reading and writing to n bytes a second each.
func limitRate(c transport.Conn, n int64) transport.Conn {
	ctx, cancel := context.WithCancel(context.Background())
	c = transport.OnClose(c, cancel)
	in, out := newPace(ctx, n), newPace(ctx, n)
	switch c := c.(type) {
	case transport.Stream:
		return &transport.Filter{Stream: c, R: &pacedReader{c, in}, W: &pacedWriter{c, out}}
	case transport.MsgConn:
		return &pacedMsgs{conn: c, in: in, out: out}
	}
	return c
}

// A pace is a token bucket that holds a tenth of a second's worth, at least 1 KiB.
type pace struct {
	ctx     context.Context // done when the end is closed
	limiter *rate.Limiter
}

func newPace(ctx context.Context, n int64) *pace {
	return &pace{ctx, rate.NewLimiter(rate.Limit(n), int(max(n/10, 1024)))}
}

// wait takes n bytes out of the bucket, however many that is.
func (p *pace) wait(n int) error {
	for n > 0 {
		step := min(n, p.limiter.Burst())
		if err := p.limiter.WaitN(p.ctx, step); err != nil {
			return net.ErrClosed
		}
		n -= step
	}
	return nil
}

type pacedReader struct {
	r io.Reader
	*pace
}

func (r *pacedReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p[:min(len(p), r.limiter.Burst())])
	if werr := r.wait(n); werr != nil && err == nil {
		err = werr
	}
	return n, err
}

type pacedWriter struct {
	w io.Writer
	*pace
}

func (w *pacedWriter) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		step := min(len(p), w.limiter.Burst())
		if err := w.wait(step); err != nil {
			return n, err
		}
		m, err := w.w.Write(p[:step])
		n += m
		if err != nil {
			return n, err
		}
		p = p[step:]
	}
	return n, nil
}

// ignoreEOFPoll is how long to wait after an end of file before looking for more.
const ignoreEOFPoll = time.Second

// ignoreEOF holds an end of file back until the other direction has ended, too: then
// nothing can come of waiting any more. What has grown meanwhile, as a file may, is
// read.
func ignoreEOF(s transport.Stream) transport.Stream {
	closed, cancel := context.WithCancel(context.Background())
	s = transport.OnClose(s, cancel).(transport.Stream)
	e := &endless{Filter: transport.Filter{Stream: s}, closed: closed, written: make(chan struct{})}
	e.R = endlessReader{e}
	return e
}

// An endless end has ignoreeof.
type endless struct {
	transport.Filter
	closed  context.Context // done when the end is closed
	once    sync.Once
	written chan struct{} // closed when nothing more will be written
}

// CloseWrite half-closes the Stream, and lets the end of file through.
func (e *endless) CloseWrite() error {
	defer e.once.Do(func() { close(e.written) })
	return e.Filter.CloseWrite()
}

type endlessReader struct{ *endless }

func (e endlessReader) Read(p []byte) (int, error) {
	poll := time.NewTimer(0)
	defer poll.Stop()
	for {
		n, err := e.Stream.Read(p)
		if n > 0 && errors.Is(err, io.EOF) {
			err = nil
		}
		if n > 0 || !errors.Is(err, io.EOF) {
			return n, err
		}
		poll.Reset(ignoreEOFPoll)
		select {
		case <-poll.C:
		case <-e.written:
			return 0, io.EOF
		case <-e.closed.Done():
			return 0, net.ErrClosed
		}
	}
}

// pacedMsgs is a MsgConn whose messages come and go at the pace of their bytes.
type pacedMsgs struct {
	conn    transport.MsgConn
	in, out *pace
	buf     []byte // of LendMsg, if conn lends none
}

var (
	_ transport.MsgLender = (*pacedMsgs)(nil)
	_ transport.Wrapper   = (*pacedMsgs)(nil)
)

// ReadMsg reads a message and waits for as long as it should have taken.
func (m *pacedMsgs) ReadMsg(p []byte) (int, transport.Meta, error) {
	n, meta, err := m.conn.ReadMsg(p)
	if werr := m.in.wait(n); werr != nil && err == nil {
		err = werr
	}
	return n, meta, err
}

// LendMsg is ReadMsg without a buffer of MaxMsg for each who reads.
func (m *pacedMsgs) LendMsg() (p []byte, meta transport.Meta, err error) {
	if l, ok := transport.As[transport.MsgLender](m.conn); ok {
		p, meta, err = l.LendMsg()
	} else {
		if m.buf == nil {
			m.buf = make([]byte, m.conn.MaxMsg())
		}
		var n int
		n, meta, err = m.conn.ReadMsg(m.buf)
		p = m.buf[:n]
	}
	if werr := m.in.wait(len(p)); werr != nil && err == nil {
		err = werr
	}
	return p, meta, err
}

// WriteMsg waits until the message may go.
func (m *pacedMsgs) WriteMsg(p []byte, meta transport.Meta) error {
	if err := m.out.wait(len(p)); err != nil {
		return err
	}
	return m.conn.WriteMsg(p, meta)
}

// Inner returns the MsgConn beneath.
func (m *pacedMsgs) Inner() transport.Conn { return m.conn }

func (m *pacedMsgs) MaxMsg() int                        { return m.conn.MaxMsg() }
func (m *pacedMsgs) CloseWrite() error                  { return m.conn.CloseWrite() }
func (m *pacedMsgs) Close() error                       { return m.conn.Close() }
func (m *pacedMsgs) Abort(cause error) error            { return transport.Abort(m.conn, cause) }
func (m *pacedMsgs) Info() *transport.Info              { return m.conn.Info() }
func (m *pacedMsgs) LocalAddr() net.Addr                { return m.conn.LocalAddr() }
func (m *pacedMsgs) RemoteAddr() net.Addr               { return m.conn.RemoteAddr() }
func (m *pacedMsgs) SetDeadline(t time.Time) error      { return m.conn.SetDeadline(t) }
func (m *pacedMsgs) SetReadDeadline(t time.Time) error  { return m.conn.SetReadDeadline(t) }
func (m *pacedMsgs) SetWriteDeadline(t time.Time) error { return m.conn.SetWriteDeadline(t) }
