package node_test

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/node"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/transport"
)

// benchNodes returns two nodes over libp2p on loopback, of which alice serves address.
func benchNodes(b *testing.B, address string) (alice, bob *node.Node) {
	b.Helper()
	make := func(name string) *node.Node {
		n, err := node.New(b.Context(), node.Config{Dir: b.TempDir() + "/state", Name: name, Network: node.Connect, Flags: node.Settings{Network: node.Network{
			Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Discovery: []string{"none"}}}})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { n.Close() })
		return n
	}
	alice, bob = make("alice"), make("bob")
	if _, err := alice.Serve(b.Context(), api.ServeRequest{Name: "x", Address: address, Anyone: true}); err != nil {
		b.Fatal(err)
	}
	t, err := alice.MakeTicket(b.Context(), api.TicketRequest{Service: "x"})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := bob.AddTicket(b.Context(), t.Text, "alice"); err != nil {
		b.Fatal(err)
	}
	if _, err := alice.Grant(b.Context(), api.GrantRequest{Service: "x", To: []string{bob.ID().String()}}); err != nil {
		b.Fatal(err)
	}
	return alice, bob
}

func target(b *testing.B, serve func(net.Conn)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return "tcp:" + l.Addr().String()
}

// BenchmarkThroughput writes to a service that throws away what comes.
func BenchmarkThroughput(b *testing.B) {
	done := make(chan int64, 1)
	_, bob := benchNodes(b, target(b, func(c net.Conn) {
		n, _ := io.Copy(io.Discard, c)
		c.Close()
		done <- n
	}))
	c, err := bob.Dial(b.Context(), api.DialRequest{To: "alice/x"})
	if err != nil {
		b.Fatal(err)
	}
	s := c.(transport.Stream)
	p := make([]byte, 64<<10)
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		if _, err := s.Write(p); err != nil {
			b.Fatal(err)
		}
	}
	s.CloseWrite()
	<-done
	s.Close()
}

// BenchmarkOpen opens a service, has one byte come back, and closes it.
func BenchmarkOpen(b *testing.B) {
	_, bob := benchNodes(b, target(b, func(c net.Conn) {
		io.Copy(c, c)
		c.Close()
	}))
	p := make([]byte, 1)
	for b.Loop() {
		c, err := bob.Dial(b.Context(), api.DialRequest{To: "alice/x"})
		if err != nil {
			b.Fatal(err)
		}
		s := c.(transport.Stream)
		s.Write(p)
		if _, err := io.ReadFull(s, p); err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}

// BenchmarkRoundTrip sends 64 bytes there and back.
func BenchmarkRoundTrip(b *testing.B) {
	_, bob := benchNodes(b, target(b, func(c net.Conn) {
		io.Copy(c, c)
		c.Close()
	}))
	c, err := bob.Dial(b.Context(), api.DialRequest{To: "alice/x"})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	s := c.(transport.Stream)
	p := make([]byte, 64)
	s.SetDeadline(time.Now().Add(time.Minute))
	for b.Loop() {
		s.Write(p)
		if _, err := io.ReadFull(s, p); err != nil {
			b.Fatal(err)
		}
	}
}
