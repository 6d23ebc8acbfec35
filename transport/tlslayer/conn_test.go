package tlslayer_test

import (
	"net"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/tlsconf/tlstest"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
	"github.com/tenon-net/tenon/transport/tlslayer"
	"github.com/tenon-net/tenon/transport/transporttest"
)

// layers returns two that trust each other.
func layers(t testing.TB) (client, server *tlslayer.Layer) {
	ca := tlstest.New(t)
	return &tlslayer.Layer{Options: tlslayer.Options{CA: ca.File}, Host: "localhost"},
		&tlslayer.Layer{Options: tlslayer.Options{Cert: ca.Issue(t, "localhost")}}
}

func pairOver(t testing.TB, a, b transport.Conn) (c, s transport.Conn) {
	t.Helper()
	client, server := layers(t)
	c, s, cerr, serr := transporttest.Wrap(t, a, b, client, server)
	if cerr != nil || serr != nil {
		t.Fatalf("handshake: %v, %v", cerr, serr)
	}
	return c, s
}

func TestConformance(t *testing.T) {
	h := transporttest.Harness{
		Kind: tlslayer.Kinds()[0],
		Pair: func(t testing.TB) (a, b transport.Conn) {
			x, y := mem.Pair()
			return pairOver(t, x, y)
		},
		Endpoint: func(t testing.TB) transport.Endpoint { client, _ := layers(t); return client },
		Layers:   func(t testing.TB) (client, server transport.Layer) { return layers(t) },
		Addresses: []string{"tls:example.org:443", "tls:example.org:443,insecure", "openssl:h:1,cafile=/x,verify=0",
			"tls+unix:/run/x.sock,sni=x", "tls:h:1,alpn='h2,http/1.1',min=1.3"},
		Bad:     bad,
		Options: options,
		TLS:     true,
	}
	t.Run("dialed", func(t *testing.T) { transporttest.Run(t, h) })
	h.Options = options
	h.Pair = func(t testing.TB) (a, b transport.Conn) {
		x, y := tcpPair(t)
		c, s := pairOver(t, x, y)
		return s, c
	}
	t.Run("accepted over tcp", func(t *testing.T) { transporttest.Run(t, h) })
}

func FuzzBind(f *testing.F) {
	transporttest.Fuzz(f, tlslayer.Kinds()[0], "tls:h:1,pin=sha256:00,alpn=h2,client-auth=need")
}

func TestListenKind(t *testing.T) {
	transporttest.Run(t, transporttest.Harness{Kind: tlslayer.Kinds()[1]})
}

// A tcpConn is a TCP connection as a Stream.
type tcpConn struct {
	c    *net.TCPConn
	info transport.Info
}

func (c *tcpConn) Read(p []byte) (int, error)         { return c.c.Read(p) }
func (c *tcpConn) Write(p []byte) (int, error)        { return c.c.Write(p) }
func (c *tcpConn) Close() error                       { c.c.Close(); return nil }
func (c *tcpConn) CloseWrite() error                  { return c.c.CloseWrite() }
func (c *tcpConn) Abort(error) error                  { c.c.SetLinger(0); return c.c.Close() }
func (c *tcpConn) Info() *transport.Info              { return &c.info }
func (c *tcpConn) LocalAddr() net.Addr                { return c.c.LocalAddr() }
func (c *tcpConn) RemoteAddr() net.Addr               { return c.c.RemoteAddr() }
func (c *tcpConn) SetDeadline(t time.Time) error      { return c.c.SetDeadline(t) }
func (c *tcpConn) SetReadDeadline(t time.Time) error  { return c.c.SetReadDeadline(t) }
func (c *tcpConn) SetWriteDeadline(t time.Time) error { return c.c.SetWriteDeadline(t) }

func stream(c net.Conn) *tcpConn {
	return &tcpConn{c: c.(*net.TCPConn), info: transport.Info{Kind: "tcp"}}
}

func tcpPair(t testing.TB) (a, b *tcpConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	x, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	y, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return stream(x), stream(y)
}
