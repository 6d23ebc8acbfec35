package inet

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// A udpConn is a socket of its own: connected, or sending to one target and
// receiving from anybody.
type udpConn struct {
	s      *udpSocket
	info   *transport.Info
	remote net.Addr
	to     target // the zero target on a connected socket
	only   bool   // receive from to only

	closing  sync.Once
	closed   atomic.Bool
	closeErr error

	rmu     sync.Mutex // held while reading; guards what follows
	in      *batchReader
	left    []datagram // received and not yet read
	senders senders
}

var (
	_ transport.MsgConn    = (*udpConn)(nil)
	_ transport.MsgBatcher = (*udpConn)(nil)
	_ transport.MsgLender  = (*udpConn)(nil)
)

func newUDPConn(s *udpSocket, kind string, remote net.Addr, to target) *udpConn {
	return &udpConn{s: s, info: &transport.Info{Kind: kind}, remote: remote, to: to, in: newBatchReader(s)}
}

// ReadMsg reads one datagram. On a connected socket it may return an error about
// a datagram that was sent before, such as ECONNREFUSED when nobody listens there;
// the next call reads on.
func (c *udpConn) ReadMsg(p []byte) (int, transport.Meta, error) {
	c.rmu.Lock()
	defer c.rmu.Unlock()
	if len(c.left) > 0 || c.in.gro {
		msg, meta, err := c.take(1)
		if err != nil {
			return 0, meta, err
		}
		return copyMsg(p, msg, meta)
	}
	n, from, cut, err := c.s.receiveOne(p)
	for err == nil && !c.wants(from) {
		n, from, cut, err = c.s.receiveOne(p)
	}
	if err != nil {
		return 0, transport.Meta{}, err
	}
	meta := c.meta(from)
	if cut {
		err = io.ErrShortBuffer
	}
	return n, meta, err
}

// LendMsg implements [transport.MsgLender].
func (c *udpConn) LendMsg() ([]byte, transport.Meta, error) {
	c.rmu.Lock()
	defer c.rmu.Unlock()
	return c.take(1)
}

// ReadMsgs implements [transport.MsgBatcher].
func (c *udpConn) ReadMsgs(ms []transport.Msg) (n int, err error) {
	c.rmu.Lock()
	defer c.rmu.Unlock()
	for n < len(ms) && (n == 0 || len(c.left) > 0) {
		if ms[n].Buf, ms[n].Meta, err = c.take(len(ms)); err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// take returns the next message. If it has to wait, it then receives max datagrams
// at most.
func (c *udpConn) take(max int) (msg []byte, meta transport.Meta, err error) {
	for len(c.left) == 0 {
		if c.closed.Load() {
			return nil, meta, c.s.opError("read", net.ErrClosed)
		}
		if c.left, err = c.in.wait(max); err != nil {
			return nil, meta, err
		}
		if c.only {
			c.left = slices.DeleteFunc(c.left, func(d datagram) bool { return !c.wants(d.from) })
		}
	}
	d := &c.left[0]
	meta = c.meta(d.from)
	msg, more := d.next()
	if !more {
		c.left = c.left[1:]
	}
	return msg, meta, nil
}

// wants tells whether a datagram of that sender is for whoever reads.
func (c *udpConn) wants(from netip.AddrPort) bool {
	if !c.only {
		return true
	}
	to, zone := c.to.addr, from.Addr().Zone()
	return from.Port() == to.Port() && from.Addr().Unmap().WithZone("") == to.Addr().WithZone("") &&
		(to.Addr().Zone() == "" || sameZone(zone, to.Addr().Zone()))
}

// meta names the sender, if it is not the one that the socket is connected to.
func (c *udpConn) meta(from netip.AddrPort) transport.Meta {
	if !c.to.addr.IsValid() || !from.IsValid() {
		return transport.Meta{}
	}
	return transport.Meta{From: c.senders.addr(from)}
}

// WriteMsg sends one datagram.
func (c *udpConn) WriteMsg(p []byte, _ transport.Meta) error {
	if len(p) > MaxUDP {
		return c.s.opError("write", transport.ErrMsgTooLong)
	}
	return c.s.sendOne(p, c.to)
}

// WriteMsgs implements [transport.MsgBatcher].
func (c *udpConn) WriteMsgs(ms []transport.Msg) (int, error) {
	ms, err := fitting(ms, c.s)
	n, werr := c.s.writeMsgs(ms, c.to, nil)
	if werr != nil {
		err = werr
	}
	return n, err
}

// fitting returns those of ms that come before the first one that is too long,
// with the error for that one.
func fitting(ms []transport.Msg, s *udpSocket) ([]transport.Msg, error) {
	for i := range ms {
		if len(ms[i].Buf) > MaxUDP {
			return ms[:i], s.opError("write", transport.ErrMsgTooLong)
		}
	}
	return ms, nil
}

// MaxMsg is [MaxUDP].
func (c *udpConn) MaxMsg() int { return MaxUDP }

// CloseWrite is unsupported: UDP has no way to say that nothing more will come.
func (c *udpConn) CloseWrite() error {
	return c.s.opError("close", errors.ErrUnsupported)
}

func (c *udpConn) Close() error {
	c.closing.Do(func() {
		c.closed.Store(true)
		c.closeErr = c.s.c.Close()
	})
	return c.closeErr
}

func (c *udpConn) Info() *transport.Info { return c.info }
func (c *udpConn) LocalAddr() net.Addr   { return c.s.local }
func (c *udpConn) RemoteAddr() net.Addr  { return c.remote }

func (c *udpConn) SetDeadline(t time.Time) error      { return c.s.c.SetDeadline(t) }
func (c *udpConn) SetReadDeadline(t time.Time) error  { return c.s.c.SetReadDeadline(t) }
func (c *udpConn) SetWriteDeadline(t time.Time) error { return c.s.c.SetWriteDeadline(t) }

// senders makes net.Addrs of addresses, the same one for the same address, so that
// a run of messages from one sender makes no garbage.
type senders struct {
	last  netip.AddrPort
	name  net.Addr
	zones zones
}

func (s *senders) addr(from netip.AddrPort) net.Addr {
	if from != s.last {
		s.last, s.name = from, s.zones.addr(from)
	}
	return s.name
}

// copyMsg is what ReadMsg returns of a message that was received elsewhere.
func copyMsg(p, msg []byte, meta transport.Meta) (int, transport.Meta, error) {
	n := copy(p, msg)
	if n < len(msg) {
		return n, meta, io.ErrShortBuffer
	}
	return n, meta, nil
}
