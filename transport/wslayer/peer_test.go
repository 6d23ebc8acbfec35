package wslayer_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/lxzan/gws"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/wslayer"
)

// A socket is a net.Conn as a Stream.
type socket struct {
	*net.TCPConn
	info transport.Info
}

func (s *socket) Info() *transport.Info { return &s.info }
func (s *socket) Close() error          { s.TCPConn.Close(); return nil }

func asStream(c net.Conn) transport.Conn {
	return &socket{c.(*net.TCPConn), transport.Info{Kind: "tcp"}}
}

type echoing struct {
	gws.BuiltinEventHandler
	got    chan string
	closed chan error
}

func (e *echoing) OnClose(c *gws.Conn, err error) {
	if e.closed != nil {
		e.closed <- err
	}
}

func (e *echoing) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	if e.got != nil {
		e.got <- m.Data.String()
		return
	}
	c.WriteMessage(m.Opcode, m.Bytes())
}

// TestAgainstOther talks to another implementation, which serves.
func TestAgainstOtherServer(t *testing.T) {
	up := gws.NewUpgrader(&echoing{}, &gws.ServerOption{
		PermessageDeflate: gws.PermessageDeflate{Enabled: true}, SubProtocols: []string{"b"}})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := up.Upgrade(w, r); err == nil {
			c.ReadLoop()
		}
	})}
	go srv.Serve(l)
	defer srv.Close()
	for _, deflate := range []bool{false, true} {
		raw, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c, err := (&wslayer.Layer{Deflate: deflate, Protocols: []string{"a", "b"}, Path: "/x y", CloseTimeout: time.Minute}).Wrap(context.Background(), asStream(raw), transport.Dialed)
		if err != nil {
			t.Fatal(err)
		}
		w := c.(*wslayer.Conn)
		if w.Subprotocol() != "b" {
			t.Errorf("subprotocol %q", w.Subprotocol())
		}
		p := make([]byte, 1<<20)
		for _, size := range []int{0, 1, 125, 126, 127, 65535, 65536, 300_000} {
			msg := bytes.Repeat([]byte("grüße "), size/8+1)[:size/8*8]
			for _, text := range []bool{true, false} {
				if err := w.WriteMsg(msg, transport.Meta{Text: text}); err != nil {
					t.Fatal(err)
				}
				n, m, err := w.ReadMsg(p)
				if err != nil || !bytes.Equal(p[:n], msg) || m.Text != text {
					t.Fatalf("size %d text %v: got %d bytes, %+v, %v", size, text, n, m, err)
				}
			}
		}
		begin := time.Now()
		if err := c.Close(); err != nil || time.Since(begin) > 30*time.Second {
			t.Errorf("Close: %v after %v", err, time.Since(begin))
		}
	}
}

// TestAgainstOtherClient serves another implementation.
func TestAgainstOtherClient(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	served := make(chan error, 1)
	go func() {
		raw, err := l.Accept()
		if err != nil {
			served <- err
			return
		}
		c, err := (&wslayer.Layer{Deflate: true}).Wrap(context.Background(), asStream(raw), transport.Accepted)
		for p := make([]byte, 1<<20); err == nil; {
			var n int
			var m transport.Meta
			if n, m, err = c.(*wslayer.Conn).ReadMsg(p); err == nil {
				err = c.(*wslayer.Conn).WriteMsg(p[:n], m)
			}
		}
		if c != nil {
			c.Close()
		}
		served <- err
	}()
	e := &echoing{got: make(chan string, 10)}
	c, _, err := gws.NewClient(e, &gws.ClientOption{Addr: "ws://" + l.Addr().String() + "/", PermessageDeflate: gws.PermessageDeflate{Enabled: true}})
	if err != nil {
		t.Fatal(err)
	}
	go c.ReadLoop()
	for _, msg := range []string{"one", string(bytes.Repeat([]byte("grüße "), 20_000))} {
		c.WriteString(msg)
		if got := <-e.got; got != msg {
			t.Errorf("got %d bytes, want %d", len(got), len(msg))
		}
	}
	c.WriteClose(1000, nil)
	if err := <-served; err == nil || err.Error() != "EOF" {
		t.Errorf("the end: %v, want EOF", err)
	}
}

// TestStatusAgainstOther closes with a status on either side of another
// implementation, in either role.
func TestStatusAgainstOther(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, role := range []string{"client", "server"} {
		for _, first := range []string{"ours", "theirs"} {
			e := &echoing{closed: make(chan error, 1)}
			ours, theirs := make(chan *wslayer.Conn, 1), make(chan *gws.Conn, 1)
			near, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			far, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			side := map[string]transport.Side{"client": transport.Dialed, "server": transport.Accepted}[role]
			go func() {
				c, err := (&wslayer.Layer{CloseTimeout: time.Minute}).Wrap(context.Background(), asStream(near), side)
				if err != nil {
					t.Error(err)
				}
				ours <- c.(*wslayer.Conn)
			}()
			go func() {
				var c *gws.Conn
				var err error
				if role == "client" {
					br := bufio.NewReader(far)
					var r *http.Request
					if r, err = http.ReadRequest(br); err == nil {
						c, err = gws.NewUpgrader(e, nil).UpgradeFromConn(far, br, r)
					}
				} else {
					c, _, err = gws.NewClientFromConn(e, &gws.ClientOption{Addr: "ws://" + l.Addr().String() + "/"}, far)
				}
				if err != nil {
					t.Error(err)
				}
				go c.ReadLoop()
				theirs <- c
			}()
			c, peer := <-ours, <-theirs
			if first == "ours" {
				c.SetCloseStatus(transport.CloseStatus{Code: 4001, Reason: "token expired"})
				go c.Abort(nil)
				var closed *gws.CloseError
				if err := <-e.closed; !errors.As(err, &closed) || closed.Code != 4001 || string(closed.Reason) != "token expired" {
					t.Errorf("as a %s, the other side hears %v", role, err)
				}
				continue
			}
			peer.WriteClose(4001, []byte("token expired"))
			var closed *wslayer.CloseError
			if _, _, err := c.LendMsg(); !errors.As(err, &closed) || closed.Status != 4001 || closed.Reason != "token expired" {
				t.Errorf("as a %s, we hear %v", role, err)
			}
			begin := time.Now()
			if c.Close(); time.Since(begin) > 30*time.Second {
				t.Errorf("as a %s, closing takes %v", role, time.Since(begin))
			}
		}
	}
}
