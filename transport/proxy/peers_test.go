package proxy

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/internal/freeport"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// startWeb is a server that says what it was asked.
func startWeb(t testing.TB) (addr string) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s host=%s via=%q proxy=%q close=%v body=%s", r.Method, r.RequestURI, r.Host,
			r.Header.Get("Via"), r.Header.Get("Proxy-Authorization")+r.Header.Get("Proxy-Connection"), r.Close, body)
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// servers are the two server layers, open and with a password.
func servers() (socks, socksAuth, http, httpAuth transport.Layer) {
	const user, password = "bob", "s3cret"
	return new(SOCKSServer), &SOCKSServer{Access{User: user, Password: opt.Plain(password)}}, new(HTTPServer), &HTTPServer{Access{User: user, Password: opt.Plain(password)}}
}

// Programs that people have are clients of our proxies.
func TestCurlAsClient(t *testing.T) {
	web := startWeb(t)
	_, port := splitHostPort(t, web)
	socks, socksAuth, open, auth := servers()
	addr := map[string]string{
		"socks": startProxy(t, &testProxy{layer: socks}), "socks-auth": startProxy(t, &testProxy{layer: socksAuth}),
		"http": startProxy(t, &testProxy{layer: open}), "http-auth": startProxy(t, &testProxy{layer: auth}),
	}
	const right, wrong = "bob:s3cret", "bob:secret"
	for _, c := range []struct {
		server, scheme, user string
		args                 string
		code                 string // of curl's exit status; "" for success
		want                 string // in the output
	}{
		{server: "socks", scheme: "socks4", want: "GET /x"},
		{server: "socks", scheme: "socks4a", want: "GET /x"},
		{server: "socks", scheme: "socks5", want: "GET /x"},
		{server: "socks", scheme: "socks5h", want: "GET /x"},
		{server: "socks-auth", scheme: "socks4a", code: "97"},
		{server: "socks-auth", scheme: "socks5h", code: "97"},
		{server: "socks-auth", scheme: "socks5h", user: wrong, code: "97"},
		{server: "socks-auth", scheme: "socks5h", user: right, want: "GET /x"},
		{server: "http", scheme: "http", args: "--proxytunnel", want: `GET /x host=localhost`},
		{server: "http", scheme: "http", want: `GET /x host=localhost:` + port + ` via="1.1 tenon" proxy="" close=true`},
		{server: "http", scheme: "http", args: "--http1.0", want: `via="1.0 tenon"`},
		{server: "http", scheme: "http", args: "--data a=1", want: "POST /x host=localhost:" + port},
		{server: "http", scheme: "http", args: "--data a=1", want: "body=a=1"},
		{server: "http", scheme: "http", args: "--data a=1 -H Transfer-Encoding:chunked", want: "body=a=1"},
		{server: "http", scheme: "http", args: "--head -w %{http_code}", want: "200"},
		{server: "http-auth", scheme: "http", args: "-w %{http_code}", want: "407"},
		{server: "http-auth", scheme: "http", user: wrong, args: "-w %{http_code}", want: "407"},
		{server: "http-auth", scheme: "http", user: wrong, args: "--data a=1 -w %{http_code}", want: "407"},
		{server: "http-auth", scheme: "http", user: right, want: `proxy=""`},
		{server: "http-auth", scheme: "http", user: right, args: "--proxy-anyauth --data a=1", want: "body=a=1"},
		{server: "http-auth", scheme: "http", user: wrong, args: "--proxytunnel", code: "56"},
		{server: "http-auth", scheme: "http", user: right, args: "--proxytunnel", want: "GET /x"},
	} {
		args := []string{"-4", "-sS", "--noproxy", "", "--max-time", "9", "-x", c.scheme + "://" + addr[c.server]}
		if c.user != "" {
			args = append(args, "--proxy-user", c.user)
		}
		args = append(append(args, strings.Fields(c.args)...), "http://localhost:"+port+"/x")
		out, err := run(t, "", "curl", args...)
		if code := exitCode(err); code != c.code || !strings.Contains(out, c.want) {
			t.Errorf("%s %s user %q, %s: exit status %q, output %q; want status %q and %q", c.server, c.scheme, c.user, c.args, code, out, c.code, c.want)
		}
	}
}

func exitCode(err error) string {
	var exit interface{ ExitCode() int }
	switch {
	case err == nil:
		return ""
	case errors.As(err, &exit):
		return fmt.Sprint(exit.ExitCode())
	}
	return err.Error()
}

func TestOtherClients(t *testing.T) {
	// ncat and nc close when their input ends, before the answer: so the server
	// speaks first and the input is empty.
	greeter := startServer(t, func(c *net.TCPConn) {
		_, _ = io.WriteString(c, "welcome\n")
		_ = c.CloseWrite()
		_, _ = io.Copy(io.Discard, c)
	})
	host, port := splitHostPort(t, greeter)
	socks, socksAuth, open, auth := servers()
	s, sa := startProxy(t, &testProxy{layer: socks}), startProxy(t, &testProxy{layer: socksAuth})
	h, ha := startProxy(t, &testProxy{layer: open}), startProxy(t, &testProxy{layer: auth})
	_, sPort := splitHostPort(t, s)
	_, hPort := splitHostPort(t, h)
	_, haPort := splitHostPort(t, ha)
	for _, c := range []struct {
		line string
		ok   bool
	}{
		{"ncat --proxy " + s + " --proxy-type socks4 " + host + " " + port, true},
		{"ncat --proxy " + s + " --proxy-type socks5 " + host + " " + port, true},
		{"ncat --proxy " + s + " --proxy-type socks5 --proxy-dns remote localhost " + port, true},
		{"ncat --proxy " + sa + " --proxy-type socks5 --proxy-auth bob:s3cret " + host + " " + port, true},
		{"ncat --proxy " + sa + " --proxy-type socks5 --proxy-auth bob:x " + host + " " + port, false},
		{"ncat --proxy " + h + " --proxy-type http " + host + " " + port, true},
		{"ncat --proxy " + ha + " --proxy-type http --proxy-auth bob:s3cret " + host + " " + port, true},
		{"ncat --proxy " + ha + " --proxy-type http --proxy-auth bob:x " + host + " " + port, false},
		{"nc -N -X 4 -x " + s + " " + host + " " + port, true},
		{"nc -N -X 5 -x " + s + " " + host + " " + port, true},
		{"nc -N -X connect -x " + h + " " + host + " " + port, true},
		{"socat -t5 - SOCKS4:127.0.0.1:" + host + ":" + port + ",socksport=" + sPort, true},
		{"socat -t5 - SOCKS4A:127.0.0.1:localhost:" + port + ",socksport=" + sPort, true},
		{"socat -t5 - PROXY:127.0.0.1:" + host + ":" + port + ",proxyport=" + hPort, true},
		{"socat -t5 - PROXY:127.0.0.1:" + host + ":" + port + ",proxyport=" + haPort + ",proxyauth=bob:s3cret", true},
		{"socat -t5 - PROXY:127.0.0.1:" + host + ":" + port + ",proxyport=" + haPort + ",proxyauth=bob:x", false},
	} {
		args := strings.Fields(c.line)
		out, err := run(t, "", args[0], args[1:]...)
		if got := out == "welcome\n"; got != c.ok {
			t.Errorf("%s: output %q, error %v; want success %v", c.line, out, err, c.ok)
		}
	}
}

// ncat is a proxy for our clients.
func TestNcatAsProxy(t *testing.T) {
	echo := startEcho(t)
	for _, c := range []struct {
		auth string
		hop  string
		ok   bool
	}{
		{"", "http://", true},
		{"u:p", "http://u:p@", true},
		{"u:p", "http://u:x@", false},
		{"u:p", "http://", false},
	} {
		port := freeport.Get(t)
		args := []string{"-l", "-k", "127.0.0.1", port, "--proxy-type", "http"}
		if c.auth != "" {
			args = append(args, "--proxy-auth", c.auth)
		}
		addr := background(t, net.JoinHostPort("127.0.0.1", port), "ncat", args...)
		h, err := ParseVia(c.hop + addr)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := wrap(t, h.Layer(echo), dialTCP(t, addr))
		switch {
		case (err == nil) != c.ok:
			t.Errorf("ncat with %q, asked by %q: error %v", c.auth, c.hop, err)
		case err != nil && (!errors.Is(err, transport.ErrDenied) || transport.Hint(err) == ""):
			t.Errorf("error %v, hint %q", err, transport.Hint(err))
		case err == nil:
			// ncat's proxy does not pass a half-close on, so one line is enough.
			if _, err := io.WriteString(conn, "x"); err != nil {
				t.Error(err)
			}
		}
	}
}

// A chain of proxies, each with its own protocol, is one layer after another.
func TestChain(t *testing.T) {
	socks, socksAuth, open, auth := servers()
	var hops []Hop
	for _, c := range []struct {
		via   string
		layer transport.Layer
	}{
		{"socks4://", socks}, {"http://bob:s3cret@", auth}, {"socks5://bob:s3cret@", socksAuth}, {"http://", open}, {"socks4a://", socks},
	} {
		h, err := ParseVia(c.via + startProxy(t, &testProxy{layer: c.layer}))
		if err != nil {
			t.Fatal(err)
		}
		hops = append(hops, h)
	}
	conn := dialTCP(t, hops[0].Addr())
	echo := startEcho(t)
	for i, h := range hops {
		next := echo
		if i+1 < len(hops) {
			next = hops[i+1].Addr()
		}
		var err error
		if conn, err = wrap(t, h.Layer(next), conn); err != nil {
			t.Fatalf("hop %d, %s: %v", i, h, err)
		}
	}
	if _, ok := transport.As[*tcpConn](conn); !ok {
		t.Error("As does not find the socket through the chain")
	}
	if got := exchange(t, conn, "through five"); got != "THROUGH FIVE" {
		t.Errorf("got %q", got)
	}
	if got, want := conn.Info().Kind, "socks4a+proxy+socks5+proxy+socks4+tcp"; got != want {
		t.Errorf("Info().Kind is %q, want %q", got, want)
	}
}

// The errors of a target arrive as what they are.
func TestErrorsOfTheTarget(t *testing.T) {
	l := listen(t)
	closed := l.Addr().String()
	l.Close()
	for via, want := range map[string]string{
		"socks5://": "the proxy found the connection refused",
		"socks4://": "the proxy rejected the request or failed to connect",
		"http://":   "the proxy answers 502 Bad Gateway",
	} {
		layer := transport.Layer(new(SOCKSServer))
		if via == "http://" {
			layer = new(HTTPServer)
		}
		p := &testProxy{layer: layer}
		h, err := ParseVia(via + startProxy(t, p))
		if err != nil {
			t.Fatal(err)
		}
		_, err = wrap(t, h.Layer(closed), dialTCP(t, h.Addr()))
		if err == nil || err.Error() != want {
			t.Errorf("%s: got error %v, want %s", via, err, want)
		}
		if err := p.lastError(t, 1); err == nil {
			t.Error("the proxy saw no error")
		}
	}
}

// A second request in the same packet is not for the first one's server.
func TestPipelinedRequestStaysHere(t *testing.T) {
	got := make(chan string, 1)
	server := startServer(t, func(c *net.TCPConn) {
		data, _ := io.ReadAll(c)
		got <- string(data)
		_, _ = io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
	})
	c := dialTCP(t, startProxy(t, &testProxy{layer: new(HTTPServer)}))
	reply := exchange(t, c, "POST http://"+server+"/a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"+
		"GET http://192.0.2.1/secret HTTP/1.1\r\nHost: x\r\nCookie: secret\r\n\r\n")
	if !strings.HasPrefix(reply, "HTTP/1.1 204") {
		t.Errorf("reply %q", reply)
	}
	if data := <-got; !strings.HasSuffix(data, "\r\n\r\nbody") || strings.Contains(data, "secret") || strings.Contains(data, "Host: x") {
		t.Errorf("the server got %q", data)
	}
}

// Go's own client, which keeps connections, does without.
func TestNetHTTPThroughProxy(t *testing.T) {
	web := startWeb(t)
	_, _, _, auth := servers()
	p := &testProxy{layer: auth}
	addr := startProxy(t, p)
	r, err := http.NewRequest("PUT", "http://"+web+"/p?q", strings.NewReader("data"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Proxy-Authorization", basicAuth("bob", "s3cret"))
	conn := dialTCP(t, addr)
	if err := r.WriteProxy(conn); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if want := fmt.Sprintf(`PUT /p?q host=%s via="1.1 tenon" proxy="" close=true body=data`, web); string(body) != want || err != nil {
		t.Errorf("got %s, error %v, want %s", body, err, want)
	}
	if !resp.Close {
		t.Error("the answer leaves the connection open")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.peers) != 1 || p.peers[0] != "bob" {
		t.Errorf("Info().Peer was %q, want bob", p.peers)
	}
}
