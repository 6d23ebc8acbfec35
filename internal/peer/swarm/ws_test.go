package swarm

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/peertest"
)

// wsOnly returns the addresses of a Network that are WebSockets.
func wsOnly(n *Network) []string {
	var addrs []string
	for _, a := range n.Addrs() {
		if strings.HasSuffix(a, "/ws") {
			addrs = append(addrs, a)
		}
	}
	return addrs
}

func TestSuiteOverWebSocket(t *testing.T) {
	listen := []string{"/ip4/127.0.0.1/tcp/0/ws", "/ip4/127.0.0.1/tcp/0"}
	peertest.Run(t, func(t *testing.T) peertest.Set {
		stranger := newNet(t, nil, listen...)
		shy := func(c *Config) {
			c.Admit = func(id peer.ID) peer.Admission {
				if id == stranger.Self() {
					return peer.Refused
				}
				return peer.Known
			}
		}
		a, b := newNet(t, shy, listen...), newNet(t, shy, listen...)
		for _, x := range []*Network{a, b, stranger} {
			for _, y := range []*Network{a, b, stranger} {
				x.AddAddrs(y.Self(), wsOnly(y)...)
			}
		}
		return peertest.Set{A: a, B: b, Stranger: stranger, Break: func() { breakAll(a) }}
	})
}

// TCP, QUIC and WebSocket have one port.
func TestOnePort(t *testing.T) {
	n := newNet(t, nil, "/ip4/127.0.0.1/tcp/0")
	port := strings.TrimPrefix(n.Addrs()[0], "/ip4/127.0.0.1/tcp/")
	n.Close() //nolint:errcheck // it returns nil
	n = newNet(t, nil, "/ip4/127.0.0.1/udp/"+port+"/quic-v1", "/ip4/127.0.0.1/tcp/"+port+"/ws", "/ip4/127.0.0.1/tcp/"+port)
	if len(n.Addrs()) != 3 {
		t.Fatalf("%q", n.Addrs())
	}
	for _, a := range n.Addrs() {
		if !strings.Contains(a, "/"+port) {
			t.Errorf("%s is another port than %s", a, port)
		}
		other := newNet(t, nil)
		other.AddAddrs(n.Self(), a)
		if err := other.Connect(t.Context(), n.Self()); err != nil {
			t.Errorf("%s: %v", a, err)
		}
		for l := range other.Links() {
			if l.Addr != a {
				t.Errorf("connected to %s by %s", a, l.Addr)
			}
		}
	}
}

func TestAWebSocketAlone(t *testing.T) {
	for listen, want := range map[string]string{"/ip4/127.0.0.1/tcp/0/ws": "beside", "/ip4/127.0.0.1/tcp/0/tls/ws": "proxy"} {
		n, err := New(t.Context(), Config{Key: peer.NewKey(), Listen: []string{listen}})
		if err == nil {
			n.Close() //nolint:errcheck // it returns nil
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", listen, err)
		}
	}
}

// What speaks HTTP and is no peer: a page of a browser, a request for something else, half
// a request, a text message.
func TestHTTP(t *testing.T) {
	n := newNet(t, nil, "/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/tcp/0/ws")
	port := strings.TrimSuffix(strings.TrimPrefix(wsOnly(n)[0], "/ip4/127.0.0.1/tcp/"), "/ws")
	at := "127.0.0.1:" + port
	ask := func(header string) string {
		c, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()                                                    //nolint:errcheck // it is over
		c.SetDeadline(time.Now().Add(patience))                            //nolint:errcheck // it has deadlines
		fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: "+at+"\r\n%s\r\n", header) //nolint:errcheck // the answer shows it
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			return err.Error()
		}
		r.Body.Close() //nolint:errcheck // it is over
		return r.Status
	}
	upgrade := "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	if got := ask(""); got != "404 Not Found" {
		t.Error(got)
	}
	if got := ask(upgrade + "Origin: https://evil.example\r\n"); got != "403 Forbidden" {
		t.Error(got)
	}
	if got := ask(upgrade); got != "101 Switching Protocols" {
		t.Error(got)
	}
	if got := ask("X: " + strings.Repeat("x", 64<<10) + "\r\n"); !strings.HasPrefix(got, "431") && !strings.Contains(got, "reset") {
		t.Error(got)
	}
	ws, _, err := websocket.DefaultDialer.Dial("ws://"+at+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()                                        //nolint:errcheck // it is over
	ws.WriteMessage(websocket.TextMessage, []byte("hello")) //nolint:errcheck // the answer shows it
	ws.SetReadDeadline(time.Now().Add(patience))            //nolint:errcheck // it returns nil
	for {
		if _, _, err := ws.ReadMessage(); err != nil {
			if e, ok := err.(net.Error); ok && e.Timeout() {
				t.Error("a text message is taken for a peer's")
			}
			break
		}
	}
	begin := time.Now()
	c, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()                                    //nolint:errcheck // it is over
	io.WriteString(c, "GET /")                         //nolint:errcheck // it stays half
	c.SetReadDeadline(begin.Add(2 * handshakeTimeout)) //nolint:errcheck // it has deadlines
	io.Copy(io.Discard, c)                             //nolint:errcheck // it ends
	if d := time.Since(begin); d > handshakeTimeout+5*time.Second {
		t.Errorf("half a request was waited for for %v", d)
	}
}

// A relay that can be reached by WebSocket only is one as well.
func TestRelayOverWebSocket(t *testing.T) {
	relay, _, _ := ownRelay(t, guestsOnly, RelayConfig{}, "/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/tcp/0/ws")
	var at []string
	for _, a := range wsOnly(relay) {
		at = append(at, a+"/p2p/"+LibID(relay.Self()))
	}
	both := behind(t, at, 2)
	counts := sink(both[1])
	s, err := both[0].Open(t.Context(), both[1].Self(), "/sink")
	if err != nil {
		t.Fatal(err)
	}
	s.Write(make([]byte, 100_000)) //nolint:errcheck // the count tells
	s.CloseWrite()                 //nolint:errcheck // the count tells
	if c := <-counts; c != 100_000 {
		t.Errorf("%d bytes have arrived", c)
	}
}
