package node

import (
	"context"
	"net"
	"time"

	"golang.org/x/time/rate"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// paceBurst is how many bytes a peer may have at once.
const paceBurst = 256 << 10

// A pace is how many bytes a second one peer may send here and have sent, with all its
// joints together.
type pace struct{ in, out *rate.Limiter }

func newPace(bytes int64) *pace {
	return &pace{rate.NewLimiter(rate.Limit(bytes), paceBurst), rate.NewLimiter(rate.Limit(bytes), paceBurst)}
}

// pace returns that of a peer; nil is none.
func (l *limits) pace(id peer.ID) *pace {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rate <= 0 || l.peers[id] == nil {
		return nil
	}
	if l.peers[id].pace == nil {
		l.peers[id].pace = newPace(l.rate)
	}
	return l.peers[id].pace
}

// setRate changes what each peer may have; joints that go on keep what they began with.
func (l *limits) setRate(bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rate == bytes {
		return
	}
	l.rate = bytes
	for _, b := range l.peers {
		b.pace = nil
	}
}

// paced returns c with the pace of a peer. It waits no longer than ctx.
func paced(ctx context.Context, c transport.Conn, p *pace) transport.Conn {
	if p == nil {
		return c
	}
	e := &pacedEnd{c, p, ctx}
	if m, ok := c.(transport.MsgConn); ok {
		return &pacedMsgs{e, m}
	}
	return &pacedStream{e, c.(transport.Stream)} // a Conn is one or the other
}

type pacedEnd struct {
	conn transport.Conn
	pace *pace
	ctx  context.Context // of the joint: the wait for tokens ends with it
}

type pacedStream struct {
	*pacedEnd
	stream transport.Stream
}

type pacedMsgs struct {
	*pacedEnd
	msgs transport.MsgConn
}

var (
	_ transport.Stream  = (*pacedStream)(nil)
	_ transport.MsgConn = (*pacedMsgs)(nil)
	_ transport.Wrapper = (*pacedEnd)(nil)
	_ transport.Aborter = (*pacedEnd)(nil)
)

// wait takes n tokens.
func (e *pacedEnd) wait(l *rate.Limiter, n int) error {
	for n > 0 {
		some := min(n, paceBurst)
		if err := l.WaitN(e.ctx, some); err != nil {
			return context.Cause(e.ctx)
		}
		n -= some
	}
	return nil
}

// Read pays for what it has read, before the next call.
func (s *pacedStream) Read(p []byte) (int, error) {
	n, err := s.stream.Read(p[:min(len(p), paceBurst)])
	if late := s.wait(s.pace.in, n); late != nil && err == nil {
		err = late
	}
	return n, err
}

func (s *pacedStream) Write(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		part := p[n:min(len(p), n+paceBurst)]
		if err = s.wait(s.pace.out, len(part)); err == nil {
			var m int
			m, err = s.stream.Write(part)
			n += m
		}
	}
	return n, err
}

func (m *pacedMsgs) ReadMsg(p []byte) (int, transport.Meta, error) {
	n, meta, err := m.msgs.ReadMsg(p)
	if late := m.wait(m.pace.in, n); late != nil && err == nil {
		return 0, meta, late
	}
	return n, meta, err
}

func (m *pacedMsgs) WriteMsg(p []byte, meta transport.Meta) error {
	if err := m.wait(m.pace.out, len(p)); err != nil {
		return err
	}
	return m.msgs.WriteMsg(p, meta)
}

func (m *pacedMsgs) MaxMsg() int { return m.msgs.MaxMsg() }

func (e *pacedEnd) Abort(cause error) error            { return transport.Abort(e.conn, cause) }
func (e *pacedEnd) Inner() transport.Conn              { return e.conn }
func (e *pacedEnd) CloseWrite() error                  { return e.conn.CloseWrite() }
func (e *pacedEnd) Close() error                       { return e.conn.Close() }
func (e *pacedEnd) Info() *transport.Info              { return e.conn.Info() }
func (e *pacedEnd) LocalAddr() net.Addr                { return e.conn.LocalAddr() }
func (e *pacedEnd) RemoteAddr() net.Addr               { return e.conn.RemoteAddr() }
func (e *pacedEnd) SetDeadline(t time.Time) error      { return e.conn.SetDeadline(t) }
func (e *pacedEnd) SetReadDeadline(t time.Time) error  { return e.conn.SetReadDeadline(t) }
func (e *pacedEnd) SetWriteDeadline(t time.Time) error { return e.conn.SetWriteDeadline(t) }
