package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
	"github.com/tenon-net/tenon/transport/transporttest"
)

// other is the end that a header is about.
func other(source, dest net.Addr) transport.Conn {
	a, _ := mem.Pair()
	c := newConn("test", a, nil)
	c.remote, c.local = source, dest
	return c
}

func tcp(text string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(text)) }

// sentHeader returns what SendHeader sends.
func sentHeader(t testing.TB, l transport.Layer, about transport.Conn) string {
	t.Helper()
	a, b := mem.Pair()
	c, err := l.Wrap(transport.WithOther(context.Background(), about), a, transport.Dialed)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	data, err := io.ReadAll(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestSendHeader(t *testing.T) {
	v4 := other(tcp("192.0.2.1:1234"), tcp("198.51.100.2:80"))
	v6 := other(tcp("[2001:db8::1]:1234"), tcp("[2001:db8::2]:80"))
	for _, c := range []struct {
		version int
		about   transport.Conn
		want    string
	}{
		{0, v4, "PROXY TCP4 192.0.2.1 198.51.100.2 1234 80\r\n"},
		{1, v6, "PROXY TCP6 2001:db8::1 2001:db8::2 1234 80\r\n"},
		{1, nil, "PROXY UNKNOWN\r\n"},
		{1, other(transport.Addr{Net: "exec", Name: "cat"}, transport.Addr{Net: "exec", Name: "x"}), "PROXY UNKNOWN\r\n"},
		{2, v4, signature2 + "\x21\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x02\x04\xd2\x00\x50"},
		{2, nil, signature2 + "\x20\x00\x00\x00"},
	} {
		if got := sentHeader(t, &SendHeader{Version: c.version}, c.about); got != c.want {
			t.Errorf("version %d: got %q, want %q", c.version, got, c.want)
		}
	}
}

// Whatever the end is that a header is about, the header is one that haproxy and nginx
// read: addresses of TCP, both of one family, without zones; else UNKNOWN or LOCAL.
func TestSendHeaderForEveryPair(t *testing.T) {
	udp := func(text string) net.Addr { return net.UDPAddrFromAddrPort(netip.MustParseAddrPort(text)) }
	unix := func(name string) net.Addr { return &net.UnixAddr{Net: "unix", Name: name} }
	const unknown, local = "PROXY UNKNOWN\r\n", signature2 + "\x20\x00\x00\x00"
	for _, c := range []struct {
		source, dest net.Addr
		want         string // version 1
	}{
		{udp("192.0.2.1:1"), udp("192.0.2.2:2"), "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"},
		{udp("[2001:db8::1]:1"), udp("[2001:db8::2]:2"), "PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n"},
		{tcp("192.0.2.1:1"), udp("192.0.2.2:2"), "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"},
		{tcp("[::ffff:192.0.2.1]:1"), tcp("192.0.2.2:2"), "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"},
		{tcp("192.0.2.1:1"), tcp("[2001:db8::2]:2"), "PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 1 2\r\n"},
		{tcp("[2001:db8::1]:1"), tcp("192.0.2.2:2"), "PROXY TCP6 2001:db8::1 ::ffff:192.0.2.2 1 2\r\n"},
		{tcp("[fe80::1%eth0]:1"), tcp("[fe80::2%eth0]:2"), "PROXY TCP6 fe80::1 fe80::2 1 2\r\n"},
		{transport.Addr{Net: "tcp", Name: "192.0.2.1:1"}, tcp("192.0.2.2:2"), "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"},
		{transport.Addr{Net: "tcp", Name: "h.example:1"}, tcp("192.0.2.2:2"), unknown},
		{&net.TCPAddr{}, &net.TCPAddr{}, unknown},
		{unix(""), unix("/run/s"), unknown},
		{unix("@"), unix("/run/s"), unknown},
		{unix("/run/c"), unix("/run/s"), unknown},
		{unix("192.0.2.1:1"), unix("192.0.2.2:2"), unknown},
		{unix(""), tcp("192.0.2.2:2"), unknown},
		{tcp("192.0.2.1:1"), unix("/run/s"), unknown},
		{transport.Addr{Net: "vsock", Name: "vm(3):4"}, transport.Addr{Net: "vsock", Name: "host(2):1"}, unknown},
	} {
		about := other(c.source, c.dest)
		if got := sentHeader(t, &SendHeader{Version: 1}, about); got != c.want {
			t.Errorf("version 1 from %s to %s: got %q, want %q", c.source, c.dest, got, c.want)
		}
		got := sentHeader(t, &SendHeader{Version: 2}, about)
		if c.want == unknown {
			if got != local {
				t.Errorf("version 2 from %s to %s: got %q, want LOCAL", c.source, c.dest, got)
			}
			continue
		}
		one, err := parseHeader([]byte(c.want))
		two, err2 := parseHeader([]byte(got))
		if err != nil || err2 != nil || one.source.String() != two.source.String() || one.dest.String() != two.dest.String() {
			t.Errorf("version 2 from %s to %s: got %q, which reads as %v, errors %v, %v", c.source, c.dest, got, two, err, err2)
		} else if family := got[13]; family != 0x11 && family != 0x21 {
			t.Errorf("version 2 from %s to %s: family %#02x, want TCP", c.source, c.dest, family)
		}
	}
}

// accept has AcceptHeader read what text says, and returns the Conn and its rest.
func accept(t testing.TB, l transport.Layer, from net.Addr, text string) (transport.Conn, string, error) {
	t.Helper()
	a, b := mem.Pair()
	if _, err := io.WriteString(a, text); err != nil {
		t.Fatal(err)
	}
	if err := a.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	inner := newConn("test", b, nil)
	inner.remote = from
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := l.Wrap(ctx, inner, transport.Accepted)
	if err != nil {
		return nil, "", err
	}
	defer c.Close()
	rest, err := io.ReadAll(c.(transport.Stream))
	if err != nil {
		t.Fatal(err)
	}
	return c, string(rest), nil
}

func TestAcceptHeader(t *testing.T) {
	relay := tcp("127.0.0.1:999")
	for text, want := range map[string]string{ // to the addresses, or a part of the error
		"PROXY TCP4 192.0.2.1 198.51.100.2 1234 80\r\nrest":                                                           "192.0.2.1:1234 198.51.100.2:80",
		"PROXY TCP6 2001:db8::1 2001:db8::2 1234 80\r\nrest":                                                          "[2001:db8::1]:1234 [2001:db8::2]:80",
		"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:1.2.3.4 1 2\r\nrest":                                                      "192.0.2.1:1 1.2.3.4:2",
		"PROXY UNKNOWN\r\nrest":                                                                                       "127.0.0.1:999 pair",
		"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\nrest":                                                           "127.0.0.1:999 pair",
		signature2 + "\x20\x00\x00\x00rest":                                                                           "127.0.0.1:999 pair",
		signature2 + "\x21\x11\x00\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x00\x01\x00\x02rest":                           "1.2.3.4:1 5.6.7.8:2",
		signature2 + "\x21\x12\x00\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x00\x01\x00\x02rest":                           "1.2.3.4:1 5.6.7.8:2",
		signature2 + "\x21\x11\x00\x13\x01\x02\x03\x04\x05\x06\x07\x08\x00\x01\x00\x02\x02\x00\x04hostrest":           "1.2.3.4:1 5.6.7.8:2",
		signature2 + "\x21\x31\x00\xd8/a" + strings.Repeat("\x00", 106) + "/b" + strings.Repeat("\x00", 106) + "rest": "/a /b",
		signature2 + "\x21\x31\x00\xd8" + strings.Repeat("\x00", 108) + "/b" + strings.Repeat("\x00", 106) + "rest":   "127.0.0.1:999 pair",

		"GET / HTTP/1.1\r\n\r\n": "does not begin with",
		"":                       "does not begin with",
		"PROXY":                  "does not begin with",
		"PROXY TCP4 192.0.2.1":   "ended during",
		"PROXY TCP4 192.0.2.1 198.51.100.2 1234 80 x\r\n":                               "bad PROXY",
		"PROXY TCP4 192.0.2.999 198.51.100.2 1234 80\r\n":                               "bad PROXY",
		"PROXY TCP4 192.0.2.1 198.51.100.2 1234 80\n----\r\n":                           "bad PROXY",
		"PROXY TCP4 " + strings.Repeat("1", 200):                                        "does not end",
		signature2 + "\x21\x11\xff\xff":                                                 "has 65535 bytes",
		signature2 + "\x21\x11\x00\x0c\x01\x02\x03\x04":                                 "ended during",
		signature2 + "\x21\x13\x00\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x00\x01\x00\x02": "bad PROXY",
		signature2 + "\x31\x11\x00\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x00\x01\x00\x02": "bad PROXY",
	} {
		c, rest, err := accept(t, new(AcceptHeader), relay, text)
		if err != nil {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q: got error %q, want %q", text, err, want)
			}
			continue
		}
		if got := c.RemoteAddr().String() + " " + c.LocalAddr().String(); got != want || rest != "rest" {
			t.Errorf("%q: got addresses %q, want %q; then %q", text, got, want, rest)
		}
	}
}

// A byte that follows the header in the same packet stays in the socket, so that
// the kernel can move it.
func TestHeaderIsReadExactly(t *testing.T) {
	for _, version := range []int{1, 2} {
		a, b := tcpPair(t)
		msg, err := (&SendHeader{Version: version}).header(other(tcp("192.0.2.1:1"), tcp("192.0.2.2:2"))).Format()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Write(append(msg, "behind"...)); err != nil {
			t.Fatal(err)
		}
		c, err := new(AcceptHeader).Wrap(context.Background(), b, transport.Accepted)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		under, ok := transport.As[*tcpConn](c)
		if !ok {
			t.Fatal("As does not find the socket")
		}
		var buf [16]byte
		if n, err := under.Read(buf[:]); string(buf[:n]) != "behind" {
			t.Errorf("version %d: the socket has %q left, error %v", version, buf[:n], err)
		}
	}
}

func testHeaderVersion(t *testing.T) {
	l := new(Header)
	bind(t, l, "proxy-version=2")
	if got := sentHeader(t, l, nil); !strings.HasPrefix(got, signature2) {
		t.Errorf("sent %q", got)
	}
}

func testHeaderTrust(t *testing.T) {
	const text = "PROXY TCP4 192.0.2.1 198.51.100.2 1234 80\r\n"
	far := tcp("203.0.113.7:1")
	for options, peers := range map[string]map[net.Addr]bool{
		"":               {far: false, tcp("10.0.0.1:1"): true, tcp("[::1]:1"): true, transport.Addr{Net: "unix", Name: "@"}: true},
		"203.0.113.0/24": {far: true, tcp("10.0.0.1:1"): false, tcp("[::ffff:203.0.113.9]:1"): true, transport.Addr{Net: "unix", Name: "@"}: false},
	} {
		l := new(Header)
		if options != "" {
			bind(t, l, "proxy-trust="+options)
		}
		for peer, want := range peers {
			_, _, err := accept(t, l, peer, text)
			if got := err == nil; got != want || err != nil && !errors.Is(err, transport.ErrDenied) {
				t.Errorf("trust %q, peer %s: error %v, want accepted %v", options, peer, err, want)
			}
		}
	}
}

func testHeaderOptional(t *testing.T) {
	l := new(Header)
	bind(t, l, "proxy-optional")
	near, far := tcp("127.0.0.1:1"), tcp("203.0.113.7:1")
	for _, text := range []string{"", "P", "PROXY", "PROXYx", "GET / HTTP/1.1\r\n\r\n", "\r\n\r\n\x00\r\nQUIX"} {
		c, rest, err := accept(t, l, near, text)
		if err != nil || rest != text || c.RemoteAddr() != near {
			t.Errorf("%q: read %q, error %v", text, rest, err)
		}
	}
	text := "PROXY TCP4 192.0.2.1 198.51.100.2 1234 80\r\nx"
	if c, rest, err := accept(t, l, far, text); err != nil || rest != text || c.RemoteAddr() != far {
		t.Errorf("from a peer that is not trusted: read %q, error %v", rest, err)
	}
	if c, rest, err := accept(t, l, near, text); err != nil || rest != "x" || c.RemoteAddr().String() != "192.0.2.1:1234" {
		t.Errorf("with a header: read %q, error %v", rest, err)
	}
}

// What came too early can be given up once it has been read.
func TestGluedBytesAndDetach(t *testing.T) {
	a, b := tcpPair(t)
	if _, err := io.WriteString(a, "hello"); err != nil {
		t.Fatal(err)
	}
	c, err := (&AcceptHeader{Optional: true}).Wrap(context.Background(), b, transport.Accepted)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	d, ok := transport.As[transport.Detacher](c)
	if !ok {
		t.Fatal("no Detacher")
	}
	if _, err := d.Detach(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Detach with bytes left: error %v, want errors.ErrUnsupported", err)
	}
	if _, ok := transport.As[*tcpConn](c); ok {
		t.Error("As finds the socket behind bytes that were read from it")
	}
	var buf [5]byte
	s := c.(transport.Stream)
	_ = s.SetDeadline(time.Now().Add(patience))
	if _, err := io.ReadFull(s, buf[:]); err != nil || string(buf[:]) != "hello" {
		t.Fatalf("read %q, error %v", buf, err)
	}
	fd, err := d.Detach()
	if err != nil {
		t.Fatalf("Detach afterwards: %v", err)
	}
	closeDescriptor(t, fd)
}

// An option of the other side would have no effect, and is refused.
func TestOptionsOfTheOtherSide(t *testing.T) {
	for _, c := range []struct {
		end  transport.Endpoint
		opt  string
		side transport.Side
		ok   bool
	}{
		{new(Header), "proxy-version=2", transport.Dialed, true},
		{new(Header), "proxy-version=2", transport.Accepted, false},
		{new(Header), "proxy-trust=10.0.0.0/8", transport.Accepted, true},
		{new(Header), "proxy-trust=10.0.0.0/8", transport.Dialed, false},
		{new(Header), "proxy-optional", transport.Accepted, true},
		{new(Header), "proxy-optional", transport.Dialed, false},
		{new(SOCKSServer), "allow-private", transport.Dialed, false},
		{new(HTTPServer), "allow-private", transport.Dialed, false},
		{new(HTTPServer), "allow-private", transport.Accepted, true},
	} {
		bind(t, c.end, c.opt)
		if err := c.end.(interface{ ValidateSide(transport.Side) error }).ValidateSide(c.side); (err == nil) != c.ok || err != nil && !errors.Is(err, transport.ErrUsage) {
			t.Errorf("%T, %s, side %d: %v", c.end, c.opt, c.side, err)
		}
		if c.ok {
			continue
		}
		a, _ := mem.Pair()
		if _, err := c.end.(transport.Layer).Wrap(t.Context(), a, c.side); !errors.Is(err, transport.ErrUsage) {
			t.Errorf("%T, %s, side %d: Wrap: error %v", c.end, c.opt, c.side, err)
		}
		if _, err := a.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%T, %s: Wrap failed and left the end beneath open: %v", c.end, c.opt, err)
		}
	}
	if _, err := transporttest.Fill(kind(t, kindSOCKS5), "socks5:p:1081:h:80,socksport=1082"); err == nil {
		t.Error("two ports for one proxy are taken")
	}
}
