package swarm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"github.com/libp2p/go-libp2p/core/network"
	ltransport "github.com/libp2p/go-libp2p/core/transport"
	libp2pws "github.com/libp2p/go-libp2p/p2p/transport/websocket"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// A wsTransport is libp2p's WebSocket, with a listener that shares the port of TCP: for
// peers whose network lets HTTP through and nothing else. TLS around it, "/tls/ws", is
// the business of a proxy in front of us.
type wsTransport struct {
	*libp2pws.WebsocketTransport
	tcp *tcpTransport
}

var (
	wsPart     = ma.StringCast("/ws")
	errWSAlone = errors.New("a WebSocket is listened for on a port on which TCP is listened on, too: /ip4/…/tcp/4001 beside /ip4/…/tcp/4001/ws")
)

func newWSTransport(tcp *tcpTransport) (*wsTransport, error) {
	t, err := libp2pws.New(tcp.up, tcp.limits, nil, libp2pws.WithHandshakeTimeout(handshakeTimeout))
	return &wsTransport{t, tcp}, err
}

// isWS tells whether an address is one of WebSockets.
func isWS(a ma.Multiaddr) bool {
	return slices.ContainsFunc(a, func(c ma.Component) bool {
		return c.Protocol().Code == ma.P_WS || c.Protocol().Code == ma.P_WSS
	})
}

// wsLast puts the addresses of WebSockets behind those of the ports that they share.
func wsLast(addrs []ma.Multiaddr) []ma.Multiaddr {
	slices.SortStableFunc(addrs, func(a, b ma.Multiaddr) int {
		switch {
		case isWS(a) == isWS(b):
			return 0
		case isWS(b):
			return -1
		}
		return 1
	})
	return addrs
}

// Listen takes the connections of a port of TCP that speak HTTP.
func (t *wsTransport) Listen(at ma.Multiaddr) (ltransport.Listener, error) {
	if len(at) != 3 || at[2].Protocol().Code != ma.P_WS {
		return nil, fmt.Errorf("%s: %w: only /ip4/…/tcp/…/ws can be listened on, and the rest is for a proxy in front of it", at, errors.ErrUnsupported)
	}
	port := t.tcp.listenerAt(at[:2])
	if port == nil {
		return nil, errWSAlone
	}
	l := &wsListener{port: port, raw: make(chan *wsRaw), conns: make(chan gated)}
	l.ctx, l.cancel = context.WithCancel(context.Background()) // libp2p closes each listener itself
	l.server = &http.Server{Handler: http.HandlerFunc(l.upgrade), ReadHeaderTimeout: handshakeTimeout, IdleTimeout: handshakeTimeout,
		MaxHeaderBytes: 8 << 10, ErrorLog: log.New(io.Discard, "", 0), ConnContext: withRaw}
	if !port.ws.CompareAndSwap(nil, l) {
		return nil, fmt.Errorf("%s: it is listened on already", at)
	}
	l.serving.Go(func() { l.server.Serve(rawListener{l}) }) //nolint:errcheck // it ends with Close
	return t.tcp.up.UpgradeGatedMaListener(t, l), nil
}

// listenerAt returns the listener of an address, where port 0 is any port.
func (t *tcpTransport) listenerAt(at ma.Multiaddr) *tcpListener {
	t.mu.Lock()
	defer t.mu.Unlock()
	for l := range t.listening {
		if len(l.at) == 2 && l.at[0].Equal(&at[0]) && (l.at[1].Equal(&at[1]) || at[1].Value() == "0") {
			return l
		}
	}
	return nil
}

// A wsListener makes WebSockets of the connections of a port that speak HTTP.
type wsListener struct {
	port    *tcpListener
	server  *http.Server
	raw     chan *wsRaw // before the request
	conns   chan gated  // behind it
	ctx     context.Context
	cancel  context.CancelFunc
	serving sync.WaitGroup
}

var _ ltransport.GatedMaListener = (*wsListener)(nil)

// A wsRaw is a connection that speaks HTTP.
type wsRaw struct {
	net.Conn
	scope network.ConnManagementScope
}

// Close gives back what the resource manager has noted, as often as it is called.
func (c *wsRaw) Close() error {
	c.scope.Done()
	return c.Conn.Close()
}

// take hands a connection to the server of HTTP.
func (l *wsListener) take(c net.Conn, scope network.ConnManagementScope) {
	x := &wsRaw{c, scope}
	select {
	case l.raw <- x:
	case <-l.ctx.Done():
		x.Close() //nolint:errcheck // it is gone
	}
}

// A rawListener is a wsListener as a server of HTTP sees it.
type rawListener struct{ l *wsListener }

func (r rawListener) Accept() (net.Conn, error) {
	select {
	case c := <-r.l.raw:
		return c, nil
	case <-r.l.ctx.Done():
		return nil, net.ErrClosed
	}
}

func (r rawListener) Close() error   { return nil }
func (r rawListener) Addr() net.Addr { return r.l.Addr() }

type rawKey struct{}

func withRaw(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, rawKey{}, c)
}

// upgrade makes a WebSocket of a request. Pages of browsers have no business here: they
// send the name of their site, and are refused for it.
func (l *wsListener) upgrade(w http.ResponseWriter, r *http.Request) {
	raw, ok := r.Context().Value(rawKey{}).(*wsRaw)
	if !ok || !websocket.IsWebSocketUpgrade(r) {
		w.Header().Set("Connection", "close")
		http.NotFound(w, r)
		return
	}
	up := websocket.Upgrader{HandshakeTimeout: handshakeTimeout, ReadBufferSize: 4 << 10, WriteBufferPool: &wsBuffers}
	ws, err := up.Upgrade(w, r, nil)
	if err != nil {
		return // it has answered
	}
	c, err := newWSConn(ws)
	if err != nil {
		ws.Close() //nolint:errcheck // it is gone
		return
	}
	select {
	case l.conns <- gated{c, raw.scope}:
	case <-l.ctx.Done():
		ws.Close() //nolint:errcheck // it is gone
	}
}

var wsBuffers sync.Pool

// Accept returns the next WebSocket.
func (l *wsListener) Accept() (manet.Conn, network.ConnManagementScope, error) {
	select {
	case g := <-l.conns:
		return g.conn, g.scope, nil
	case <-l.ctx.Done():
		return nil, nil, net.ErrClosed
	}
}

func (l *wsListener) Close() error {
	l.port.ws.CompareAndSwap(l, nil)
	l.cancel()
	l.server.Close() //nolint:errcheck // nothing is left to be done about it
	l.serving.Wait()
	return nil
}

func (l *wsListener) Multiaddr() ma.Multiaddr { return l.port.at.Encapsulate(wsPart) }
func (l *wsListener) Addr() net.Addr          { return l.port.Addr() }

// A wsConn is a WebSocket as a stream of bytes: its binary messages one after the other.
type wsConn struct {
	ws            *websocket.Conn
	local, remote ma.Multiaddr
	message       io.Reader  // what is left of the one that is read
	wmu           sync.Mutex // held by Write
	late          atomic.Pointer[time.Time]
}

var _ manet.Conn = (*wsConn)(nil)

func newWSConn(ws *websocket.Conn) (*wsConn, error) {
	local, err1 := manet.FromNetAddr(ws.LocalAddr())
	remote, err2 := manet.FromNetAddr(ws.RemoteAddr())
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	return &wsConn{ws: ws, local: local.Encapsulate(wsPart), remote: remote.Encapsulate(wsPart)}, nil
}

func (c *wsConn) Read(p []byte) (int, error) {
	for {
		if c.message == nil {
			kind, r, err := c.ws.NextReader()
			switch {
			case websocket.IsCloseError(err, websocket.CloseNormalClosure, websocket.CloseNoStatusReceived):
				return 0, io.EOF
			case err != nil:
				return 0, err
			case kind != websocket.BinaryMessage:
				return 0, errors.New("a WebSocket of peers carries binary messages only")
			}
			c.message = r
		}
		n, err := c.message.Read(p)
		if err == io.EOF {
			c.message, err = nil, nil
		}
		if n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
	}
}

func (c *wsConn) Write(p []byte) (int, error) {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if t := c.late.Load(); t != nil {
		c.ws.SetWriteDeadline(*t) //nolint:errcheck // it returns nil
	}
	if err := c.ws.WriteMessage(websocket.BinaryMessage, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close says goodbye, as far as that takes no time.
func (c *wsConn) Close() error {
	bye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	c.ws.WriteControl(websocket.CloseMessage, bye, time.Now().Add(100*time.Millisecond)) //nolint:errcheck // it may be gone
	return c.ws.Close()
}

func (c *wsConn) LocalAddr() net.Addr               { return c.ws.LocalAddr() }
func (c *wsConn) RemoteAddr() net.Addr              { return c.ws.RemoteAddr() }
func (c *wsConn) LocalMultiaddr() ma.Multiaddr      { return c.local }
func (c *wsConn) RemoteMultiaddr() ma.Multiaddr     { return c.remote }
func (c *wsConn) SetReadDeadline(t time.Time) error { return c.ws.SetReadDeadline(t) }

// SetWriteDeadline is for the Write that goes on, and for all that follow.
func (c *wsConn) SetWriteDeadline(t time.Time) error {
	c.late.Store(&t)
	return c.ws.NetConn().SetWriteDeadline(t)
}

func (c *wsConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}
