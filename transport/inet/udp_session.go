package inet

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

// A udpSession is the datagrams of one sender at a socket that it shares with
// others:
//
//	        SessionIdle without a datagram
//	open ────────────────────────────────────► ended: reads give io.EOF when
//	  │                                          │    all is read; writes work
//	  └──────────────── Close ───────────────────┴──► closed
type udpSession struct {
	a      *udpAcceptor
	s      *udpSocket
	to     target
	remote net.Addr
	queue  *msgQueue
	timer  *time.Timer // nil if the session never ends by itself

	// Of the receiving goroutine: what came for outTo and is not yet sent.
	out   []transport.Msg
	outTo *forward

	closing  sync.Once
	done     chan struct{} // closed by Close
	deadline atomic.Int64  // of writing, in Unix nanoseconds; 0 is none
}

var (
	_ transport.MsgConn     = (*udpSession)(nil)
	_ transport.MsgBatcher  = (*udpSession)(nil)
	_ transport.MsgLender   = (*udpSession)(nil)
	_ transport.DropCounter = (*udpSession)(nil)
)

// newUDPSession needs a.mu, which makes expire wait until it is done.
func newUDPSession(a *udpAcceptor, s *udpSocket, to target, now time.Time) *udpSession {
	c := &udpSession{a: a, s: s, to: to, remote: net.UDPAddrFromAddrPort(to.addr),
		queue: newMsgQueue(a.queue, &a.dropped, now), done: make(chan struct{})}
	if a.idle > 0 {
		c.timer = time.AfterFunc(a.idle, c.expire)
	}
	return c
}

// expire ends the session if it has been silent, or sets the clock again.
func (c *udpSession) expire() {
	c.a.mu.Lock()
	timer := c.timer
	c.a.mu.Unlock()
	if left := c.a.idle - c.queue.idle(); left > 0 {
		timer.Reset(left)
		return
	}
	c.a.forget(c) // first, so that hardly anything is put into a queue that has ended
	c.queue.finish(io.EOF, false)
}

func (c *udpSession) ReadMsg(p []byte) (int, transport.Meta, error) {
	n, m, err := c.queue.readMsg(p)
	return n, m, c.readError(err)
}

// LendMsg implements [transport.MsgLender].
func (c *udpSession) LendMsg() ([]byte, transport.Meta, error) {
	p, m, err := c.queue.lendMsg()
	return p, m, c.readError(err)
}

// ReadMsgs implements [transport.MsgBatcher].
func (c *udpSession) ReadMsgs(ms []transport.Msg) (int, error) {
	n, err := c.queue.readMsgs(ms)
	return n, c.readError(err)
}

func (c *udpSession) readError(err error) error {
	if err == nil || err == io.EOF || err == io.ErrShortBuffer {
		return err
	}
	return c.opError("read", err)
}

// WriteMsg sends one datagram to the sender of the session.
func (c *udpSession) WriteMsg(p []byte, m transport.Meta) error {
	one := [1]transport.Msg{{Buf: p, Meta: m}}
	_, err := c.WriteMsgs(one[:])
	return err
}

// WriteMsgs implements [transport.MsgBatcher].
func (c *udpSession) WriteMsgs(ms []transport.Msg) (int, error) {
	if err := c.writable(); err != nil {
		return 0, err
	}
	ms, err := fitting(ms, c.s)
	n, werr := c.s.writeMsgs(ms, c.to, c.wait)
	if werr != nil {
		err = werr
	}
	if n > 0 {
		c.queue.touch()
	}
	return n, err
}

// writable tells whether a write may begin or go on.
func (c *udpSession) writable() error {
	select {
	case <-c.done:
		return c.opError("write", net.ErrClosed)
	default:
	}
	if d := c.deadline.Load(); d != 0 && time.Now().UnixNano() >= d {
		return c.opError("write", os.ErrDeadlineExceeded)
	}
	return nil
}

// fullPause is how long a session waits when the socket's buffer is full. Waiting
// for the socket itself could not be ended by the session's Close and deadline.
const fullPause = time.Millisecond

func (c *udpSession) wait() error {
	pause := time.NewTimer(fullPause)
	defer pause.Stop()
	select {
	case <-c.done:
	case <-pause.C:
	}
	return c.writable()
}

func (c *udpSession) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: "udp", Source: c.s.local, Addr: c.remote, Err: err}
}

// CloseWrite is unsupported: UDP has no way to say that nothing more will come.
func (c *udpSession) CloseWrite() error { return c.opError("close", errors.ErrUnsupported) }

// Close ends the session. The next datagram of its sender opens another one.
func (c *udpSession) Close() error {
	c.closing.Do(func() {
		close(c.done)
		if c.timer != nil {
			c.timer.Stop()
		}
		c.queue.finish(net.ErrClosed, true)
		c.a.gone(c)
	})
	return nil
}

// Dropped is how many datagrams the session had no room for.
func (c *udpSession) Dropped() int64 { return c.queue.dropped.Load() }

// MaxMsg is [MaxUDP].
func (c *udpSession) MaxMsg() int { return MaxUDP }

func (c *udpSession) Info() *transport.Info { return c.a.info }
func (c *udpSession) RemoteAddr() net.Addr  { return c.remote }

// LocalAddr is the address of the socket; if that is bound to all addresses, the
// one that the sender used.
func (c *udpSession) LocalAddr() net.Addr {
	if !c.to.from.IsValid() {
		return c.s.local
	}
	return &net.UDPAddr{IP: c.to.from.AsSlice(), Port: c.s.local.(*net.UDPAddr).Port}
}

func (c *udpSession) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *udpSession) SetReadDeadline(t time.Time) error {
	c.queue.setDeadline(t)
	return nil
}

func (c *udpSession) SetWriteDeadline(t time.Time) error {
	if t.IsZero() {
		c.deadline.Store(0)
	} else {
		c.deadline.Store(t.UnixNano())
	}
	return nil
}
