package proxy

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
)

// feed sends text and ends; sent is closed when that is done.
func feed(c transport.Stream, text string) (sent chan struct{}) {
	sent = make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = io.WriteString(c, text) // fails if the layer has seen enough
		_ = c.CloseWrite()
	}()
	return sent
}

// answered has a client layer read what a server sends, whatever it is asked. Then
// the server's side ends.
func answered(t testing.TB, l transport.Layer, text string) (transport.Conn, error) {
	t.Helper()
	a, b := mem.Pair()
	sent := feed(b, text)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := l.Wrap(ctx, a, transport.Dialed)
	<-sent
	if _, closed := a.Read(nil); err != nil && closed == nil {
		if _, closed = a.Write([]byte("x")); closed == nil {
			t.Error("Wrap failed and left the end beneath open")
		}
	}
	return c, err
}

func TestAnswersOfProxies(t *testing.T) {
	const to = "db.example:5432"
	socks5, login := &SOCKS5{Target: to}, &SOCKS5{Target: to, User: "u", Password: opt.Plain("p")}
	socks4a, connect := &SOCKS4{Target: to, Remote: true}, &HTTPConnect{Target: to}
	const ok5 = "\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50"
	for _, c := range []struct {
		layer transport.Layer
		text  string
		want  string // "" for success, or a part of the error
		is    error
	}{
		{socks5, "\x05\x00" + ok5, "", nil},
		{socks5, "\x05\x00\x05\x00\x00\x03\x03abc\x00\x50", "", nil},
		{socks5, "\x05\x00\x05\x00\x00\x03\xff" + strings.Repeat("x", 257), "", nil},
		{socks5, "\x05\x00\x05\x00\x00\x04" + strings.Repeat("x", 18), "", nil},
		{socks5, "\x05\x00\x05\x00\x00\x02" + strings.Repeat("x", 18), "of type 0x02", nil},
		{socks5, "\x05\x00\x05\x00\x00\x03\xffabc", "ended during", io.ErrUnexpectedEOF},
		{socks5, "", "ended during", io.ErrUnexpectedEOF},
		{socks5, "\x05\xff", "who asks", transport.ErrDenied},
		{socks5, "\x05\x02\x01\x00" + ok5, "was not offered", nil},
		{socks5, "\x05\x01", "was not offered", nil},
		{socks5, "HTTP/1.1 400 Bad Request\r\n\r\n", "not a SOCKS proxy", nil},
		{socks5, "\x05\x00\x04\x00\x00\x00", "not a SOCKS proxy", nil},
		{socks5, "\x05\x00\x05\x01", "does not say why", nil},
		{socks5, "\x05\x00\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00", "does not allow", transport.ErrDenied},
		{socks5, "\x05\x00\x05\x03", "network unreachable", syscall.ENETUNREACH},
		{socks5, "\x05\x00\x05\x04", "host unreachable", syscall.EHOSTUNREACH},
		{socks5, "\x05\x00\x05\x05", "refused", syscall.ECONNREFUSED},
		{socks5, "\x05\x00\x05\x06", "in time", syscall.ETIMEDOUT},
		{socks5, "\x05\x00\x05\x07", "does not connect", nil},
		{socks5, "\x05\x00\x05\x08", "type of address", nil},
		{socks5, "\x05\x00\x05\xf0", "code 0xf0", nil},
		{login, "\x05\x00" + ok5, "", nil},
		{login, "\x05\x02\x01\x00" + ok5, "", nil},
		{login, "\x05\x02\x05\x00" + ok5, "", nil},
		{login, "\x05\x02\x01\x01", "does not take", transport.ErrDenied},
		{login, "\x05\xff", "neither", transport.ErrDenied},
		{socks4a, "\x00\x5a\x00\x50\x7f\x00\x00\x01", "", nil},
		{socks4a, "\x04\x5a\x00\x50\x7f\x00\x00\x01", "", nil},
		{socks4a, "\x00\x5b\x00\x00\x00\x00\x00\x00", "rejected", nil},
		{socks4a, "\x00\x5c\x00\x00\x00\x00\x00\x00", "user ID", transport.ErrDenied},
		{socks4a, "\x00\x00\x00\x00\x00\x00\x00\x00", "code 0", nil},
		{socks4a, "\x05\xff", "ended during", io.ErrUnexpectedEOF},
		{connect, "HTTP/1.1 200 OK\r\n\r\n", "", nil},
		{connect, "HTTP/1.0 200\n\n", "", nil},
		{connect, "HTTP/1.1 204 x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "", nil},
		{connect, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "", nil},
		{connect, strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 5000), "longer than", nil},
		{connect, "HTTP/1.1 101 Switching\r\n\r\n", "101", nil},
		{connect, "HTTP/1.1 407 Auth\r\nProxy-Authenticate: Basic realm=x\r\n\r\n", "407 Auth", transport.ErrDenied},
		{connect, "HTTP/1.1 403 \x1b[2JNo\x07\r\n\r\n", "403 [2JNo", transport.ErrDenied},
		{connect, "HTTP/1.1 504 Slow\r\n\r\n", "504", syscall.ETIMEDOUT},
		{connect, "HTTP/1.1 -20 OK\r\n\r\n", "without a status", nil},
		{connect, "HTTP/1.1\r\n\r\n", "without a status", nil},
		{connect, "SSH-2.0-OpenSSH\r\n", "not an HTTP proxy", nil},
		{connect, "HTTP/1.1 200 " + strings.Repeat("x", 100<<10), "longer than", nil},
		{connect, "HTTP/1.1 200 OK\r\nA: b\r\n", "ended during", io.ErrUnexpectedEOF},
		{connect, "", "ended during", io.ErrUnexpectedEOF},
	} {
		conn, err := answered(t, c.layer, c.text)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%T, %.60q: error %v", c.layer, c.text, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, io.EOF)):
			t.Errorf("%T, %.60q: error %v, want %q", c.layer, c.text, err, c.want)
		case c.is != nil && !errors.Is(err, c.is):
			t.Errorf("%T, %.60q: error %v does not match %v", c.layer, c.text, err, c.is)
		}
		if err == nil {
			conn.Close()
		}
	}
}

// ncat lost bytes that came in the same packet as the proxy's answer, which breaks
// it as the ProxyCommand of ssh.
func TestBytesGluedToTheAnswer(t *testing.T) {
	const banner = "SSH-2.0-x\r\n"
	for answer, l := range map[string]transport.Layer{
		"\x05\x00\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50":                &SOCKS5{Target: "h:22"},
		"\x05\x02\x01\x00\x05\x00\x00\x03\x01x\x00\x50":                   &SOCKS5{Target: "h:22", User: "u", Password: opt.Plain("p")},
		"\x00\x5a\x00\x50\x7f\x00\x00\x01":                                &SOCKS4{Target: "h:22", Remote: true},
		"HTTP/1.1 200 OK\r\n\r\n":                                         &HTTPConnect{Target: "h:22"},
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n\r\n":    &HTTPConnect{Target: "h:22"},
		"HTTP/1.1 200 OK\r\nA: " + strings.Repeat("x", 2000) + "\r\n\r\n": &HTTPConnect{Target: "h:22"},
	} {
		c, err := answered(t, l, answer+banner)
		if err != nil {
			t.Errorf("%q: %v", answer, err)
			continue
		}
		data, err := io.ReadAll(c.(transport.Stream))
		if string(data) != banner || err != nil {
			t.Errorf("%.40q: then read %q, error %v", answer, data, err)
		}
		c.Close()
	}
}

// A client's impatience does not cost it its first bytes.
func TestBytesGluedToTheRequest(t *testing.T) {
	for request, l := range map[string]transport.Layer{
		"\x05\x01\x00\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50": new(SOCKSServer),
		"\x04\x01\x00\x50\x00\x00\x00\x01\x00h.example\x00":    new(SOCKSServer),
		"CONNECT h.example:443 HTTP/1.1\r\nHost: h\r\n\r\n":    new(HTTPServer),
	} {
		c, _, err := asked(t, l, request+"early")
		if err != nil {
			t.Errorf("%q: %v", request, err)
			continue
		}
		data, err := io.ReadAll(c)
		if string(data) != "early" || err != nil {
			t.Errorf("%q: then read %q, error %v", request, data, err)
		}
	}
}

// asked has a server layer read what a client from far away sends, whatever it is told.
// Reply is what it has answered by then.
func asked(t testing.TB, l transport.Layer, text string) (c *caller, reply string, err error) {
	t.Helper()
	a, b := mem.Pair()
	sent := feed(a, text)
	t.Cleanup(func() { a.Close(); <-sent })
	inner := newConn("test", b, nil)
	inner.remote, inner.local = tcp("203.0.113.7:1"), tcp("203.0.113.8:1080")
	if far, ok := l.(*SOCKSServer); ok && !far.AllowPrivate && strings.Contains(text, "\x7f\x00\x00\x01") {
		inner.remote, inner.local = tcp("127.0.0.1:1"), tcp("127.0.0.1:1080")
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := l.Wrap(ctx, inner, transport.Accepted)
	if err == nil {
		t.Cleanup(func() { conn.Close() })
		return conn.(*caller), "", nil
	}
	data, _ := io.ReadAll(a)
	return nil, string(data), err
}

func TestHostileSOCKSClients(t *testing.T) {
	auth := &SOCKSServer{Access: Access{User: "u", Password: opt.Plain("p")}}
	open := new(SOCKSServer)
	const hello = "\x05\x01\x00"
	for _, c := range []struct {
		layer transport.Layer
		text  string
		reply string
		want  string
	}{
		{open, "", "", "ended during"},
		{open, "GET / HTTP/1.1\r\n\r\n", "", "does not speak SOCKS"},
		{open, "\x05\x00", "\x05\xff", "insists on"},
		{open, "\x05\x02\x01\x02", "\x05\xff", "insists on"},
		{open, hello + "\x04\x01\x00\x01", "\x05\x00", "changes to"},
		{open, hello + "\x05\x02\x00\x01\x01\x01\x01\x01\x00\x50", "\x05\x00\x05\x07\x00\x01\x00\x00\x00\x00\x00\x00", "command 2"},
		{open, hello + "\x05\x03\x00\x01\x01\x01\x01\x01\x00\x50", "\x05\x00\x05\x07\x00\x01\x00\x00\x00\x00\x00\x00", "command 3"},
		{open, hello + "\x05\x01\x00\x02\x01\x01\x01\x01\x00\x50", "\x05\x00\x05\x08\x00\x01\x00\x00\x00\x00\x00\x00", "type 0x02"},
		{open, hello + "\x05\x01\x00\x03\x00\x00\x50", "\x05\x00\x05\x01\x00\x01\x00\x00\x00\x00\x00\x00", "not the name"},
		{open, hello + "\x05\x01\x00\x03\x03a\nb\x00\x50", "\x05\x00\x05\x01\x00\x01\x00\x00\x00\x00\x00\x00", "not the name"},
		{open, hello + "\x05\x01\x00\x01\x01\x01\x01\x01\x00\x00", "\x05\x00\x05\x01\x00\x01\x00\x00\x00\x00\x00\x00", "port 0"},
		{open, hello + "\x05\x01\x00\x01\x0a\x01\x01\x01\x00\x50", "\x05\x00\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00", "private network"},
		{open, hello + "\x05\x01\x00\x03\x09localhost\x00\x50", "\x05\x00\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00", "this machine"},
		{open, hello + "\x05\x01\x00\x03\xff", "\x05\x00", "ended during"},
		{auth, hello, "\x05\xff", "no user name"},
		{auth, "\x05\x01\x02\x02", "\x05\x02", "version 0x02"},
		{auth, "\x05\x01\x02\x01\x01u\x01x", "\x05\x02\x01\x01", "not known"},
		{auth, "\x05\x01\x02\x01\x00\x00", "\x05\x02\x01\x01", "not known"},
		{auth, "\x05\x01\x02\x01\xffu", "\x05\x02", "ended during"},
		{auth, "\x04\x01\x00\x50\x01\x01\x01\x01u\x00", "\x00\x5b\x00\x00\x00\x00\x00\x00", "no passwords"},
		{open, "\x04\x02\x00\x50\x01\x01\x01\x01u\x00", "\x00\x5b\x00\x00\x00\x00\x00\x00", "command 2"},
		{open, "\x04\x01\x00\x50\x00\x00\x00\x00\x00", "\x00\x5b\x00\x00\x00\x00\x00\x00", "private network"},
		{open, "\x04\x01\x00\x50\x00\x00\x00\x01\x00\x00", "\x00\x5b\x00\x00\x00\x00\x00\x00", "not the name"},
		{open, "\x04\x01\x00\x50\x01\x01\x01\x01" + strings.Repeat("u", 300), "", "without end"},
		{open, "\x04\x01\x00\x50\x00\x00\x00\x01\x00" + strings.Repeat("h", 300), "", "without end"},
	} {
		_, reply, err := asked(t, c.layer, c.text)
		if err == nil || !strings.Contains(err.Error(), c.want) || reply != c.reply {
			t.Errorf("%.40q: reply %q, error %v; want %q, %q", c.text, reply, err, c.reply, c.want)
		}
	}
}

// A client that says nothing holds a server for as long as the context lets it.
func TestSilenceEndsWithTheContext(t *testing.T) {
	for name, l := range map[string]transport.Layer{
		"socks": new(SOCKSServer), "http": new(HTTPServer), "header": new(AcceptHeader), "header?": &AcceptHeader{Optional: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, b := mem.Pair()
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				began := time.Now()
				_, err := l.Wrap(ctx, b, transport.Accepted)
				if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, transport.ErrTimeout) || time.Since(began) != time.Hour {
					t.Errorf("after %v: error %v", time.Since(began), err)
				}
			})
		})
	}
}

// A client that is refused and neither reads nor hangs up is left after a moment.
func TestRefusalDoesNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := mem.Pair()
		if _, err := io.WriteString(a, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, err := new(HTTPServer).Wrap(t.Context(), b, transport.Accepted)
		if d := time.Since(began); d != transport.LingeringCloseTime || err == nil {
			t.Errorf("after %v: error %v", d, err)
		}
	})
}

func TestAnswer(t *testing.T) {
	c, _, err := asked(t, new(SOCKSServer), "\x05\x01\x00\x05\x01\x00\x03\x05h.tld\x00\x50")
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Target(); got != "h.tld:80" {
		t.Errorf("Target is %q", got)
	}
	for addr, allowed := range map[string]bool{
		"93.184.216.34:80": true, "127.0.0.1:80": false, "[::1]:80": false, "169.254.169.254:80": false, "[64:ff9b::a00:1]:80": false,
	} {
		err := c.Permit(netip.MustParseAddrPort(addr))
		if (err == nil) != allowed || err != nil && !errors.Is(err, transport.ErrDenied) {
			t.Errorf("Permit(%s): error %v", addr, err)
		}
	}
	if err := c.Answer(nil, nil); err != nil {
		t.Error(err)
	}
	if err := c.Answer(nil, nil); err == nil {
		t.Error("a second Answer is taken")
	}
	c.Close()
	if err := c.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}
