package proxy

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
	"github.com/tenon-net/tenon/transport/transporttest"
)

// script returns a Stream that reads a text, at once or byte by byte, and takes
// whatever is written.
func script(text string, bytewise bool) transport.Stream {
	a, _ := mem.Pair()
	var r io.Reader = strings.NewReader(text)
	if bytewise {
		r = iotest.OneByteReader(r)
	}
	return &transport.Filter{Stream: a, R: r, W: io.Discard}
}

// fuzzWrap has l read text, all at once and byte by byte. Both must come to the
// same end, and the Conn must read what is left, to the last byte.
func fuzzWrap(t *testing.T, l transport.Layer, side transport.Side, text string) (c transport.Conn, rest string, err error) {
	t.Helper()
	c, err = l.Wrap(context.Background(), script(text, false), side)
	byByte, err2 := l.Wrap(context.Background(), script(text, true), side)
	if (err == nil) != (err2 == nil) {
		t.Fatalf("at once: error %v; byte by byte: error %v", err, err2)
	}
	if err != nil {
		if errors.Is(err, io.EOF) {
			t.Fatalf("error %v is a clean end", err)
		}
		return nil, "", err
	}
	one, oneErr := io.ReadAll(c.(transport.Stream))
	two, twoErr := io.ReadAll(byByte.(transport.Stream))
	if !bytes.Equal(one, two) || (oneErr == nil) != (twoErr == nil) {
		t.Fatalf("at once %q, error %v; byte by byte %q, error %v", one, oneErr, two, twoErr)
	}
	return c, string(one), oneErr
}

func fuzzClient(f *testing.F, l transport.Layer, seeds ...string) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, rest, err := fuzzWrap(t, l, transport.Dialed, text)
		if err == nil && !strings.HasSuffix(text, rest) {
			t.Fatalf("%q has no end %q", text, rest)
		}
	})
}

func FuzzSOCKS5Reply(f *testing.F) {
	fuzzClient(f, &SOCKS5{Target: "h:1", User: "u", Password: opt.Plain("p")},
		"\x05\x00\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50rest", "\x05\x02\x01\x00\x05\x00\x00\x03\x01a\x00\x50", "\x05\x02\x01\x01", "\x05\xff",
		"\x05\x00\x05\x00\x00\x04"+strings.Repeat("\x00", 18), "\x05\x00\x05\x05")
}

func FuzzSOCKS4Reply(f *testing.F) {
	fuzzClient(f, &SOCKS4{Target: "h:1", Remote: true}, "\x00\x5a\x00\x50\x7f\x00\x00\x01rest", "\x00\x5b\x00\x00\x00\x00\x00\x00", "HTTP")
}

func FuzzConnectReply(f *testing.F) {
	fuzzClient(f, &HTTPConnect{Target: "h:1"}, "HTTP/1.1 200 OK\r\n\r\nrest", "HTTP/1.1 100 x\r\n\r\nHTTP/1.0 200\n\n", "HTTP/1.1 407 x\r\nProxy-Authenticate: Basic\r\n\r\n")
}

func FuzzSOCKSRequest(f *testing.F) {
	for _, s := range []string{
		"\x05\x01\x00\x05\x01\x00\x01\x01\x01\x01\x01\x00\x50rest", "\x05\x02\x00\x02\x01\x01u\x01p\x05\x01\x00\x03\x05h.tld\x00\x50",
		"\x04\x01\x00\x50\x01\x01\x01\x01user\x00", "\x04\x01\x00\x50\x00\x00\x00\x01\x00h.tld\x00", "\x05\x01\x00\x05\x01\x00\x04" + strings.Repeat("\x20", 18),
	} {
		f.Add(s, false)
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, text string, auth bool) {
		l := new(SOCKSServer)
		if auth {
			l.User, l.Password = "u", opt.Plain("p")
		}
		c, rest, err := fuzzWrap(t, l, transport.Accepted, text)
		if err != nil {
			return
		}
		if !strings.HasSuffix(text, rest) || auth != (c.Info().Peer == "u") {
			t.Fatalf("%q: rest %q, peer %q", text, rest, c.Info().Peer)
		}
		checkTarget(t, c)
	})
}

// checkTarget checks that whoever reads the Target gets no surprise.
func checkTarget(t *testing.T, c transport.Conn) {
	t.Helper()
	text := c.(transport.Caller).Target()
	to, err := parseTarget(text)
	if err != nil || to.String() != text || strings.ContainsAny(text, " \r\n\x00/@%") {
		t.Fatalf("target %q: %v", text, err)
	}
	if to.addr.IsValid() && isPrivate(to.addr) {
		t.Fatalf("target %q is private", text)
	}
	if c.(transport.Caller).Permit(netip.MustParseAddrPort("127.0.0.1:80")) == nil {
		t.Fatal("the loopback is permitted")
	}
}

func FuzzRequest(f *testing.F) {
	for _, s := range []string{
		"CONNECT h.tld:443 HTTP/1.1\r\nHost: h\r\n\r\nrest",
		"GET http://h.tld/x?y HTTP/1.1\r\nHost: h\r\nConnection: a\r\nA: b\r\n\r\nGET",
		"POST http://h.tld HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET",
		"POST http://h.tld HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\nGET",
		"GET http://[2606:4700::1]:8080/ HTTP/1.0\r\n\r\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, rest, err := fuzzWrap(t, new(HTTPServer), transport.Accepted, text)
		if c == nil {
			return
		}
		checkTarget(t, c)
		if strings.HasPrefix(text, "CONNECT ") {
			if !strings.HasSuffix(text, rest) {
				t.Fatalf("%q has no end %q", text, rest)
			}
			return
		}
		checkForwarded(t, c, rest, err == nil)
	})
}

// checkForwarded checks that what is sent on is one request to the target for
// another implementation too, with the same body.
func checkForwarded(t *testing.T, c transport.Conn, sent string, whole bool) {
	t.Helper()
	src := bufio.NewReader(strings.NewReader(sent))
	r, err := http.ReadRequest(src)
	if err != nil {
		t.Fatalf("%q: %v", sent, err)
	}
	to := c.(transport.Caller).Target()
	if r.Host != strings.TrimSuffix(to, ":80") && r.Host != to || !r.Close {
		t.Fatalf("%q: host %q, close %v, want host %s", sent, r.Host, r.Close, to)
	}
	if r.Header.Get("Proxy-Authorization") != "" {
		t.Fatalf("%q gives the password away", sent)
	}
	if !whole {
		return
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		// net/http is stricter than RFC 9112 about what is in a trailer.
		if len(r.TransferEncoding) == 0 {
			t.Fatalf("%q: body: %v", sent, err)
		}
		return
	}
	if rest, _ := io.ReadAll(src); len(rest) > 0 {
		t.Fatalf("%q: %q follows the request", sent, rest)
	}
}

func FuzzChunks(f *testing.F) {
	for _, s := range []string{"3\r\nabc\r\n0\r\n\r\n", "a;x=\"y\"\r\n0123456789\r\n0\r\nA: b\r\n\r\nrest", "0\r\n\r\n", "1\r\na\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var whole, single chunks
		n, done, err := whole.scan([]byte(text))
		if n > len(text) || done && err != nil {
			t.Fatalf("%d of %d bytes, done %v, error %v", n, len(text), done, err)
		}
		for i := range n {
			k, d, err := single.scan([]byte(text[i : i+1]))
			if k != 1 || err != nil || d != (done && i == n-1) {
				t.Fatalf("byte %d alone: %d, done %v, error %v", i, k, d, err)
			}
		}
	})
}

func FuzzHeader(f *testing.F) {
	for _, s := range []string{
		"PROXY TCP4 192.0.2.1 198.51.100.2 1234 80\r\nrest", "PROXY UNKNOWN\r\n", "PROXY TCP6 ::1 ::2 1 2\r\n", "GET / HTTP/1.1\r\n",
		signature2 + "\x21\x11\x00\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x00\x01\x00\x02rest", signature2 + "\x20\x00\x00\x00", signature2 + "\x21\x21\x00\x24" + strings.Repeat("x", 36),
	} {
		f.Add(s, false)
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, text string, optional bool) {
		c, rest, err := fuzzWrap(t, &AcceptHeader{Optional: optional}, transport.Accepted, text)
		if err != nil {
			return
		}
		if !strings.HasSuffix(text, rest) || c.RemoteAddr() == nil || c.LocalAddr() == nil {
			t.Fatalf("%q: rest %q, addresses %v, %v", text, rest, c.RemoteAddr(), c.LocalAddr())
		}
		_, _ = c.RemoteAddr().String(), c.LocalAddr().String()
	})
}

func FuzzParseVia(f *testing.F) {
	for _, s := range []string{"socks5://u:p@h:1080", "socks4a://[::1]:1", "https://h", "http://u:pass:x@h/", "socks5h://%41:%42@h", "socks5://%700%70 0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, ":@") {
			return // it would open files
		}
		h, err := ParseVia(text)
		if err != nil {
			if !errors.Is(err, transport.ErrUsage) {
				t.Fatalf("%q: error %v", text, err)
			}
			return
		}
		if h.Host == "" || h.Port == "" || h.Layer("h:1") == nil {
			t.Fatalf("%q: %+v", text, h)
		}
		h.User, h.Password = "", opt.Secret{}
		if again, err := ParseVia(h.String()); err != nil || again != h {
			t.Fatalf("%q: %+v prints as %s, which is %+v, error %v", text, h, h, again, err)
		}
	})
}

func FuzzPattern(f *testing.F) {
	for _, s := range []string{"*.example.org:443", "10.0.0.0/8:1-1024", "[2001:db8::/32]:80", ":25", "*", "::ffff:10.0.0.0/104", "h", "0.0.0.0.", "000.."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var p, again Pattern
		if p.UnmarshalText([]byte(text)) != nil {
			return
		}
		if err := again.UnmarshalText([]byte(p.String())); err != nil || again != p {
			t.Fatalf("%q prints as %s, which is %v, error %v", text, p, again, err)
		}
	})
}

func FuzzBind(f *testing.F) {
	f.Add("proxy:p:h:80,proxyauth=u:p")
	f.Add("socks5:[::1]:1080:[::2]:80,socksuser=u")
	f.Add("http-proxy-server+tcp-listen:1,allow-target=*:1,users=@x")
	f.Add("proxy-protocol+tcp:h:1,proxy-trust=10.0.0.0/8")
	f.Fuzz(func(t *testing.T, text string) {
		for _, k := range Kinds() {
			if k.New != nil && !strings.Contains(text, "@") {
				_, _ = transporttest.Fill(k, text)
			}
		}
	})
}
