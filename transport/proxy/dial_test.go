package proxy

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/transporttest"
)

// dialAddress opens an address of one of the dialing kinds.
func dialAddress(t testing.TB, text string) (transport.Stream, error) {
	t.Helper()
	name, _, _ := strings.Cut(text, ":")
	e, err := transporttest.Fill(kind(t, name), text)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := e.(transport.Dialer).Dial(ctx)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { c.Close() })
	return c.(transport.Stream), nil
}

// testSOCKSUser looks at what is sent for a name and a password.
func testSOCKSUser(t *testing.T, name string) {
	got := make(chan string, 1)
	proxy := startServer(t, func(c *net.TCPConn) {
		var buf [64]byte
		if name == kindSOCKS5 {
			_, _ = io.ReadFull(c, buf[:4])
			_, _ = c.Write([]byte{5, 2})
		}
		n, _ := c.Read(buf[:])
		got <- string(buf[:n])
	})
	_, port := splitHostPort(t, proxy)
	text := name + ":127.0.0.1:127.0.0.1:80,socksport=" + port + ",socksuser=bob"
	want := "\x04\x01\x00\x50\x7f\x00\x00\x01bob\x00"
	if name == kindSOCKS5 {
		text += ",sockspass=pass:word"
		want = "\x01\x03bob\x04word"
	}
	if _, err := dialAddress(t, text); err == nil {
		t.Error("a proxy that hangs up is no error")
	} else if strings.Contains(err.Error(), "word") {
		t.Errorf("the error %q has the password", err)
	}
	if g := <-got; g != want {
		t.Errorf("the proxy got %q, want %q", g, want)
	}
}

func testSOCKSPort(t *testing.T, name string) {
	_, port := splitHostPort(t, startProxy(t, &testProxy{layer: new(SOCKSServer)}))
	echo := startEcho(t)
	for _, text := range []string{name + ":127.0.0.1:" + echo + ",socksport=" + port, name + ":127.0.0.1:" + port + ":" + echo} {
		c, err := dialAddress(t, text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got := c.RemoteAddr().String(); got != echo {
			t.Errorf("RemoteAddr is %s, want %s", got, echo)
		}
		if got := c.Info().Kind; got != name {
			t.Errorf("Info().Kind is %q, want %q", got, name)
		}
		if got := exchange(t, c, "hello"); got != "HELLO" {
			t.Errorf("got %q", got)
		}
	}
}

// startHTTPHead is a proxy that grants every request and keeps its head.
func startHTTPHead(t testing.TB) (port string, heads <-chan *http.Request) {
	got := make(chan *http.Request, 1)
	proxy := startServer(t, func(c *net.TCPConn) {
		r, err := http.ReadRequest(bufio.NewReader(c))
		if err == nil {
			got <- r
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
		}
	})
	_, port = splitHostPort(t, proxy)
	return port, got
}

func testProxyPort(t *testing.T) {
	port, heads := startHTTPHead(t)
	if _, err := dialAddress(t, "proxy:127.0.0.1:db.example:80,proxyport="+port); err != nil {
		t.Fatal(err)
	}
	if r := <-heads; r.Method != "CONNECT" || r.RequestURI != "db.example:80" || r.Host != "db.example:80" {
		t.Errorf("the proxy got %s %s, host %s", r.Method, r.RequestURI, r.Host)
	}
}

func testProxyAuth(t *testing.T) {
	port, heads := startHTTPHead(t)
	if _, err := dialAddress(t, "proxy:127.0.0.1:h:80,proxyauth=Aladdin:open sesame,proxyport="+port); err != nil {
		t.Fatal(err)
	}
	// The example of RFC 7617, section 2.
	if got, want := (<-heads).Header.Get("Proxy-Authorization"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="; got != want {
		t.Errorf("got Proxy-Authorization %q, want %q", got, want)
	}
}

func testProxyHeader(t *testing.T) {
	port, heads := startHTTPHead(t)
	if _, err := dialAddress(t, "proxy:127.0.0.1:h:80,proxy-header='X-A: b c',proxyport="+port); err != nil {
		t.Fatal(err)
	}
	if got := (<-heads).Header.Get("X-A"); got != "b c" {
		t.Errorf("got X-A %q", got)
	}
}

func testProxyResolve(t *testing.T) {
	for _, option := range []string{"proxy-resolve", "resolve"} {
		port, heads := startHTTPHead(t)
		if _, err := dialAddress(t, "proxy:127.0.0.1:localhost:80,"+option+",proxyport="+port); err != nil {
			t.Fatal(err)
		}
		if got := (<-heads).Host; got != "127.0.0.1:80" && got != "[::1]:80" {
			t.Errorf("%s: the proxy is asked for %q, want an address", option, got)
		}
	}
}
