package inet

import (
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tenon-net/tenon/internal/rawio"
	"github.com/tenon-net/tenon/transport"
)

// A Conn is a connection of TCP; also a connection of a unix socket, if it was
// accepted from an inherited one.
//
// It begins as nothing but a descriptor. A joint that takes the descriptor over
// with Detach has paid for no registration with the poller of the runtime and for
// no goroutine. The first Read, Write or deadline makes it a [net.Conn], and it is one
// from then on:
//
//	        Read, Write, deadlines
//	bare ───────────────────────────► promoted
//	  │                                   │
//	  ├──────────── Detach ───────────────┤
//	  ▼                                   ▼
//	gone ◄──────── Close, Abort ──────────┘
//
// A Conn that is dropped without Close keeps its descriptor.
type Conn struct {
	info   *transport.Info
	remote endpoint

	netConn atomic.Pointer[promoted] // nil until promoted; never changes back

	mu       sync.Mutex // guards what follows
	local    endpoint   // zero until somebody asks or the descriptor goes
	fd       int        // the bare descriptor, or -1
	gone     bool       // closed, aborted or detached
	ended    bool       // CloseWrite was called
	endErr   error      // what it returned
	closeErr error      // what the first Close returned
}

// promoted is a [net.TCPConn] or [net.UnixConn], or on Linux a socketFile.
type promoted struct {
	streamConn
	rw *rawio.Conn // reads and writes it
}

func newPromoted(c streamConn) *promoted { return &promoted{c, rawio.New(c)} }

type streamConn interface {
	net.Conn
	syscall.Conn
	CloseWrite() error
}

var (
	_ transport.Stream   = (*Conn)(nil)
	_ transport.Aborter  = (*Conn)(nil)
	_ transport.Detacher = (*Conn)(nil)
	_ syscall.Conn       = (*Conn)(nil)
	_ io.ReaderFrom      = (*Conn)(nil)
	_ io.WriterTo        = (*Conn)(nil)
	_ streamConn         = (*net.TCPConn)(nil)
	_ streamConn         = (*net.UnixConn)(nil)
)

// An endpoint is an address in the form that takes the least room: tcp, or else
// any other. The zero endpoint is unknown.
type endpoint struct {
	tcp   netip.AddrPort
	other net.Addr
}

func (e endpoint) known() bool { return e.tcp.IsValid() || e.other != nil }

// addr never returns nil.
func (e endpoint) addr() net.Addr {
	switch {
	case e.tcp.IsValid():
		return net.TCPAddrFromAddrPort(e.tcp)
	case e.other != nil:
		return e.other
	}
	return &net.TCPAddr{}
}

// FromNet makes a Conn of a connection of package net, which it then owns. Kind
// is the name that Info tells.
func FromNet(c interface {
	net.Conn
	syscall.Conn
	CloseWrite() error
}, kind string) *Conn {
	conn := &Conn{info: &transport.Info{Kind: kind}, fd: -1,
		local: endpoint{other: c.LocalAddr()}, remote: endpoint{other: c.RemoteAddr()}}
	conn.netConn.Store(newPromoted(c))
	return conn
}

// conn returns the [net.Conn], which it makes of the descriptor when it is first asked.
func (c *Conn) conn(op string) (streamConn, error) {
	if p := c.netConn.Load(); p != nil {
		return p.streamConn, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.netConn.Load(); p != nil {
		return p.streamConn, nil
	}
	if c.gone {
		return nil, c.opError(op, net.ErrClosed)
	}
	c.learnLocal()
	nc, err := promote(c.fd, c.local, c.remote)
	c.fd = -1
	if err != nil {
		c.gone = true
		return nil, c.opError(op, err)
	}
	c.netConn.Store(newPromoted(nc))
	return nc, nil
}

// opError needs c.mu, for the local address.
func (c *Conn) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: c.remote.addr().Network(), Source: c.local.addr(), Addr: c.remote.addr(), Err: err}
}

// learnLocal notes the local address while the descriptor is still there to tell.
// It needs c.mu.
func (c *Conn) learnLocal() {
	if !c.local.known() && c.fd >= 0 {
		c.local = localEndpoint(c.fd)
	}
}

func (c *Conn) Read(p []byte) (int, error) {
	if _, err := c.conn("read"); err != nil {
		return 0, err
	}
	return c.netConn.Load().rw.Read(p)
}

func (c *Conn) Write(p []byte) (int, error) {
	if _, err := c.conn("write"); err != nil {
		return 0, err
	}
	return c.netConn.Load().rw.Write(p)
}

// Info tells the kind and, for unix sockets, who is at the other side.
func (c *Conn) Info() *transport.Info { return c.info }

// RemoteAddr is a [net.TCPAddr] or, for unix sockets, a [net.UnixAddr] if the other
// side has a name and a [transport.Addr] if it has none.
func (c *Conn) RemoteAddr() net.Addr { return c.remote.addr() }

// LocalAddr is a [net.TCPAddr] or, for unix sockets, a [net.UnixAddr].
func (c *Conn) LocalAddr() net.Addr {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.learnLocal()
	return c.local.addr()
}

// SetDeadline is that of [net.Conn].
func (c *Conn) SetDeadline(t time.Time) error {
	return c.onNet("set", func(nc streamConn) error { return nc.SetDeadline(t) })
}

// SetReadDeadline is that of [net.Conn].
func (c *Conn) SetReadDeadline(t time.Time) error {
	return c.onNet("set", func(nc streamConn) error { return nc.SetReadDeadline(t) })
}

// SetWriteDeadline is that of [net.Conn].
func (c *Conn) SetWriteDeadline(t time.Time) error {
	return c.onNet("set", func(nc streamConn) error { return nc.SetWriteDeadline(t) })
}

func (c *Conn) onNet(op string, f func(streamConn) error) error {
	nc, err := c.conn(op)
	if err != nil {
		return err
	}
	return f(nc)
}

// SyscallConn gives access to the descriptor, which stays the Conn's.
func (c *Conn) SyscallConn() (syscall.RawConn, error) {
	nc, err := c.conn("raw-control")
	if err != nil {
		return nil, err
	}
	return nc.SyscallConn()
}

// CloseWrite sends what tells the other side that no more comes. Calls after the
// first do nothing and return what the first did.
func (c *Conn) CloseWrite() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return c.endErr
	}
	if c.gone {
		return c.opError("close", net.ErrClosed)
	}
	c.ended = true
	if p := c.netConn.Load(); p != nil {
		c.endErr = p.CloseWrite()
	} else if err := shutdownWrite(c.fd); err != nil {
		c.endErr = c.opError("close", err)
	}
	return c.endErr
}

// Close closes the connection; what was written is still sent. After Detach it
// does nothing.
func (c *Conn) Close() error { return c.finish(false) }

// Abort closes the connection with a reset: what was written may be lost, and the
// other side reads an error, not the end. The cause is not told. (A unix socket
// has no reset: there the other side may read the end.)
func (c *Conn) Abort(error) error { return c.finish(true) }

func (c *Conn) finish(reset bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return c.closeErr
	}
	c.gone = true
	if p := c.netConn.Load(); p != nil {
		if l, ok := p.streamConn.(interface{ SetLinger(sec int) error }); ok && reset {
			_ = l.SetLinger(0) // fails if the connection is gone already
		}
		c.closeErr = p.Close()
		return c.closeErr
	}
	c.learnLocal()
	if err := closeBare(c.fd, reset); err != nil {
		c.closeErr = c.opError("close", err)
	}
	c.fd = -1
	return c.closeErr
}

// Detach implements [transport.Detacher].
func (c *Conn) Detach() (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return -1, c.opError("detach", net.ErrClosed)
	}
	p := c.netConn.Load()
	if p == nil {
		c.learnLocal()
		fd := c.fd
		c.fd, c.gone = -1, true
		return fd, nil
	}
	rc, err := p.SyscallConn()
	if err != nil {
		return -1, c.opError("detach", err)
	}
	fd, err := dup(rc)
	if err != nil {
		return -1, c.opError("detach", err)
	}
	c.gone = true
	p.Close() // of this descriptor of two; ends the calls in progress
	return fd, nil
}
