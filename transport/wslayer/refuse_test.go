package wslayer_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
	"github.com/tenon-net/tenon/transport/wslayer"
)

// Each refusal reaches a client that sends a long body first and looks for the answer
// then: bytes that nobody reads would have TCP reset the connection.
func TestRefusalsArrive(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	layer := &wslayer.Layer{Path: "/chat", Token: opt.Plain("t"), Protocols: []string{"p"}}
	go func() {
		for {
			raw, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				if c, err := layer.Wrap(context.Background(), asStream(raw), transport.Accepted); err == nil {
					c.Close()
				}
			}()
		}
	}()
	const auth = "Authorization: Bearer t\r\n"
	for head, status := range map[string]int{
		"nonsense\r\n": 400,
		"POST /chat HTTP/1.1\r\nHost: evil.example\r\n":                                                 403,
		"POST /chat HTTP/1.1\r\nHost: localhost\r\nOrigin: http://x\r\n":                                403,
		"POST /chat HTTP/1.1\r\nHost: localhost\r\n":                                                    401,
		"POST / HTTP/1.1\r\nHost: localhost\r\n" + auth:                                                 404,
		"POST /chat HTTP/1.1\r\nHost: localhost\r\n" + auth:                                             405,
		"GET /chat HTTP/1.1\r\nHost: localhost\r\n" + auth:                                              426,
		"GET /chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n":                                400,
		"GET /chat?token=t HTTP/1.1\r\nHost: localhost\r\n" + upgrade + "Sec-WebSocket-Protocol: q\r\n": 400,
		"GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 20<<10) + "\r\n":                                  431,
	} {
		for range 2 {
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(c, head+"\r\n")
			for range 64 {
				if _, err := c.Write(make([]byte, 64<<10)); err != nil {
					t.Fatalf("%.60q: the client is cut off: %v", head, err) // many then do not read, either
				}
			}
			r, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil || r.StatusCode != status {
				t.Errorf("%.60q: %v, %v; want %d", head, r, err, status)
				break
			}
			c.Close()
		}
	}
}

// A client that never ends holds nobody up.
func TestRefusalIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := mem.Pair()
		defer a.Close()
		go io.WriteString(a, "nonsense\r\n\r\n")
		begin := time.Now()
		_, err := new(wslayer.Layer).Wrap(context.Background(), b, transport.Accepted)
		if d := time.Since(begin); err == nil || d > transport.LingeringCloseTime {
			t.Errorf("after %v: %v", d, err)
		}
	})
}

// announced is a stream whose client told, in a header, where it comes from.
type announced struct {
	transport.Filter
	remote net.Addr
}

func (a *announced) RemoteAddr() net.Addr { return a.remote }

// The address that rights go by passes through.
func TestSocketAddressIsHandedOn(t *testing.T) {
	a, b := mem.Pair()
	socket := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 1}
	remote := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}
	s := acceptedBy(t, &wslayer.Layer{CloseTimeout: -1}, a, &announced{transport.Filter{Stream: b, Extra: &transport.Info{Kind: "tcp", Socket: socket}}, remote})
	if transport.PeerAddr(s) != net.Addr(socket) || s.RemoteAddr() != net.Addr(remote) {
		t.Errorf("PeerAddr %v, RemoteAddr %v", transport.PeerAddr(s), s.RemoteAddr())
	}
}
