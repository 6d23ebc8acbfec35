package proxy

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/freeport"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// A client that is refused hears so, also if it goes on sending before it listens: the
// reset of a socket that was closed with bytes unread would overtake the answer.
func TestRefusalsArrive(t *testing.T) {
	auth := func() (*SOCKSServer, *HTTPServer) {
		return &SOCKSServer{Access{User: "u", Password: opt.Plain("p")}}, &HTTPServer{Access{User: "u", Password: opt.Plain("p")}}
	}
	socksAuth, httpAuth := auth()
	nobody := freeport.Get(t)
	const socks5Failure = "\x00\x01\x00\x00\x00\x00\x00\x00"
	for name, c := range map[string]struct {
		layer   transport.Layer
		request string
		want    string // what the answer begins with
	}{
		"407":             {httpAuth, "PUT http://h.example/ HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n", "HTTP/1.1 407 "},
		"407 for CONNECT": {httpAuth, "CONNECT h.example:1 HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 407 "},
		"400":             {new(HTTPServer), "PUT / HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 400 "},
		"403":             {new(HTTPServer), "PUT http://10.0.0.1/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 403 "},
		"431":             {new(HTTPServer), "GET / HTTP/1.1\r\nA: " + strings.Repeat("x", maxHead), "HTTP/1.1 431 "},
		"502":             {&HTTPServer{Access{AllowPrivate: true}}, "PUT http://127.0.0.1:" + nobody + "/ HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n", "HTTP/1.1 502 "},
		"502 malformed":   {&HTTPServer{Access{AllowPrivate: true}}, "PUT http://127.0.0.1:" + nobody + "/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 502 "},
		"502 for CONNECT": {&HTTPServer{Access{AllowPrivate: true}}, "CONNECT 127.0.0.1:" + nobody + " HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 502 "},
		"socks4":          {socksAuth, "\x04\x01\x00\x50\x01\x01\x01\x01\x00", "\x00\x5b"},
		"socks5 method":   {socksAuth, "\x05\x01\x00", "\x05\xff"},
		"socks5 password": {socksAuth, "\x05\x01\x02\x01\x01u\x01x", "\x05\x02\x01\x01"},
		"socks5 command":  {new(SOCKSServer), "\x05\x01\x00\x05\x02\x00\x01\x01\x01\x01\x01\x00\x50", "\x05\x00\x05\x07" + socks5Failure},
		"socks5 target":   {new(SOCKSServer), "\x05\x01\x00\x05\x01\x00\x01\x0a\x00\x00\x01\x00\x50", "\x05\x00\x05\x02" + socks5Failure},
		"socks5 dial":     {&SOCKSServer{Access{AllowPrivate: true}}, "\x05\x01\x00\x05\x01\x00\x03\x07no.host\x00\x50", "\x05\x00\x05"},
	} {
		t.Run(name, func(t *testing.T) {
			far := &net.TCPAddr{IP: net.IPv4(203, 0, 113, 9), Port: 1}
			s := dialTCP(t, startProxy(t, &testProxy{layer: c.layer, from: far}))
			if err := s.SetDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			rest := io.LimitReader(zeros{}, 8<<20) // more than all buffers on the way
			if _, err := io.Copy(struct{ io.Writer }{s}, io.MultiReader(strings.NewReader(c.request), rest)); err != nil {
				t.Errorf("sending: %v", err)
			}
			if err := s.CloseWrite(); err != nil {
				t.Errorf("CloseWrite: %v", err)
			}
			data, err := io.ReadAll(s)
			if err != nil || !strings.HasPrefix(string(data), c.want) {
				t.Errorf("answer %.60q, error %v; want %q", data, err, c.want)
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// When Answer has told a client the bad news, all is written and the Conn is closed.
func TestAnswerCloses(t *testing.T) {
	a, b := tcpPair(t)
	if _, err := io.WriteString(a, "CONNECT h.example:1 HTTP/1.1\r\nHost: h\r\n\r\nearly"); err != nil {
		t.Fatal(err)
	}
	c, err := new(HTTPServer).Wrap(t.Context(), b, transport.Accepted)
	if err != nil {
		t.Fatal(err)
	}
	answered := make(chan error)
	go func() { answered <- c.(transport.Caller).Answer(nil, errors.New("no")) }()
	_ = a.SetDeadline(time.Now().Add(patience))
	if data, err := io.ReadAll(a); err != nil || !strings.HasPrefix(string(data), "HTTP/1.1 502 ") {
		t.Errorf("answer %.40q, error %v", data, err)
	}
	a.Close()
	if err := <-answered; err != nil {
		t.Errorf("Answer: %v", err)
	}
	if _, err := c.(transport.Stream).Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write after a refusal: error %v", err)
	}
}
