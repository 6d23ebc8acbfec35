package serve

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/plan"
	"github.com/tenon-net/tenon/transport"
)

// A reconnecter is an end with retry=forever, which is opened again when it is
// lost, while the other end of the joint stays as it is. What was written and not
// yet read by the far side when a connection broke is lost with it, and an event
// says so. After CloseWrite an end of file is the end.
type reconnecter struct {
	opener *Opener
	plan   *plan.Plan
	other  transport.Conn // as it was when the joint began
	ctx    context.Context
	cancel context.CancelFunc

	dialing sync.Mutex // held by the one who opens again

	mu     sync.Mutex
	conn   transport.Conn
	number int  // of the connection, grows with each
	ended  bool // CloseWrite was called
}

// A reconnecter carries bytes or messages, as its connections do.
type (
	reconnectingStream struct{ *reconnecter }
	reconnectingMsgs   struct{ *reconnecter }
)

var (
	_ transport.Stream  = reconnectingStream{}
	_ transport.MsgConn = reconnectingMsgs{}
	_ transport.Aborter = (*reconnecter)(nil)
)

// reconnect returns c as an end that is opened again.
func (o *Opener) reconnect(p *plan.Plan, c, other transport.Conn) transport.Conn {
	ctx, cancel := context.WithCancel(context.Background())
	r := &reconnecter{opener: o, plan: p, other: other, ctx: ctx, cancel: cancel, conn: c}
	if _, ok := c.(transport.MsgConn); ok {
		return reconnectingMsgs{r}
	}
	return reconnectingStream{r}
}

func (r *reconnecter) current() (transport.Conn, int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.conn, r.number
}

// Read reads from the connection that there is, and from the next one when it is lost.
func (r reconnectingStream) Read(p []byte) (int, error) {
	for {
		c, number := r.current()
		n, err := c.(transport.Stream).Read(p)
		if n > 0 || err == nil {
			return n, nil
		}
		if err := r.again(number, err); err != nil {
			return 0, err
		}
	}
}

// Write writes to the connection that there is. What a lost one did not take goes
// to the next.
func (r reconnectingStream) Write(p []byte) (n int, err error) {
	for {
		c, number := r.current()
		m, err := c.(transport.Stream).Write(p[n:])
		n += m
		if err == nil {
			return n, nil
		}
		if err := r.again(number, err); err != nil {
			return n, err
		}
	}
}

// ReadMsg reads a message from the connection that there is, and from the next one when it is lost.
func (r reconnectingMsgs) ReadMsg(p []byte) (int, transport.Meta, error) {
	for {
		c, number := r.current()
		n, m, err := c.(transport.MsgConn).ReadMsg(p)
		if err == nil || errors.Is(err, io.ErrShortBuffer) {
			return n, m, err
		}
		if err := r.again(number, err); err != nil {
			return 0, transport.Meta{}, err
		}
	}
}

// WriteMsg writes to the connection that there is, and to the next one what a lost one did not take.
func (r reconnectingMsgs) WriteMsg(p []byte, m transport.Meta) error {
	for {
		c, number := r.current()
		err := c.(transport.MsgConn).WriteMsg(p, m)
		if err == nil || errors.Is(err, transport.ErrMsgTooLong) {
			return err
		}
		if err := r.again(number, err); err != nil {
			return err
		}
	}
}

// MaxMsg is that of the connection that there is.
func (r reconnectingMsgs) MaxMsg() int { c, _ := r.current(); return c.(transport.MsgConn).MaxMsg() }

// again opens the next connection after the one with that number was lost, unless
// that is the end or somebody else has opened it.
func (r *reconnecter) again(number int, lost error) error {
	r.mu.Lock()
	ended := r.ended
	r.mu.Unlock()
	if ended || errors.Is(lost, os.ErrDeadlineExceeded) {
		return lost
	}
	r.dialing.Lock()
	defer r.dialing.Unlock()
	if r.ctx.Err() != nil {
		return net.ErrClosed
	}
	old, now := r.current()
	if now != number {
		return nil
	}
	why := "the connection was lost; what was on its way is lost with it"
	if lost == io.EOF {
		lost, why = nil, "the other side has closed the connection"
	}
	r.opener.watch().Down(r.plan, why+"; opening it again", lost)
	old.Close()
	c, err := r.reopen()
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conn, r.number = c, r.number+1
	if r.ctx.Err() != nil {
		c.Close()
		return net.ErrClosed
	}
	r.opener.watch().Up(r.plan, "open again")
	if r.ended {
		return c.CloseWrite()
	}
	return nil
}

// reopen waits the interval, so that a server that closes at once is not flooded,
// and dials until it succeeds.
func (r *reconnecter) reopen() (transport.Conn, error) {
	quiet := new(Opener) // down and up are told by again
	if err := sleep(r.ctx, plan.OrDefault(r.plan.Common.Interval, plan.DefaultInterval)); err != nil {
		return nil, net.ErrClosed
	}
	ctx := transport.WithOther(r.ctx, r.other)
	c, err := quiet.persist(ctx, r.plan, func() (transport.Conn, error) { return quiet.dialOnce(ctx, r.plan) })
	if err != nil {
		if r.ctx.Err() != nil {
			return nil, net.ErrClosed
		}
		return nil, err
	}
	return c, nil
}

// CloseWrite half-closes the connection, which will be the last.
func (r *reconnecter) CloseWrite() error {
	r.mu.Lock()
	r.ended = true
	c := r.conn
	r.mu.Unlock()
	return c.CloseWrite()
}

// Close closes the connection and stops opening new ones.
func (r *reconnecter) Close() error {
	r.cancel()
	c, _ := r.current()
	return c.Close()
}

// Abort aborts the connection and stops opening new ones.
func (r *reconnecter) Abort(cause error) error {
	r.cancel()
	c, _ := r.current()
	return transport.Abort(c, cause)
}

func (r *reconnecter) Info() *transport.Info { c, _ := r.current(); return c.Info() }
func (r *reconnecter) LocalAddr() net.Addr   { c, _ := r.current(); return c.LocalAddr() }
func (r *reconnecter) RemoteAddr() net.Addr  { c, _ := r.current(); return c.RemoteAddr() }

// The deadline methods concern the connection that there is.

func (r *reconnecter) SetDeadline(t time.Time) error {
	c, _ := r.current()
	return c.SetDeadline(t)
}

func (r *reconnecter) SetReadDeadline(t time.Time) error {
	c, _ := r.current()
	return c.SetReadDeadline(t)
}

func (r *reconnecter) SetWriteDeadline(t time.Time) error {
	c, _ := r.current()
	return c.SetWriteDeadline(t)
}
