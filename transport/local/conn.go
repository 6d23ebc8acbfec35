package local

import (
	"net"
	"sync"
	"syscall"
	"time"

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
	info          *transport.Info
	local, remote net.Addr

	closing  sync.Once
	closeErr error
}

// A socket is a [net.UnixConn] or a vsock.Conn.
type socket interface {
	net.Conn
	syscall.Conn
	CloseWrite() error
}

var (
	_ transport.Stream   = (*Conn)(nil)
	_ transport.Detacher = (*Conn)(nil)
	_ syscall.Conn       = (*Conn)(nil)
)

func newConn(c socket, kind string, local, remote net.Addr) *Conn {
	return &Conn{c: c, info: &transport.Info{Kind: kind, Cred: peerCred(c)}, local: local, remote: remote}
}

func (c *Conn) Read(p []byte) (int, error)  { return c.c.Read(p) }
func (c *Conn) Write(p []byte) (int, error) { return c.c.Write(p) }

// CloseWrite tells the other side that no more comes.
func (c *Conn) CloseWrite() error { return c.c.CloseWrite() }

// Close closes the connection; what was written can still be read.
func (c *Conn) Close() error {
	c.closing.Do(func() { c.closeErr = c.c.Close() })
	return c.closeErr
}

// Info tells the kind and who is at the other side.
func (c *Conn) Info() *transport.Info { return c.info }

// LocalAddr and RemoteAddr have the paths as they were written. A client's own
// is empty.
func (c *Conn) LocalAddr() net.Addr  { return c.local }
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

func (c *Conn) SetDeadline(t time.Time) error      { return c.c.SetDeadline(t) }
func (c *Conn) SetReadDeadline(t time.Time) error  { return c.c.SetReadDeadline(t) }
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.c.SetWriteDeadline(t) }

// SyscallConn gives access to the descriptor, which stays the Conn's.
func (c *Conn) SyscallConn() (syscall.RawConn, error) { return c.c.SyscallConn() }
