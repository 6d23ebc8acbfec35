package node_test

import (
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/internal/node"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/join"
	"github.com/tenon-net/tenon/transport"
)

// benchNodes returns two nodes over libp2p on loopback, of which alice serves address.
func benchNodes(b testing.TB, address string) (alice, bob *node.Node) {
	b.Helper()
	make := func(name string) *node.Node {
		n, err := node.New(b.Context(), node.Config{Dir: b.TempDir() + "/state", Name: name, Network: node.Connect, Flags: node.Settings{Network: node.Network{
			Listen: []string{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"}, Discovery: []string{"none"}}}})
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

func target(b testing.TB, serve func(net.Conn)) string {
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

// BenchmarkDatagram sends 200 bytes there and back in turn: by UDP itself, through a service
// that is UDP, and through one of messages none of which may be lost.
func BenchmarkDatagram(b *testing.B) {
	u, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { u.Close() })
	go func() {
		p := make([]byte, 2000)
		for {
			n, from, err := u.ReadFrom(p)
			if err != nil {
				return
			}
			u.WriteTo(p[:n], from)
		}
	}()
	alice, bob := benchNodes(b, "udp:"+u.LocalAddr().String())
	acc, err := alice.Offer(b.Context(), api.OfferRequest{Service: "lane", To: []string{bob.ID().String()}, Carries: api.Messages})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { acc.Close() })
	go func() {
		o := &tenon.Opener{NoJoints: true}
		o.Serve(b.Context(), acc, "udp:"+u.LocalAddr().String(), join.Options{})
	}()
	p, got := make([]byte, 200), make([]byte, 2000)
	plain, err := net.Dial("udp", u.LocalAddr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer plain.Close()
	ways := map[string]func(){"udp": func() {
		plain.Write(p)
		if _, err := plain.Read(got); err != nil {
			b.Fatal(err)
		}
	}}
	for name, to := range map[string]string{"datagram": "alice/x", "lane": "alice/lane"} {
		c, err := bob.Dial(b.Context(), api.DialRequest{To: to})
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(10 * time.Minute))
		m := c.(transport.MsgConn)
		ways[name] = func() {
			m.WriteMsg(p, transport.Meta{})
			if _, _, err := m.ReadMsg(got); err != nil {
				b.Fatal(err)
			}
		}
		ways[name]()
	}
	for both, trips := 0, 0; both < 2; trips++ {
		if trips > 100_000 {
			b.Fatal("there are no datagrams")
		}
		ways["datagram"]()
		both = 0
		for _, j := range append(alice.Joints(), bob.Joints()...) {
			if j.Datagrams {
				both++
			}
		}
	}
	took := map[string][]time.Duration{}
	for b.Loop() {
		for name, trip := range ways {
			began := time.Now()
			trip()
			took[name] = append(took[name], time.Since(began))
		}
	}
	for name, all := range took {
		slices.Sort(all)
		b.ReportMetric(float64(all[len(all)/2].Nanoseconds())/1e3, name+"-p50-µs")
		b.ReportMetric(float64(all[len(all)*99/100].Nanoseconds())/1e3, name+"-p99-µs")
	}
}
