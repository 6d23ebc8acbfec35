package wslayer_test

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
	"github.com/tenon-net/tenon/transport/transporttest"
	"github.com/tenon-net/tenon/transport/wslayer"
)

var bad = map[string]string{
	"ws:h:1,header=x":                      "header= is written 'Name: value'",
	"ws:h:1,header='Upgrade: x'":           "header=: Upgrade is part of the handshake",
	"ws:h:1,header='Sec-WebSocket-Key: x'": "header=: Sec-Websocket-Key is part of the handshake",
	"ws:h:1,header='A: b\rC: d'":           "header= is written 'Name: value'",
	"ws:h:1,protocol='a b'":                `protocol=: "a b" is not a token`,
	"ws:h:1,host='a b'":                    "host=: a space or control character cannot be sent",
	"ws:h:1,token='a b'":                   "token: must be letters, digits and marks of ASCII",
	"ws:h:1,user='a:b'":                    "user=: a name for basic authentication has no colon",
	"ws:h:1,max-message=x":                 "max-message: must be a size such as 4096, 64k or 16M",
}

var options = map[string]func(*testing.T){
	"path": func(t *testing.T) {
		wantRequest(t, "ws://h:80,path='/a b?c=d'", "GET /a%20b?c=d HTTP/1.1\r\n")
		wantRequest(t, "ws://h/x%2fy?z", "GET /x%2fy?z HTTP/1.1\r\n")
		wantAnswer(t, "ws:x:1,path=/chat", "GET /chat?x HTTP/1.1\r\nHost: localhost\r\n", "101")
		wantAnswer(t, "ws:x:1,path=/chat", "GET /other HTTP/1.1\r\nHost: localhost\r\n", "404")
	},
	"host":     testHost,
	"origin":   testOrigin,
	"password": testAuth,
	"user": func(t *testing.T) {
		wantRequest(t, "ws://h/,user=me,password=s", "Authorization: Basic "+basic("me:s"))
		wantRequest(t, "ws://me:s%40@h/", "Authorization: Basic "+basic("me:s@"))
		c, s := pair(t, &wslayer.Layer{User: "me", Password: opt.Plain("s")}, &wslayer.Layer{User: "me", Password: opt.Plain("s")})
		if c.Info().Peer != "" || s.Info().Peer != "me" {
			t.Errorf("peers %q and %q", c.Info().Peer, s.Info().Peer)
		}
		wantAnswer(t, "ws:x:1,user=me,password=s", get+"Authorization: Basic "+basic("you:s")+"\r\n", "401")
	},
	"token": func(t *testing.T) {
		wantRequest(t, "ws://h/,token=abc", "Authorization: Bearer abc\r\n")
		wantAnswer(t, "ws:x:1,token=abc", get, "401")
		wantAnswer(t, "ws:x:1,token=abc", get+"Authorization: bearer abc\r\n", "101")
		wantAnswer(t, "ws:x:1,token=abc", get+"Authorization: Bearer abd\r\n", "401")
		wantAnswer(t, "ws:x:1,token=abc", "GET /?token=abc HTTP/1.1\r\nHost: localhost\r\n", "101")
		wantAnswer(t, "ws:x:1,token=abc", "GET /?token= HTTP/1.1\r\nHost: localhost\r\n", "401")
	},
	"header": func(t *testing.T) {
		wantRequest(t, "ws://h/,header='X-A: b'", "\r\nX-A: b\r\n")
		if a := wantAnswer(t, "ws:x:1,header='X-A: b'", get, "101"); !strings.Contains(a, "\r\nX-A: b\r\n") {
			t.Errorf("answer %q", a)
		}
	},
	"protocol": func(t *testing.T) {
		c, s := pair(t, &wslayer.Layer{Protocols: []string{"a", "b"}}, &wslayer.Layer{Protocols: []string{"c", "b"}})
		if c.Subprotocol() != "b" || s.Subprotocol() != "b" {
			t.Errorf("subprotocols %q and %q, want b", c.Subprotocol(), s.Subprotocol())
		}
		wantAnswer(t, "ws:x:1,protocol=a", get+"Sec-WebSocket-Protocol: x, y\r\n", "400")
		wantAnswer(t, "ws:x:1,protocol=a", get, "101")
	},
	"max-message": func(t *testing.T) {
		c, s := pair(t, &wslayer.Layer{}, &wslayer.Layer{MaxMessage: 100})
		if s.MaxMsg() != 100 || c.MaxMsg() != wslayer.DefaultMaxMessage {
			t.Errorf("MaxMsg %d and %d", s.MaxMsg(), c.MaxMsg())
		}
		go c.WriteMsg(make([]byte, 101), transport.Meta{})
		if _, _, err := s.ReadMsg(make([]byte, 1000)); err == nil {
			t.Error("a longer message is taken")
		}
	},
	"deflate": func(t *testing.T) {
		wantRequest(t, "ws://h/,deflate", "Sec-WebSocket-Extensions: permessage-deflate;")
		const offer = get + "Sec-WebSocket-Extensions: permessage-deflate\r\n"
		if a := wantAnswer(t, "ws:x:1,deflate", offer, "101"); !strings.Contains(a, "permessage-deflate") {
			t.Errorf("answer %q", a)
		}
		if a := wantAnswer(t, "ws:x:1", offer, "101"); strings.Contains(a, "permessage-deflate") {
			t.Errorf("answer %q", a)
		}
	},
	"memory":        testMemory,
	"ping":          testPing,
	"ping-timeout":  testPing,
	"close-timeout": testCloseTimeout,
}

const get = "GET / HTTP/1.1\r\nHost: localhost\r\n"

func basic(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func fill(t testing.TB, text string) *wslayer.Layer {
	t.Helper()
	e, err := transporttest.Fill(wslayer.Kinds()[0], text)
	if err != nil {
		t.Fatal(err)
	}
	return e.(*wslayer.Layer)
}

// wantRequest checks what a client sends.
func wantRequest(t *testing.T, text, want string) {
	t.Helper()
	a, b := mem.Pair()
	go fill(t, text).Wrap(context.Background(), a, transport.Dialed)
	if got := readAnswer(t, b); !strings.Contains(got, want) {
		t.Errorf("%s sends %q, want %q in it", text, got, want)
	}
	b.Close()
}

// located is a stream that has a local address.
type located struct {
	transport.Filter
	local net.Addr
}

func (l *located) LocalAddr() net.Addr { return l.local }

// wantAnswer sends the head of a request, completed with what a WebSocket needs,
// and checks the status of the answer.
func wantAnswer(t *testing.T, text, head, status string) string {
	t.Helper()
	return wantRawAnswer(t, text, head+"Upgrade: WebSocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n", status)
}

func wantRawAnswer(t *testing.T, text, request, status string) string {
	t.Helper()
	return wantAnswerAt(t, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}, text, request, status)
}

// wantAnswerAt has the listener at an address.
func wantAnswerAt(t *testing.T, local net.Addr, text, request, status string) string {
	t.Helper()
	a, b := mem.Pair()
	defer a.Close()
	go io.WriteString(a, request)
	type result struct {
		c   transport.Conn
		err error
	}
	wrapped := make(chan result, 1)
	go func() {
		c, err := fill(t, text).Wrap(context.Background(), &located{transport.Filter{Stream: b}, local}, transport.Accepted)
		wrapped <- result{c, err}
	}()
	got := readAnswer(t, a)
	a.Close() // the listener lingers until then
	r := <-wrapped
	if r.err == nil {
		r.c.(transport.Aborter).Abort(nil)
	}
	err := r.err
	if !strings.HasPrefix(got, "HTTP/1.1 "+status+" ") {
		t.Errorf("%s answers %q to %q, want %s", text, got, request, status)
	}
	if denied := status == "401" || status == "403"; errors.Is(err, transport.ErrDenied) != denied || (err == nil) != (status == "101") {
		t.Errorf("%s: Wrap returns %v", status, err)
	}
	return got
}

func testHost(t *testing.T) {
	wantRequest(t, "ws://h:8080/", "\r\nHost: h:8080\r\n")
	wantRequest(t, "ws://h:80/", "\r\nHost: h\r\n")
	wantRequest(t, "ws://h:80/,host=other", "\r\nHost: other\r\n")
	for host, status := range map[string]string{
		"localhost": "101", "localhost:80": "101", "LOCALHOST.:1": "101", "app.localhost": "101", "127.0.0.1:80": "101", "127.9.9.9": "101", "[::1]:80": "101",
		"evil.example": "403", "localhost.evil.example": "403", "10.0.0.1": "403", "": "403",
	} {
		wantAnswer(t, "ws:x:1", "GET / HTTP/1.1\r\nHost: "+host+"\r\n", status)
	}
	wantAnswer(t, "ws:x:1,host=app.example", "GET / HTTP/1.1\r\nHost: App.example:80\r\n", "101")
	wantAnswer(t, "ws:x:1,host=*", "GET / HTTP/1.1\r\nHost: any\r\n", "101")
	wantAnswer(t, "ws:x:1", "GET / HTTP/1.1\r\n", "400")
	wantAnswer(t, "ws:x:1", get+"Host: localhost\r\n", "400")
}

func testOrigin(t *testing.T) {
	wantRequest(t, "ws://h/,origin=http://o", "\r\nOrigin: http://o\r\n")
	for origin, status := range map[string]string{
		"http://localhost:8080": "101", "http://LOCALHOST:8080": "101",
		"http://localhost": "403", "http://evil.example": "403", "null": "403", "file://": "403", "http://localhost:8080.evil.example": "403",
	} {
		wantAnswer(t, "ws:x:1", "GET / HTTP/1.1\r\nHost: localhost:8080\r\nOrigin: "+origin+"\r\n", status)
	}
	wantAnswer(t, "ws:x:1,origin=https://good.example", get+"Origin: https://good.example\r\n", "101")
	wantAnswer(t, "ws:x:1,origin=*", get+"Origin: https://any.example\r\n", "101")
	wantAnswer(t, "ws:x:1,origin=*", get+"Origin: a\r\nOrigin: b\r\n", "400")
}

func testAuth(t *testing.T) {
	wantAnswer(t, "ws:x:1,password=s", get, "401")
	wantAnswer(t, "ws:x:1,password=s", get+"Authorization: Basic "+basic("me:s")+"\r\n", "101")
	wantAnswer(t, "ws:x:1,password=s", get+"Authorization: Basic "+basic("me:t")+"\r\n", "401")
	wantAnswer(t, "ws:x:1,password=s", get+"Authorization: Basic !\r\n", "401")
	wantAnswer(t, "ws:x:1,password=s", "GET /?token= HTTP/1.1\r\nHost: localhost\r\n", "401")
	wantRequest(t, "ws://h/,password=s", "Authorization: Basic "+basic(":s"))
	if fill(t, "ws:x:1").Authenticates() || !fill(t, "ws:x:1,password=s").Authenticates() || !fill(t, "ws:x:1,token=s").Authenticates() {
		t.Error("Authenticates is wrong")
	}
}

func testPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _, read := pinged(t, "ping=10ms,ping-timeout=30ms")
		p := make([]byte, 2)
		for range 2 { // answered pings keep the connection up, whatever the answer
			if _, err := io.ReadFull(a, p); err != nil || string(p) != "\x89\x00" {
				t.Fatalf("got %x, %v; want a ping", p, err)
			}
			a.Write(clientFrame(true, 10, ""))
		}
		if err := <-read; !errors.Is(err, transport.ErrTimeout) {
			t.Errorf("after no answer: %v, want transport.ErrTimeout", err)
		}
	})
}

func testCloseTimeout(t *testing.T) {
	for given, want := range map[time.Duration]time.Duration{0: wslayer.DefaultCloseTimeout, 100 * time.Millisecond: 100 * time.Millisecond, -1: 0} {
		synctest.Test(t, func(t *testing.T) {
			a, b := mem.Pair()
			s := acceptedBy(t, &wslayer.Layer{CloseTimeout: given}, a, b)
			begin := time.Now()
			s.Close()
			if d := time.Since(begin); d != want {
				t.Errorf("with %v, Close takes %v", given, d)
			}
			if frame, err := io.ReadAll(a); string(frame) != "\x88\x02\x03\xe8" || err != nil {
				t.Errorf("with %v, the client reads %x, %v; want a close frame", given, frame, err)
			}
		})
	}
}
