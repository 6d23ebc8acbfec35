package tenon

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/lxzan/gws"

	"github.com/tenon-net/tenon/join"
)

// A webSocket is one side of a WebSocket of another make. It closes with a status when
// it is sent one as a message, and tells with what it was closed.
type webSocket struct {
	gws.BuiltinEventHandler
	ticks  bool
	conns  chan *gws.Conn
	closed chan gws.CloseError
}

func newWebSocket() *webSocket {
	return &webSocket{conns: make(chan *gws.Conn, 8), closed: make(chan gws.CloseError, 8)}
}

func (w *webSocket) OnOpen(c *gws.Conn) {
	w.conns <- c
	if w.ticks {
		go func() {
			for range time.Tick(time.Millisecond) {
				if c.WriteString("tick") != nil {
					return
				}
			}
		}()
	}
}

func (w *webSocket) OnClose(_ *gws.Conn, err error) {
	e := new(gws.CloseError)
	if !errors.As(err, &e) {
		e = &gws.CloseError{Code: 1006, Reason: []byte(err.Error())}
	}
	w.closed <- *e
}

// webServer serves w, and returns its address.
func webServer(t *testing.T, w *webSocket) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	upgrader := gws.NewUpgrader(w, nil)
	server := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if c, err := upgrader.Upgrade(rw, r); err == nil {
			go c.ReadLoop()
		}
	})}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	return l.Addr().String()
}

// serveWith serves the clients of a ws-listen with what addr names.
func serveWith(t *testing.T, listen, addr string) string {
	var o Opener
	ctx, cancel := context.WithCancel(t.Context())
	acc, err := o.Listen(ctx, listen)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		o.Serve(ctx, acc, addr, join.Options{})
		close(done)
	}()
	t.Cleanup(func() { cancel(); <-done })
	return "ws://" + acc.Addr().String()
}

func dialWeb(t *testing.T, url string) (*webSocket, *gws.Conn) {
	w := newWebSocket()
	c, _, err := gws.NewClient(w, &gws.ClientOption{Addr: url})
	if err != nil {
		t.Fatal(err)
	}
	go c.ReadLoop()
	return w, c
}

// Two WebSockets with a joint between them hear each other's close codes and reasons,
// whoever closes, whether or not the other goes on talking.
func TestCloseCodesPassTheJoint(t *testing.T) {
	for _, ticks := range []bool{false, true} {
		for _, status := range []struct {
			code   uint16
			reason string
		}{{1000, "done"}, {4001, "token expired"}, {1011, "broken"}} {
			for _, byServer := range []bool{false, true} {
				far := newWebSocket()
				far.ticks = ticks
				url := serveWith(t, "ws-listen:127.0.0.1:0", "ws://"+webServer(t, far))
				near, c := dialWeb(t, url)
				s := <-far.conns
				hears := far
				if byServer {
					c, hears = s, near
				}
				c.WriteClose(status.code, []byte(status.reason))
				if got := <-hears.closed; got.Code != status.code || string(got.Reason) != status.reason {
					t.Errorf("closed with %d %q by server %v, ticking %v: the other side hears %d %q",
						status.code, status.reason, byServer, ticks, got.Code, got.Reason)
				}
			}
		}
	}
}

// Clients that have closed leave their places, whatever the other end does.
func TestClosedClientsLeaveTheirPlaces(t *testing.T) {
	url := serveWith(t, "ws-listen:127.0.0.1:0,max=2", "stall:")
	for range 6 {
		w, c := dialWeb(t, url)
		c.WriteClose(1000, nil)
		<-w.closed // and the next one is served
	}
}
