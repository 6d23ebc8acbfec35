package proxy

import (
	"errors"
	"net"
	"sync"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// A conn is a Stream after a handshake that left its bytes as they are: only what
// it says about itself is new.
type conn struct {
	stream        transport.Stream
	info          *transport.Info
	local, remote net.Addr
}

var (
	_ transport.Stream    = (*conn)(nil)
	_ transport.Unwrapper = (*conn)(nil)
)

// newConn wraps s, or s after the bytes of early if there are any.
func newConn(kind string, s transport.Stream, early []byte) *conn {
	info := *s.Info()
	info.Kind = kind + "+" + info.Kind
	c := &conn{stream: s, info: &info, local: s.LocalAddr(), remote: s.RemoteAddr()}
	if len(early) > 0 {
		c.stream = &glued{stream: s, early: early}
	}
	return c
}

// showAs makes remote the address of the other side, which is not that of the socket:
// somebody has announced it, or the socket leads to a proxy.
func (c *conn) showAs(remote net.Addr) {
	c.info.Socket, c.remote = transport.PeerAddr(c.stream), remote
}

func (c *conn) Unwrap() transport.Conn             { return c.stream }
func (c *conn) Info() *transport.Info              { return c.info }
func (c *conn) LocalAddr() net.Addr                { return c.local }
func (c *conn) RemoteAddr() net.Addr               { return c.remote }
func (c *conn) Read(p []byte) (int, error)         { return c.stream.Read(p) }
func (c *conn) Write(p []byte) (int, error)        { return c.stream.Write(p) }
func (c *conn) CloseWrite() error                  { return c.stream.CloseWrite() }
func (c *conn) Close() error                       { return c.stream.Close() }
func (c *conn) SetDeadline(t time.Time) error      { return c.stream.SetDeadline(t) }
func (c *conn) SetReadDeadline(t time.Time) error  { return c.stream.SetReadDeadline(t) }
func (c *conn) SetWriteDeadline(t time.Time) error { return c.stream.SetWriteDeadline(t) }

// A glued Stream reads the bytes that came right behind a handshake, in the same
// packet as its end, before what follows. It is not an Unwrapper, for whoever
// read the Stream beneath would miss them.
type glued struct {
	stream transport.Stream

	mu    sync.Mutex // guards early
	early []byte
}

var (
	_ transport.Stream   = (*glued)(nil)
	_ transport.Aborter  = (*glued)(nil)
	_ transport.Detacher = (*glued)(nil)
)

func (g *glued) Read(p []byte) (int, error) {
	if n := g.take(p); n > 0 {
		return n, nil
	}
	return g.stream.Read(p)
}

func (g *glued) take(p []byte) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := copy(p, g.early)
	if g.early = g.early[n:]; len(g.early) == 0 {
		g.early = nil
	}
	return n
}

// drop forgets the early bytes, so that nothing can be read after Close.
func (g *glued) drop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.early = nil
}

// Detach gives up the descriptor beneath once the early bytes have been read.
func (g *glued) Detach() (fd int, err error) {
	g.mu.Lock()
	left := len(g.early)
	g.mu.Unlock()
	d, ok := transport.As[transport.Detacher](g.stream)
	if !ok || left > 0 {
		return -1, errors.ErrUnsupported
	}
	return d.Detach()
}

func (g *glued) Close() error {
	g.drop()
	return g.stream.Close()
}

func (g *glued) Abort(cause error) error {
	g.drop()
	return transport.Abort(g.stream, cause)
}

func (g *glued) Write(p []byte) (int, error)        { return g.stream.Write(p) }
func (g *glued) CloseWrite() error                  { return g.stream.CloseWrite() }
func (g *glued) Info() *transport.Info              { return g.stream.Info() }
func (g *glued) LocalAddr() net.Addr                { return g.stream.LocalAddr() }
func (g *glued) RemoteAddr() net.Addr               { return g.stream.RemoteAddr() }
func (g *glued) SetDeadline(t time.Time) error      { return g.stream.SetDeadline(t) }
func (g *glued) SetReadDeadline(t time.Time) error  { return g.stream.SetReadDeadline(t) }
func (g *glued) SetWriteDeadline(t time.Time) error { return g.stream.SetWriteDeadline(t) }
