package local

import (
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/tenon-net/tenon/internal/rawio"
	"github.com/tenon-net/tenon/transport"
)

// A Conn is a connection of a unix socket or a VM socket.
//
// It is no [transport.Aborter], because these sockets have no reset to send. The
// kernel tells the other side of a failure, with ECONNRESET, only if a Conn is
// closed while there is something in it that was not read; otherwise the other
// side reads the end of file, whatever the reason was.
type Conn struct {
	c             socket
	rw            io.ReadWriter // of c
	info          *transport.Info
	local, remote net.Addr

	closing  sync.Once
	closeErr error

	ended  chan struct{}
	ending sync.Once // closes ended
}

// A socket is a [net.UnixConn] or a vsock.Conn.
type socket = rawio.Socket

var (
	_ transport.Stream   = (*Conn)(nil)
	_ transport.Detacher = (*Conn)(nil)
	_ transport.Ender    = (*Conn)(nil)
	_ syscall.Conn       = (*Conn)(nil)
)

func newConn(c socket, kind string, local, remote net.Addr) *Conn {
	cred := peerCred(c)
	rw := io.ReadWriter(c)
	if u, ok := c.(*net.UnixConn); ok {
		rw = rawio.New(u)
	}
	return &Conn{c: c, rw: rw, info: &transport.Info{Kind: kind, Cred: cred}, local: named(local, nil), remote: named(remote, cred), ended: make(chan struct{})}
}

// Read reads what has arrived. An end of file ends one direction, unless the other
// side has closed the whole connection by then; see [Conn.Ended].
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.rw.Read(p)
	if err == io.EOF && isHungUp(c.c) {
		c.ending.Do(func() { close(c.ended) })
	}
	return n, c.errorOf(err)
}

func (c *Conn) Write(p []byte) (int, error) {
	n, err := c.rw.Write(p)
	return n, c.errorOf(err)
}

// Ended implements [transport.Ender]. The kernel tells a connection that is closed
// from one that is half-closed, and is asked at the end of file: a connection that
// is half-closed first and closed later does not count.
func (c *Conn) Ended() <-chan struct{} { return c.ended }

// errorOf returns err with the names that the user knows: a listener makes its
// socket under another one.
func (c *Conn) errorOf(err error) error { return renamed(err, c.local, c.remote) }

// CloseWrite tells the other side that no more comes.
func (c *Conn) CloseWrite() error { return c.errorOf(c.c.CloseWrite()) }

// Close closes the connection; what was written can still be read.
func (c *Conn) Close() error {
	c.closing.Do(func() { c.closeErr = c.c.Close() })
	return c.closeErr
}

// Info tells the kind and who is at the other side.
func (c *Conn) Info() *transport.Info { return c.info }

// LocalAddr and RemoteAddr have the paths as they were written. A socket without a
// name, as a client's is, is a [transport.Addr] that says so, and whose it is.
func (c *Conn) LocalAddr() net.Addr  { return c.local }
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

func (c *Conn) SetDeadline(t time.Time) error      { return c.c.SetDeadline(t) }
func (c *Conn) SetReadDeadline(t time.Time) error  { return c.c.SetReadDeadline(t) }
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.c.SetWriteDeadline(t) }

// SyscallConn gives access to the descriptor, which stays the Conn's.
func (c *Conn) SyscallConn() (syscall.RawConn, error) { return c.c.SyscallConn() }
