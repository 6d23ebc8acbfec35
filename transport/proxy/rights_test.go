package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
)

// from is a connection that came from peer and carries text.
func from(t testing.TB, peer, local net.Addr, text string) *conn {
	t.Helper()
	a, b := mem.Pair()
	if _, err := io.WriteString(a, text); err != nil {
		t.Fatal(err)
	}
	_ = a.CloseWrite()
	t.Cleanup(func() { a.Close(); b.Close() })
	c := newConn("test", b, nil)
	c.remote, c.local = peer, local
	return c
}

// A client is on this machine if its socket says so. What a PROXY protocol header
// announces can take that away and cannot give it: a stranger who said that he came
// from 127.0.0.1 reached the loopback interface of a proxy with accept-proxy.
func TestAnnouncedAddressGivesNoRights(t *testing.T) {
	v1 := func(source string) string { return "PROXY TCP4 " + source + " 127.0.0.1 1 2\r\n" }
	const (
		v2    = signature2 + "\x21\x11\x00\x0c\x7f\x00\x00\x01\x7f\x00\x00\x01\x00\x01\x00\x02"
		v2in6 = signature2 + "\x21\x21\x00\x24" + "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x7f\x00\x00\x01" +
			"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x7f\x00\x00\x01" + "\x00\x01\x00\x02"
		local = signature2 + "\x20\x00\x00\x00"
	)
	unix := signature2 + "\x21\x31\x00\xd8/a" + strings.Repeat("\x00", 106) + "/b" + strings.Repeat("\x00", 106)
	near, far := tcp("127.0.0.1:9"), tcp("10.99.0.2:9")
	for _, c := range []struct {
		peer   net.Addr
		header string
		want   bool
	}{
		{far, v1("127.0.0.1"), false},
		{far, "PROXY TCP6 ::1 ::1 1 2\r\n", false},
		{far, "PROXY UNKNOWN\r\n", false},
		{far, v2, false},
		{far, v2in6, false},
		{far, unix, false},
		{far, local, false},
		{near, v1("127.0.0.1"), true},
		{near, v1("10.99.0.2"), false},
		{near, local, true},
		{near, unix, true},
	} {
		for request, server := range map[string]transport.Layer{
			"\x05\x01\x00\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50":      new(SOCKSServer),
			"\x04\x01\x00\x50\x7f\x00\x00\x01\x00":                      new(SOCKSServer),
			"CONNECT 127.0.0.1:80 HTTP/1.1\r\nHost: x\r\n\r\n":          new(HTTPServer),
			"GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n": new(HTTPServer),
		} {
			relayed, err := new(AcceptHeader).Wrap(t.Context(), from(t, c.peer, tcp("127.0.0.1:80"), c.header+request), transport.Accepted)
			if err != nil {
				t.Fatal(err)
			}
			if got := transport.PeerAddr(relayed); got != c.peer {
				t.Errorf("from %s, %.20q: PeerAddr is %s", c.peer, c.header, got)
			}
			client, err := server.Wrap(t.Context(), relayed, transport.Accepted)
			if (err == nil) != c.want || err != nil && !errors.Is(err, transport.ErrDenied) {
				t.Errorf("from %s, %.40q, then %.20q: error %v, want allowed %v", c.peer, c.header, request, err, c.want)
			}
			if err == nil && transport.PeerAddr(client) != c.peer {
				t.Errorf("%.20q: the server layer loses the address of the socket", request)
			}
		}
	}
}

// Whose header is believed is a question of rights, too.
func TestSecondHeaderIsTrustedByTheSocket(t *testing.T) {
	c := from(t, tcp("203.0.113.7:1"), tcp("203.0.113.8:2"), "PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\nPROXY TCP4 127.0.0.1 127.0.0.1 3 4\r\n")
	first := new(AcceptHeader)
	if err := first.Trust.UnmarshalText([]byte("203.0.113.0/24")); err != nil {
		t.Fatal(err)
	}
	outer, err := first.Wrap(t.Context(), c, transport.Accepted)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = new(AcceptHeader).Wrap(t.Context(), outer, transport.Accepted); !errors.Is(err, transport.ErrDenied) {
		t.Errorf("error %v, want transport.ErrDenied", err)
	}
}

// Every layer hands on what the socket beneath is, also the ones that show another
// address for the other side.
func TestLayersKeepTheSocket(t *testing.T) {
	socket := tcp("10.99.0.9:9")
	for _, c := range []struct {
		layer transport.Layer
		side  transport.Side
		text  string
	}{
		{new(SendHeader), transport.Dialed, ""},
		{&SOCKS5{Target: "h:1"}, transport.Dialed, "\x05\x00\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50"},
		{&SOCKS4{Target: "h:1", Remote: true}, transport.Dialed, "\x00\x5a\x00\x50\x7f\x00\x00\x01"},
		{&HTTPConnect{Target: "h:1"}, transport.Dialed, "HTTP/1.1 200 OK\r\n\r\nearly"},
		{&AcceptHeader{Optional: true}, transport.Accepted, "early"},
		{&AcceptHeader{}, transport.Accepted, "PROXY UNKNOWN\r\n"},
		{&AcceptHeader{}, transport.Accepted, "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"},
		{new(SOCKSServer), transport.Accepted, "\x04\x01\x00\x50\x01\x01\x01\x01\x00"},
		{new(HTTPServer), transport.Accepted, "CONNECT 1.1.1.1:80 HTTP/1.1\r\nHost: x\r\n\r\nearly"},
		{new(HTTPServer), transport.Accepted, "GET http://1.1.1.1/ HTTP/1.1\r\nHost: x\r\n\r\n"},
	} {
		announced := from(t, tcp("127.0.0.1:1"), tcp("127.0.0.1:2"), c.text)
		announced.info.Socket = socket
		plain := from(t, tcp("127.0.0.1:1"), tcp("127.0.0.1:2"), c.text)
		for inner, want := range map[*conn]net.Addr{announced: socket, plain: plain.remote} {
			got, err := c.layer.Wrap(context.Background(), inner, c.side)
			if err != nil {
				t.Errorf("%T: %v", c.layer, err)
				continue
			}
			if transport.PeerAddr(got) != want {
				t.Errorf("%T, %.20q: PeerAddr is %s, want %s", c.layer, c.text, transport.PeerAddr(got), want)
			}
		}
	}
}
