package proxy

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/transporttest"
)

func kind(t testing.TB, name string) transport.Kind {
	t.Helper()
	k, ok := Kinds().Lookup(name)
	if !ok {
		t.Fatalf("no kind %s", name)
	}
	return k
}

// tcpPair returns two ends of a connection over the loopback.
func tcpPair(t testing.TB) (dialed, accepted transport.Stream) {
	t.Helper()
	l := listen(t)
	defer l.Close()
	a := dialTCP(t, l.Addr().String())
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return a, newTCPConn(b.(*net.TCPConn), "tcp-listen")
}

// meet opens a connection through a client and a server layer that sit at its two
// ends, without a target behind.
func meet(t testing.TB, client, server transport.Layer, a, b transport.Stream) (c, s transport.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	accepted := make(chan error)
	go func() {
		var err error
		if s, err = server.Wrap(ctx, b, transport.Accepted); err == nil {
			if caller, ok := s.(transport.Caller); ok {
				err = caller.Answer(s.LocalAddr(), nil)
			}
		}
		accepted <- err
	}()
	c, err := client.Wrap(ctx, a, transport.Dialed)
	if err = errors.Join(err, <-accepted); err != nil {
		t.Fatal(err)
	}
	return c, s
}

// servedPair opens a dialer of this package to a proxy whose connection is the
// other end.
func servedPair(t testing.TB, server transport.Layer, dialer func(host, port string) transport.Dialer) (a, b transport.Conn) {
	t.Helper()
	l := listen(t)
	defer l.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	accepted := make(chan error)
	go func() {
		c, err := l.Accept()
		if err == nil {
			b, err = server.Wrap(ctx, newTCPConn(c.(*net.TCPConn), "tcp-listen"), transport.Accepted)
		}
		if err == nil {
			err = b.(transport.Caller).Answer(b.LocalAddr(), nil)
		}
		accepted <- err
	}()
	a, err := dialer(splitHostPort(t, l.Addr().String())).Dial(ctx)
	if err = errors.Join(err, <-accepted); err != nil {
		t.Fatal(err)
	}
	return a, b
}

func socksDialer(v SOCKSVersion) func(host, port string) transport.Dialer {
	return func(host, port string) transport.Dialer {
		return &DialSOCKS{Version: v, Proxy: host, Port: port, Target: "127.0.0.1:9"}
	}
}

func TestConformance(t *testing.T) {
	for name, v := range map[string]SOCKSVersion{kindSOCKS4: SOCKSVersion4, kindSOCKS4a: SOCKSVersion4a, kindSOCKS5: SOCKSVersion5} {
		t.Run(name, func(t *testing.T) {
			h := transporttest.Harness{
				Kind: kind(t, name),
				Pair: func(t testing.TB) (a, b transport.Conn) {
					return servedPair(t, new(SOCKSServer), socksDialer(v))
				},
				Endpoint: func(t testing.TB) transport.Endpoint {
					host, port := splitHostPort(t, startProxy(t, &testProxy{layer: new(SOCKSServer)}))
					return &DialSOCKS{Version: v, Proxy: host, Port: port, Target: startEcho(t)}
				},
				Addresses: []string{name + ":p:h:80", name + ":[::1]:h:80", name + ":p:1081:h:80"},
				Bad: map[string]string{
					name + ":p:80":      "must be PROXY:HOST:PORT; a proxy alone goes into the option via= of another end",
					name + ":p:h:99999": "port 99999 is out of range: 0 to 65535",
				},
				Options: map[string]func(*testing.T){
					"socksuser": func(t *testing.T) { testSOCKSUser(t, name) },
					"socksport": func(t *testing.T) { testSOCKSPort(t, name) },
				},
			}
			if v == SOCKSVersion5 {
				h.Addresses = append(h.Addresses, "socks5:p:[2001:db8::1]:80,socksuser=u,sockspass=p")
				h.Options["sockspass"] = func(t *testing.T) { testSOCKSUser(t, name) }
			}
			transporttest.Run(t, h)
		})
	}
	t.Run("proxy", func(t *testing.T) {
		transporttest.Run(t, transporttest.Harness{
			Kind: kind(t, "proxy"),
			Pair: func(t testing.TB) (a, b transport.Conn) {
				return servedPair(t, new(HTTPServer), func(host, port string) transport.Dialer {
					return &DialHTTP{Proxy: host, Port: port, Connect: HTTPConnect{Target: "127.0.0.1:9"}}
				})
			},
			Endpoint: func(t testing.TB) transport.Endpoint {
				host, port := splitHostPort(t, startProxy(t, &testProxy{layer: new(HTTPServer)}))
				return &DialHTTP{Proxy: host, Port: port, Connect: HTTPConnect{Target: startEcho(t)}}
			},
			Addresses: []string{"proxy:p:h:80", "proxy:[::1]:[::2]:80,proxyport=3128,proxyauth=u:p"},
			Bad: map[string]string{
				"proxy:p:h:80,proxyauth=x":    "proxyauth: must be USER:PASSWORD, neither of them empty",
				"proxy:p:h:80,proxy-header=x": "proxy-header: must be a header such as 'X-Name: value'",
			},
			Options: map[string]func(*testing.T){
				"proxyport":     testProxyPort,
				"proxyauth":     testProxyAuth,
				"proxy-header":  testProxyHeader,
				"proxy-resolve": testProxyResolve,
			},
		})
	})
	t.Run("proxy-protocol", func(t *testing.T) {
		transporttest.Run(t, transporttest.Harness{
			Kind: kind(t, "proxy-protocol"),
			Pair: func(t testing.TB) (a, b transport.Conn) {
				x, y := tcpPair(t)
				c, s := meet(t, new(SendHeader), new(AcceptHeader), x, y)
				return s, c
			},
			Endpoint:  func(testing.TB) transport.Endpoint { return new(Header) },
			Layers:    func(testing.TB) (client, server transport.Layer) { return new(SendHeader), new(AcceptHeader) },
			Addresses: []string{"proxy-protocol+tcp:h:80,proxy-version=2"},
			Bad: map[string]string{
				"proxy-protocol+tcp:h:80,proxy-version=3": "proxy-version: must be a whole number from 1 to 2",
				"proxy-protocol+tcp:h:80,proxy-trust=x":   "proxy-trust: must be an address or a network such as 10.0.0.0/8 or fd00::/8",
			},
			Options: map[string]func(*testing.T){
				"proxy-version":  testHeaderVersion,
				"proxy-trust":    testHeaderTrust,
				"proxy-optional": testHeaderOptional,
			},
		})
	})
	servers := map[string]struct{ client, server transport.Layer }{
		kindSOCKSServer: {&SOCKS5{Target: "127.0.0.1:9"}, new(SOCKSServer)},
		kindHTTPServer:  {&HTTPConnect{Target: "127.0.0.1:9"}, new(HTTPServer)},
	}
	for name, l := range servers {
		t.Run(name, func(t *testing.T) {
			transporttest.Run(t, transporttest.Harness{
				Kind: kind(t, name),
				Pair: func(t testing.TB) (a, b transport.Conn) {
					x, y := tcpPair(t)
					c, s := meet(t, l.client, l.server, x, y)
					return s, c
				},
				Endpoint:  func(testing.TB) transport.Endpoint { return l.server },
				Layers:    func(testing.TB) (client, server transport.Layer) { return l.client, l.server },
				Addresses: []string{name + "+tcp-listen:1080,allow-target=*.example:443,deny-target=10.0.0.0/8"},
				Bad: map[string]string{
					name + "+tcp-listen:1080,proxy-user=x":        "a user name and a password for clients come together",
					name + "+tcp-listen:1080,allow-target=a b":    "allow-target: must be HOST, *.DOMAIN, an address or a network, with :PORT or :LOW-HIGH if not for every port",
					name + "+tcp-listen:1080,users=@/nonexistent": "open /nonexistent: no such file or directory",
				},
				Options: accessChecks(name),
			})
		})
	}
	for _, name := range []string{"socks5-listen", "http-proxy-listen"} {
		transporttest.Run(t, transporttest.Harness{Kind: kind(t, name), Addresses: []string{name + ":127.0.0.1:1080"}})
	}
}

// accessChecks has a check for each option of Access, with a client of the server's
// protocol.
func accessChecks(name string) map[string]func(*testing.T) {
	far := &net.TCPAddr{IP: net.IPv4(203, 0, 113, 9), Port: 4711}
	ask := func(t *testing.T, from net.Addr, hop string, options ...string) error {
		t.Helper()
		e := kind(t, name).New()
		bind(t, e, options...)
		p := &testProxy{layer: e.(transport.Layer), from: from}
		addr := startProxy(t, p)
		h, err := ParseVia(map[string]string{kindSOCKSServer: "socks5://", kindHTTPServer: "http://"}[name] + hop + addr)
		if err != nil {
			t.Fatal(err)
		}
		c, err := wrap(t, h.Layer(startEcho(t)), dialTCP(t, addr))
		if err == nil {
			if got := exchange(t, c, "hello"); got != "HELLO" {
				t.Errorf("got %q through the proxy", got)
			}
		}
		return err
	}
	wantDenied := func(t *testing.T, err error) {
		t.Helper()
		if !errors.Is(err, transport.ErrDenied) {
			t.Errorf("got error %v, want transport.ErrDenied", err)
		}
	}
	want := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	login := func(t *testing.T) {
		wantDenied(t, ask(t, nil, "", "proxy-user=u", "proxy-password=p"))
		wantDenied(t, ask(t, nil, "u:x@", "proxy-user=u", "proxy-password=p"))
		wantDenied(t, ask(t, nil, "x:p@", "proxy-user=u", "proxy-password=p"))
		want(t, ask(t, nil, "u:p@", "proxy-user=u", "proxy-password=p"))
	}
	return map[string]func(*testing.T){
		"proxy-user":     login,
		"proxy-password": login,
		"users": func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "users")
			if err := os.WriteFile(file, []byte("# who may\na:1\n\nb:2:3\r\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			want(t, ask(t, nil, "a:1@", "users=@"+file))
			want(t, ask(t, nil, "b:2%3A3@", "users="+file))
			wantDenied(t, ask(t, nil, "a:2@", "users=@"+file))
			wantDenied(t, ask(t, nil, "", "users=@"+file))
		},
		"allow-target": func(t *testing.T) {
			want(t, ask(t, nil, "", "allow-target=127.0.0.0/8:1-65535"))
			want(t, ask(t, far, "", "allow-target=127.0.0.1"))
			wantDenied(t, ask(t, nil, "", "allow-target=10.0.0.0/8"))
			wantDenied(t, ask(t, nil, "", "allow-target=localhost"))
		},
		"deny-target": func(t *testing.T) {
			wantDenied(t, ask(t, nil, "", "deny-target=127.0.0.1"))
			want(t, ask(t, nil, "", "deny-target=127.0.0.2"))
		},
		"allow-private": func(t *testing.T) {
			wantDenied(t, ask(t, far, ""))
			want(t, ask(t, far, "", "allow-private"))
		},
	}
}
