package swarm

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/libp2p/go-libp2p/core/network"
	ltransport "github.com/libp2p/go-libp2p/core/transport"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/libp2p/go-reuseport"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// A tcpTransport is libp2p's, with a listener of our own: one port takes connections
// of libp2p and those that are a stream each (see direct.go), which the first byte
// tells from each other.
type tcpTransport struct {
	*tcp.TcpTransport
	n      *Network
	up     ltransport.Upgrader
	limits network.ResourceManager

	mu        sync.Mutex // guards listening
	listening map[*tcpListener]*net.TCPAddr
}

func newTCPTransport(n *Network, up ltransport.Upgrader, limits network.ResourceManager) (*tcpTransport, error) {
	t := &tcpTransport{n: n, up: up, limits: limits, listening: map[*tcpListener]*net.TCPAddr{}}
	dialer := tcp.WithDialerForAddr(func(ma.Multiaddr) (tcp.ContextDialer, error) { return t, nil })
	var err error
	t.TcpTransport, err = tcp.NewTCPTransport(up, limits, nil, dialer)
	return t, err
}

// Listen listens for both sorts of connections.
func (t *tcpTransport) Listen(at ma.Multiaddr) (ltransport.Listener, error) {
	family, addr, err := manet.DialArgs(at)
	if err != nil {
		return nil, err
	}
	config := net.ListenConfig{Control: reuseport.Control, KeepAliveConfig: keepAlive}
	inner, err := config.Listen(t.n.ctx, family, addr)
	if err != nil {
		return nil, err
	}
	is, err := manet.FromNetAddr(inner.Addr())
	if err != nil {
		return nil, errors.Join(err, inner.Close())
	}
	l := &tcpListener{t: t, inner: inner, at: is, muxed: make(chan gated)}
	l.ctx, l.cancel = context.WithCancel(t.n.ctx)
	t.mu.Lock()
	t.listening[l], _ = inner.Addr().(*net.TCPAddr)
	t.mu.Unlock()
	l.working.Go(l.accept)
	return t.up.UpgradeGatedMaListener(t, l), nil
}

// DialContext dials from the port that is listened on, so that the NAT in between
// gives both the same one. Where the port has a connection to there already, any port
// will do.
func (t *tcpTransport) DialContext(ctx context.Context, family, addr string) (net.Conn, error) {
	to, err := net.ResolveTCPAddr(family, addr)
	if err != nil {
		return nil, err
	}
	if from := t.from(to); from != nil {
		d := net.Dialer{LocalAddr: from, Control: reuseport.Control, KeepAliveConfig: keepAlive}
		c, err := d.DialContext(ctx, family, addr)
		if err == nil || ctx.Err() != nil || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ETIMEDOUT) {
			return c, err
		}
	}
	return (&net.Dialer{KeepAliveConfig: keepAlive}).DialContext(ctx, family, addr)
}

// from returns an address of ours to dial from, or nil.
func (t *tcpTransport) from(to *net.TCPAddr) *net.TCPAddr {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, a := range t.listening {
		sameFamily := (a.IP.To4() == nil) == (to.IP.To4() == nil)
		if sameFamily && (a.IP.IsUnspecified() || a.IP.IsLoopback() && to.IP.IsLoopback()) {
			return a
		}
	}
	return nil
}

// A tcpListener sorts the connections that arrive at a port.
type tcpListener struct {
	t      *tcpTransport
	inner  net.Listener
	at     ma.Multiaddr
	muxed  chan gated                 // closed when no more come
	ws     atomic.Pointer[wsListener] // takes what speaks HTTP, if it is there
	ctx    context.Context
	cancel context.CancelFunc

	working sync.WaitGroup
	close   sync.Once
}

// gated is a connection that the resource manager knows.
type gated struct {
	conn  manet.Conn
	scope network.ConnManagementScope
}

var _ ltransport.GatedMaListener = (*tcpListener)(nil)

// accept takes connections until the listener is closed.
func (l *tcpListener) accept() {
	var sorting sync.WaitGroup
	defer close(l.muxed)
	defer sorting.Wait()
	for {
		c, err := l.inner.Accept()
		if err != nil {
			if l.ctx.Err() == nil && !errors.Is(err, net.ErrClosed) && pause(l.ctx) {
				continue // out of descriptors, say
			}
			return
		}
		conn, ok := c.(*net.TCPConn)
		if !ok || !l.t.n.halfOpen.enter(c.RemoteAddr()) {
			c.Close() //nolint:errcheck // it is gone
			continue
		}
		sorting.Go(func() { l.sort(conn) })
	}
}

// httpGet is the first byte of a request of HTTP.
const httpGet = 'G'

// sort looks at the first byte of a connection: that of a TLS handshake, that of a
// WebSocket, or that of libp2p, which begins with the name of its negotiation.
func (l *tcpListener) sort(c *net.TCPConn) {
	defer l.t.n.halfOpen.leave(c.RemoteAddr())
	stop := context.AfterFunc(l.ctx, func() { c.Close() }) //nolint:errcheck // it is gone
	wrapped, err := manet.WrapNetConn(c)
	if err == nil {
		var scope network.ConnManagementScope
		if scope, err = l.t.limits.OpenConnection(network.DirInbound, true, wrapped.RemoteMultiaddr()); err == nil {
			first, peekErr := peek(c, handshakeTimeout)
			ws := l.ws.Load()
			switch {
			case peekErr == nil && first == tlsHandshake:
				stop()
				l.t.n.direct.accept(l.ctx, c, scope)
				return
			case peekErr == nil && first == httpGet && ws != nil:
				stop()
				ws.take(c, scope)
				return
			case peekErr == nil && stop():
				c.SetLinger(0) //nolint:errcheck // as libp2p does, so that the port can be used again
				select {
				case l.muxed <- gated{wrapped, scope}:
					return
				case <-l.ctx.Done():
				}
			}
			scope.Done()
		}
	}
	stop()
	c.Close() //nolint:errcheck // it is gone
}

// Accept returns the next connection of libp2p.
func (l *tcpListener) Accept() (manet.Conn, network.ConnManagementScope, error) {
	g, ok := <-l.muxed
	if !ok {
		return nil, nil, net.ErrClosed
	}
	return g.conn, g.scope, nil
}

func (l *tcpListener) Close() error {
	l.close.Do(func() {
		l.t.mu.Lock()
		delete(l.t.listening, l)
		l.t.mu.Unlock()
		l.cancel()
		l.inner.Close() //nolint:errcheck // nothing is left to be done about it
		l.working.Wait()
	})
	return nil
}

func (l *tcpListener) Multiaddr() ma.Multiaddr { return l.at }
func (l *tcpListener) Addr() net.Addr          { return l.inner.Addr() }
