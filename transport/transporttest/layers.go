package transporttest

import (
	"context"
	"net"
	"testing"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
)

// Wrap puts a layer on both ends of a pair, and returns what became of them. A
// client that says where it wants to go is told that the way is open.
func Wrap(t testing.TB, a, b transport.Conn, client, server transport.Layer) (c, s transport.Conn, cerr, serr error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	accepted := make(chan struct{})
	go func() {
		defer close(accepted)
		if s, serr = server.Wrap(ctx, b, transport.Accepted); serr != nil {
			return
		}
		if caller, ok := transport.As[transport.Caller](s); ok {
			serr = caller.Answer(s.LocalAddr(), nil)
		}
	}()
	c, cerr = client.Wrap(ctx, a, transport.Dialed)
	<-accepted
	return c, s, cerr, serr
}

// An announced Stream has the address that its other side has announced as its own.
type announced struct {
	transport.Filter
	local, remote net.Addr
}

func (a *announced) LocalAddr() net.Addr  { return a.local }
func (a *announced) RemoteAddr() net.Addr { return a.remote }

// testLayer checks that a layer hands on the address that the system vouches for,
// when the one of the end beneath it is only announced.
func (h Harness) testLayer(t *testing.T) {
	if h.Layers == nil {
		t.Fatal("Harness.Layers is missing: it shows what the layer makes of the end beneath it")
	}
	here := func(port int) net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port} }
	socket := here(1)
	var ends [2]transport.Conn
	x, y := mem.Pair()
	for i, s := range []transport.Stream{x, y} {
		info := *s.Info()
		info.Socket = socket
		ends[i] = &announced{transport.Filter{Stream: s, Extra: &info}, here(2), here(3)}
	}
	client, server := h.Layers(t)
	a, b, aerr, berr := Wrap(t, ends[0], ends[1], client, server)
	if aerr != nil || berr != nil {
		t.Fatalf("handshake: %v, %v", aerr, berr)
	}
	t.Cleanup(func() { transport.Abort(a, nil); transport.Abort(b, nil) })
	for name, c := range map[string]transport.Conn{"dialed": a, "accepted": b} {
		if got := transport.PeerAddr(c); got.String() != socket.String() {
			t.Errorf("%s: the address that rights are decided by is %v, want %v: hand Info().Socket of the end beneath on", name, got, socket)
		}
	}
}
