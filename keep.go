package tenon

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// A keeper is an end with retry=forever: a Stream that is opened again when it is
// lost, while the other end of the joint stays as it is. What was written and not
// yet read by the far side when a connection broke is lost with it, and an event
// says so. After CloseWrite an end of file is the end.
type keeper struct {
	opener *Opener
	plan   *plan
	other  transport.Conn // as it was when the joint began
	ctx    context.Context
	cancel context.CancelFunc

	dialing sync.Mutex // held by the one who opens again

	mu     sync.Mutex
	conn   transport.Stream
	number int  // of the connection, grows with each
	ended  bool // CloseWrite was called
}

var _ transport.Aborter = (*keeper)(nil)

// keep returns c as an end that is opened again.
func (o *Opener) keep(p *plan, c transport.Stream, other transport.Conn) *keeper {
	ctx, cancel := context.WithCancel(context.Background())
	return &keeper{opener: o, plan: p, other: other, ctx: ctx, cancel: cancel, conn: c}
}

func (k *keeper) current() (transport.Stream, int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.conn, k.number
}

// Read reads from the connection that there is, and from the next one when it is lost.
func (k *keeper) Read(p []byte) (int, error) {
	for {
		c, number := k.current()
		n, err := c.Read(p)
		if n > 0 || err == nil {
			return n, nil
		}
		if err := k.again(number, err); err != nil {
			return 0, err
		}
	}
}

// Write writes to the connection that there is. What a lost one did not take goes
// to the next.
func (k *keeper) Write(p []byte) (n int, err error) {
	for {
		c, number := k.current()
		m, err := c.Write(p[n:])
		n += m
		if err == nil {
			return n, nil
		}
		if err := k.again(number, err); err != nil {
			return n, err
		}
	}
}

// again opens the next connection after the one with that number was lost, unless
// that is the end or somebody else has opened it.
func (k *keeper) again(number int, lost error) error {
	k.mu.Lock()
	ended := k.ended
	k.mu.Unlock()
	if k.ctx.Err() != nil {
		return net.ErrClosed
	}
	if ended || errors.Is(lost, os.ErrDeadlineExceeded) {
		return lost
	}
	k.dialing.Lock()
	defer k.dialing.Unlock()
	old, now := k.current()
	if now != number {
		return nil
	}
	why := "the connection was lost; what was on its way is lost with it"
	if lost == io.EOF {
		lost, why = nil, "the other side has closed the connection"
	}
	k.opener.emit(Event{Type: Down, End: k.plan.name(), Text: why + "; opening it again", Err: lost})
	old.Close()
	c, err := k.reopen()
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.conn, k.number = c, k.number+1
	if k.ctx.Err() != nil {
		c.Close()
		return net.ErrClosed
	}
	k.opener.emit(Event{Type: Up, End: k.plan.name(), Text: "open again"})
	if k.ended {
		return c.CloseWrite()
	}
	return nil
}

// reopen waits the interval, so that a server that closes at once is not flooded,
// and dials until it succeeds.
func (k *keeper) reopen() (transport.Stream, error) {
	quiet := &Opener{Kinds: k.opener.Kinds} // down and up are told by again
	if err := sleep(k.ctx, orDefault(k.plan.common.interval, DefaultInterval)); err != nil {
		return nil, net.ErrClosed
	}
	ctx := transport.WithOther(k.ctx, k.other)
	c, err := quiet.persist(ctx, k.plan, func() (transport.Conn, error) { return quiet.dialOnce(ctx, k.plan) })
	if err != nil {
		if k.ctx.Err() != nil {
			return nil, net.ErrClosed
		}
		return nil, err
	}
	return c.(transport.Stream), nil
}

// CloseWrite half-closes the connection, which will be the last.
func (k *keeper) CloseWrite() error {
	k.mu.Lock()
	k.ended = true
	c := k.conn
	k.mu.Unlock()
	return c.CloseWrite()
}

// Close closes the connection and stops opening new ones.
func (k *keeper) Close() error {
	k.cancel()
	c, _ := k.current()
	return c.Close()
}

// Abort aborts the connection and stops opening new ones.
func (k *keeper) Abort(cause error) error {
	k.cancel()
	c, _ := k.current()
	return transport.Abort(c, cause)
}

func (k *keeper) Info() *transport.Info { c, _ := k.current(); return c.Info() }
func (k *keeper) LocalAddr() net.Addr   { c, _ := k.current(); return c.LocalAddr() }
func (k *keeper) RemoteAddr() net.Addr  { c, _ := k.current(); return c.RemoteAddr() }

// The deadline methods concern the connection that there is.

func (k *keeper) SetDeadline(t time.Time) error {
	c, _ := k.current()
	return c.SetDeadline(t)
}

func (k *keeper) SetReadDeadline(t time.Time) error {
	c, _ := k.current()
	return c.SetReadDeadline(t)
}

func (k *keeper) SetWriteDeadline(t time.Time) error {
	c, _ := k.current()
	return c.SetWriteDeadline(t)
}
