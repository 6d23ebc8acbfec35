package inet

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/tenon-net/tenon/internal/sessions"
	"github.com/tenon-net/tenon/transport"
)

// A udpSession is the datagrams of one sender at a socket that it shares with
// others. [sessions.Session] draws its states.
type udpSession struct {
	entry  udpEntry
	a      *udpAcceptor
	s      *udpSocket
	to     target
	remote *net.UDPAddr
	queue  *msgQueue
	credit atomic.Int64 // bytes that may be sent, if a.amplify is not 0

	// Of the receiving goroutine: what came for outTo and is not yet sent.
	out   []transport.Msg
	outTo *forward
}

type udpEntry = sessions.Entry[udpSender, *udpSession]

var (
	_ transport.MsgConn     = (*udpSession)(nil)
	_ transport.MsgBatcher  = (*udpSession)(nil)
	_ transport.MsgLender   = (*udpSession)(nil)
	_ transport.DropCounter = (*udpSession)(nil)
	_ transport.Ender       = (*udpSession)(nil)
)

func newUDPSession(a *udpAcceptor, s *udpSocket, to target, z *zones) *udpSession {
	return &udpSession{a: a, s: s, to: to, remote: z.addr(to.addr), queue: newMsgQueue(a.queue, &a.dropped)}
}

// End implements [sessions.Session].
func (c *udpSession) End() { c.queue.finish(io.EOF, false) }

// Ended implements [transport.Ender]: a session that has run out has ended both ways.
func (c *udpSession) Ended() <-chan struct{} { return c.entry.Ended() }

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
	n, werr := c.send(ms, c.wait)
	if werr != nil {
		err = werr
	}
	return n, err
}

// send sends ms, or drops what the credit is not enough for: n counts both.
func (c *udpSession) send(ms []transport.Msg, wait func() error) (n int, err error) {
	may := c.affordable(ms)
	if n, err = c.s.writeMsgs(may, c.to, wait); n > 0 {
		c.entry.Touch()
	}
	if c.a.amplify > 0 {
		c.credit.Add(-wireSize(may[:n]))
	}
	if n == len(may) && n < len(ms) {
		c.queue.drop(len(ms) - n)
		n = len(ms)
	}
	return n, err
}

// addCredit adds what a datagram is worth that has come.
func (c *udpSession) addCredit(d *datagram) {
	if n := c.a.amplify; n > 0 {
		c.credit.Add(n * int64(len(d.data)+d.messages()*perDatagram))
	}
}

// affordable returns the first of ms, those that the credit is enough for.
func (c *udpSession) affordable(ms []transport.Msg) []transport.Msg {
	if c.a.amplify == 0 {
		return ms
	}
	left := c.credit.Load()
	for i := range ms {
		if left -= wireSize(ms[i : i+1]); left < 0 {
			return ms[:i]
		}
	}
	return ms
}

// perDatagram is the length of the headers of IPv4 and UDP, without which datagrams
// of no bytes would cost nothing.
const perDatagram = 28

// wireSize is the length of messages as they are sent.
func wireSize(ms []transport.Msg) (n int64) {
	for i := range ms {
		n += perDatagram + int64(len(ms[i].Buf))
	}
	return n
}

// writable tells whether a write may begin or go on.
func (c *udpSession) writable() error {
	if err := c.entry.Writable(); err != nil {
		return c.opError("write", err)
	}
	return nil
}

// fullPause is how long a session waits when the socket's buffer is full.
const fullPause = time.Millisecond

func (c *udpSession) wait() error {
	if err := c.entry.Pause(fullPause); err != nil {
		return c.opError("write", err)
	}
	return nil
}

func (c *udpSession) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: "udp", Source: c.s.local, Addr: c.remote, Err: err}
}

// CloseWrite is unsupported: UDP has no way to say that nothing more will come.
func (c *udpSession) CloseWrite() error { return c.opError("close", errors.ErrUnsupported) }

// Close ends the session. The next datagram of its sender opens another one.
func (c *udpSession) Close() error {
	c.queue.finish(net.ErrClosed, true)
	return c.entry.Close()
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
	local := &net.UDPAddr{IP: c.to.from.AsSlice(), Port: c.s.local.(*net.UDPAddr).Port}
	if c.to.from.IsLinkLocalUnicast() {
		local.Zone = c.remote.Zone
	}
	return local
}

func (c *udpSession) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *udpSession) SetReadDeadline(t time.Time) error { return c.queue.setDeadline(t) }

func (c *udpSession) SetWriteDeadline(t time.Time) error { return c.entry.SetWriteDeadline(t) }
