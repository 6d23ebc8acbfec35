package wslayer_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
	"github.com/tenon-net/tenon/transport/wslayer"
)

// TestRefusedRequests sends what is no good request for a WebSocket.
func TestRefusedRequests(t *testing.T) {
	const up = "Upgrade: websocket\r\nConnection: Upgrade\r\n"
	const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	for request, status := range map[string]string{
		get + "\r\n": "426",
		get + "Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n":                                "426",
		get + up + key + "\r\n":                                                            "426",
		get + up + key + "Sec-WebSocket-Version: 8\r\n\r\n":                                "426",
		get + up + "Sec-WebSocket-Version: 13\r\n\r\n":                                     "400",
		get + up + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAA\r\n\r\n":          "400",
		get + up + key + key + "Sec-WebSocket-Version: 13\r\n\r\n":                         "400",
		"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n":                                       "405",
		"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n":                                        "400",
		"GET http://h/ HTTP/1.1\r\nHost: localhost\r\n\r\n":                                "403",
		"GET ftp://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n":                         "400",
		"GET http:/// HTTP/1.1\r\nHost: localhost\r\n\r\n":                                 "400",
		"GET http://a@localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n":                      "400",
		"GET http://localhost/ HTTP/1.1\r\n\r\n":                                           "400",
		"GET localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n":                             "400",
		"GET * HTTP/1.1\r\nHost: localhost\r\n\r\n":                                        "400",
		get + up + key + "Sec-WebSocket-Version: 13\r\nContent-Length: 5\r\n\r\n":          "400",
		get + up + key + "Sec-WebSocket-Version: 13\r\nTransfer-Encoding: chunked\r\n\r\n": "400",
		"nonsense\r\n\r\n":                                     "400",
		"GET / HTTP/1.1\r\nnonsense\r\n\r\n":                   "400",
		get + "X: " + strings.Repeat("x", 17<<10) + "\r\n\r\n": "431",
	} {
		wantRawAnswer(t, "ws:x:1", request, status)
	}
}

// The target of a request may be a whole URL, whose host counts (RFC 9112, section
// 3.2.2).
func TestAbsoluteTargets(t *testing.T) {
	for target, status := range map[string]string{
		"http://localhost/chat?x": "101", "https://localhost:443/chat": "101", "WS://127.0.0.1/chat": "101", "wss://[::1]:1/chat": "101",
		"http://evil.example/chat": "403", "http://localhost/other": "404", "http://localhost": "404",
	} {
		wantAnswer(t, "ws:x:1,path=/chat", "GET "+target+" HTTP/1.1\r\nHost: localhost\r\n", status)
	}
	wantAnswer(t, "ws:x:1,path=/", "GET http://localhost HTTP/1.1\r\nHost: evil.example\r\n", "101")
	wantAnswer(t, "ws:x:1", "\r\nGET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n", "101")
	wantAnswer(t, "ws:x:1", "GET http://localhost:8080/ HTTP/1.1\r\nHost: h\r\nOrigin: http://localhost:8080\r\n", "101")
	wantAnswer(t, "ws:x:1", "GET http://localhost:8080/ HTTP/1.1\r\nHost: h\r\nOrigin: http://h\r\n", "403")
}

// TestServerAnswers gives a client what a server may say.
func TestServerAnswers(t *testing.T) {
	for answer, want := range map[string]struct {
		mark error
		hint string
	}{
		"HTTP/1.1 401 Unauthorized\r\n\r\n":                              {transport.ErrDenied, "password="},
		"HTTP/1.1 403 Forbidden\r\n\r\n":                                 {transport.ErrDenied, "origin="},
		"HTTP/1.1 302 Found\r\nLocation: https://h/x\r\n\r\n":            {nil, "redirects"},
		"HTTP/1.1 404 Not Found\r\n\r\n":                                 {nil, `"/"`},
		"HTTP/1.1 200 OK\r\n\r\n":                                        {nil, "page"},
		"HTTP/1.1 500 \x1b[2J\r\n\r\n":                                   {nil, ""},
		"SSH-2.0-OpenSSH\r\n\r\n":                                        {nil, ""},
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n": {nil, ""},
		"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: wrong\r\n\r\n": {nil, ""},
	} {
		a, b := mem.Pair()
		go func() {
			readAnswer(t, b)
			io.WriteString(b, answer)
			b.CloseWrite()
		}()
		_, err := new(wslayer.Layer).Wrap(context.Background(), a, transport.Dialed)
		if err == nil || want.mark != nil && !errors.Is(err, want.mark) || !strings.Contains(transport.Hint(err), want.hint) {
			t.Errorf("%q: error %v, hint %q; want a hint with %q", answer, err, transport.Hint(err), want.hint)
		}
		if err != nil && strings.ContainsRune(err.Error(), 0x1b) {
			t.Errorf("an escape of the server is in the error: %q", err)
		}
		b.Close()
	}
}

// What comes right behind the handshake is the first message.
func TestReadAheadIsNotLost(t *testing.T) {
	a, b := mem.Pair()
	defer a.Close()
	go io.WriteString(a, request+string(clientFrame(true, 1, "first")))
	s, err := (&wslayer.Layer{CloseTimeout: -1}).Wrap(context.Background(), b, transport.Accepted)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p := make([]byte, 10)
	if n, _, err := s.(*wslayer.Conn).ReadMsg(p); string(p[:n]) != "first" || err != nil {
		t.Errorf("got %q, %v", p[:n], err)
	}
}

func TestMessagesBeneathAreRefused(t *testing.T) {
	a, b := mem.MsgPair()
	defer b.Close()
	if _, err := new(wslayer.Layer).Wrap(context.Background(), a, transport.Dialed); !errors.Is(err, transport.ErrUsage) {
		t.Errorf("Wrap: %v, want transport.ErrUsage", err)
	}
}

// TestCurl has a real program look at a listener that is no page.
func TestCurl(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Fatal("curl is not installed; ./check installs it")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			raw, err := l.Accept()
			if err != nil {
				return
			}
			if c, err := new(wslayer.Layer).Wrap(context.Background(), asStream(raw), transport.Accepted); err == nil {
				c.Close()
			}
		}
	}()
	for header, want := range map[string]string{"X: y": "426", "Host: evil.example": "403", "Origin: http://evil.example": "403"} {
		out, err := exec.Command(curl, "-s", "-o", "/dev/null", "-m", "10", "-w", "%{http_code}", "-H", header, "http://"+l.Addr().String()+"/").Output()
		if string(out) != want {
			t.Errorf("curl -H %q: %s, %v; want %s", header, out, err, want)
		}
	}
}
