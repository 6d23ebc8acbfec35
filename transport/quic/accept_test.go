package quic

import (
	"crypto/tls"
	"io"
	"net"
	"strconv"
	"testing"

	quicgo "github.com/quic-go/quic-go"

	"github.com/tenon-net/tenon/internal/tlsconf/tlstest"
	"github.com/tenon-net/tenon/transport"
)

// Clients that end their handshake and never open a stream keep nobody out: the one that has
// waited longest goes.
func TestStreamlessClientsMakeRoom(t *testing.T) {
	const many = 8
	ca := tlstest.New(t)
	l := &Listen{TLS: TLS{Cert: ca.Issue(t, "localhost")}, Host: "127.0.0.1", Port: "0", pending: many / 2}
	l.Drain = -1
	a, err := l.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	d := &Dial{TLS: TLS{CA: ca.File}, Host: "localhost", Port: strconv.Itoa(a.Addr().(*net.UDPAddr).Port)}
	d.Drain = -1
	from, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	idle := &quicgo.Transport{Conn: from}
	defer from.Close()
	defer idle.Close()
	var first *quicgo.Conn
	for range many {
		c, err := idle.Dial(t.Context(), a.Addr(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{Protocol}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = c
		}
	}
	c, err := d.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.(transport.Stream).Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	s, err := a.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got := make([]byte, 5)
	if _, err := io.ReadFull(s.(transport.Stream), got); err != nil || string(got) != "hello" {
		t.Errorf("%q, %v", got, err)
	}
	<-first.Context().Done()
}
