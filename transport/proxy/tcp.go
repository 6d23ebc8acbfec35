package proxy

import (
	"net"
	"sync"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// A tcpConn is a connection to a proxy that this package made itself.
type tcpConn struct {
	tcp  *net.TCPConn
	info transport.Info

	once     sync.Once // guards closeErr
	closeErr error
}

var (
	_ transport.Stream   = (*tcpConn)(nil)
	_ transport.Aborter  = (*tcpConn)(nil)
	_ transport.Detacher = (*tcpConn)(nil)
)

func newTCPConn(c *net.TCPConn, kind string) *tcpConn {
	return &tcpConn{tcp: c, info: transport.Info{Kind: kind}}
}

func (c *tcpConn) Close() error {
	c.once.Do(func() { c.closeErr = c.tcp.Close() })
	return c.closeErr
}

// Abort sends a reset.
func (c *tcpConn) Abort(error) error {
	_ = c.tcp.SetLinger(0) // fails if the connection is closed already
	return c.Close()
}

// Detach gives up the descriptor.
func (c *tcpConn) Detach() (fd int, err error) {
	fd, err = duplicate(c.tcp)
	if err == nil {
		c.once.Do(func() { _ = c.tcp.Close() }) // the duplicate keeps the connection
	}
	return fd, err
}

func (c *tcpConn) Info() *transport.Info              { return &c.info }
func (c *tcpConn) Read(p []byte) (int, error)         { return c.tcp.Read(p) }
func (c *tcpConn) Write(p []byte) (int, error)        { return c.tcp.Write(p) }
func (c *tcpConn) CloseWrite() error                  { return c.tcp.CloseWrite() }
func (c *tcpConn) LocalAddr() net.Addr                { return c.tcp.LocalAddr() }
func (c *tcpConn) RemoteAddr() net.Addr               { return c.tcp.RemoteAddr() }
func (c *tcpConn) SetDeadline(t time.Time) error      { return c.tcp.SetDeadline(t) }
func (c *tcpConn) SetReadDeadline(t time.Time) error  { return c.tcp.SetReadDeadline(t) }
func (c *tcpConn) SetWriteDeadline(t time.Time) error { return c.tcp.SetWriteDeadline(t) }
