//go:build linux

package inet_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/internal/freeport"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/inet"
	"github.com/tenon-net/tenon/transport/transporttest"
)

func udpKind(t testing.TB, name string) transport.Kind {
	k, ok := inet.Kinds().Lookup(name)
	if !ok {
		t.Fatalf("no kind %s", name)
	}
	return k
}

// udpOpen fills an endpoint from an address and opens it.
func udpOpen(t testing.TB, text string) transport.Conn {
	t.Helper()
	name, _, _ := strings.Cut(text, ":")
	e, err := transporttest.Fill(udpKind(t, name), text)
	if err != nil {
		t.Fatal(err)
	}
	c, err := e.(transport.Dialer).Dial(context.Background())
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func udpListen(t testing.TB, text string) transport.Acceptor {
	t.Helper()
	e, err := transporttest.Fill(udpKind(t, "udp-listen"), text)
	if err != nil {
		t.Fatal(err)
	}
	a, err := e.(transport.Listener).Listen(context.Background())
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

func udpSend(t testing.TB, c transport.Conn, p string) {
	t.Helper()
	if err := c.(transport.MsgConn).WriteMsg([]byte(p), transport.Meta{}); err != nil {
		t.Fatalf("write: %v", err)
	}
}

func udpReceive(t testing.TB, c transport.Conn, want string) transport.Meta {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	defer c.SetReadDeadline(time.Time{})
	p := make([]byte, inet.MaxUDP)
	n, m, err := c.(transport.MsgConn).ReadMsg(p)
	if err != nil || string(p[:n]) != want {
		t.Fatalf("read %.40q, error %v; want %.40q", p[:n], err, want)
	}
	return m
}

// udpSession opens a client and the session that its first datagram makes.
func udpSession(t testing.TB, a transport.Acceptor, client transport.Conn) transport.Conn {
	t.Helper()
	udpSend(t, client, "hello")
	s, err := a.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	udpReceive(t, s, "hello")
	return s
}

func udpPair(t testing.TB) (client, session transport.Conn) {
	a := udpListen(t, "udp-listen:0")
	c := udpOpen(t, "udp:"+a.Addr().String())
	return c, udpSession(t, a, c)
}

func TestUDPConformance(t *testing.T) {
	for name, h := range map[string]transporttest.Harness{
		"udp": {
			Pair: func(t testing.TB) (transport.Conn, transport.Conn) { return udpPair(t) },
			Endpoint: func(t testing.TB) transport.Endpoint {
				return &inet.UDP{Addr: udpListen(t, "udp-listen:0").Addr().String()}
			},
			Addresses: []string{"udp:localhost:53", "udp://[::1]:53", "udp-connect:h:domain,bind=127.0.0.1,sp=53"},
			Bad: map[string]string{"udp::53": "there is no host to send to", "udp:h": "there is no port after the host",
				"udp:h:1,bind=::1:x": "bind: must be [HOST][:PORT], as in 10.0.0.1, [::1]:5000 or :5000; an IPv6 address is written in brackets: [::1]:x"},
			Options: udpSocketOptions("udp:127.0.0.1:9", map[string]func(*testing.T){
				"bind": func(t *testing.T) { wantLocal(t, "udp:127.0.0.1:9,bind=127.0.0.2", "127.0.0.2:") },
				"sourceport": func(t *testing.T) {
					p := freeport.Get(t)
					wantLocal(t, fmt.Sprintf("udp:127.0.0.1:9,sourceport=%s", p), fmt.Sprintf(":%s", p))
				},
				"reuseaddr": func(t *testing.T) { wantSockopt(t, "udp:127.0.0.1:9,reuseaddr", unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) },
			}),
		},
		"udp-listen": {
			Pair:      func(t testing.TB) (transport.Conn, transport.Conn) { c, s := udpPair(t); return s, c },
			Endpoint:  func(t testing.TB) transport.Endpoint { return &inet.UDPListen{UDPLocal: inet.UDPLocal{Addr: ":0"}} },
			Addresses: []string{"udp-listen:5353", "udp-listen:*:5353", "udp-l:[::1]:5353,session-idle=never"},
			Bad:       map[string]string{"udp-listen:": "there is no port to listen on", "udp-listen:1,sessions=0": "sessions: must be a whole number from 1 to 1048576"},
			Options:   udpListenOptions(),
			Ending: func(t testing.TB) (transport.Conn, transport.Conn) { // a session ends when it runs out
				a := udpListen(t, "udp-listen:0,session-idle=500ms")
				c := udpOpen(t, "udp:"+a.Addr().String())
				return udpSession(t, a, c), c
			},
		},
		"udp-recv": {
			Pair: func(t testing.TB) (transport.Conn, transport.Conn) {
				r := udpOpen(t, "udp-recv:0")
				return r, udpOpen(t, "udp:"+r.LocalAddr().String())
			},
			Endpoint:  func(t testing.TB) transport.Endpoint { return &inet.UDPRecv{UDPLocal: inet.UDPLocal{Addr: ":0"}} },
			Addresses: []string{"udp-recv:514", "udp-recv:*:5000,join=224.0.0.251@lo"},
			Bad:       map[string]string{"udp-recv:1,join=10.0.0.1": "join=10.0.0.1 is not a multicast group", "udp-recv:1,join=224.0.0.1@nope9": "there is no network interface nope9"},
			Options:   udpRecvOptions(),
		},
		"udp-datagram": sendToHarness("udp-datagram", "udp-datagram:239.255.0.1:5000,join=239.255.0.1,multicast-ttl=4,multicast-loop=no"),
		"udp-sendto":   sendToHarness("udp-sendto", "udp-sendto:192.0.2.7:514,bind=:514"),
	} {
		t.Run(name, func(t *testing.T) {
			h.Kind = udpKind(t, name)
			transporttest.Run(t, h)
		})
	}
}

// sendToHarness is of the kinds that send to one address without being connected.
func sendToHarness(kind string, addresses ...string) transporttest.Harness {
	return transporttest.Harness{
		Pair: func(t testing.TB) (transport.Conn, transport.Conn) {
			a := udpListen(t, "udp-listen:127.0.0.1:0")
			c := udpOpen(t, kind+":"+a.Addr().String())
			return c, udpSession(t, a, c)
		},
		Endpoint: func(t testing.TB) transport.Endpoint {
			return &inet.UDPDatagram{Addr: "127.0.0.1:9", OnlyTarget: kind == "udp-sendto"}
		},
		Addresses: append(addresses, kind+":192.0.2.255:9,broadcast"),
		Bad:       map[string]string{kind + ":h:1,multicast-if=nope9": "there is no network interface nope9"},
		Options:   udpSendToOptions(kind),
	}
}

func FuzzUDPBind(f *testing.F) {
	f.Add("udp-recv:1,join=224.0.0.1@lo")
	f.Add("udp-datagram:h:1,join=[ff02::1%1]@9")
	f.Add("udp-listen:*:1,session-idle=1s,queue=1k")
	f.Fuzz(func(t *testing.T, text string) {
		for _, name := range []string{"udp", "udp-listen", "udp-recv", "udp-datagram"} {
			if e, err := transporttest.Fill(udpKind(t, name), text); err == nil {
				if v, ok := e.(transport.Validator); ok {
					_ = v.Validate()
				}
			}
		}
	})
}

func TestUDPLargestAndEmpty(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "[::1]"} {
		a := udpListen(t, "udp-listen:"+host+":0")
		c := udpOpen(t, "udp:"+a.Addr().String())
		s := udpSession(t, a, c)
		for _, size := range []int{inet.MaxUDP, 0, 1, inet.MaxUDP} {
			want := strings.Repeat("z", size)
			udpSend(t, c, want)
			udpReceive(t, s, want)
			udpSend(t, s, want)
			udpReceive(t, c, want)
		}
	}
}

func TestUDPRefused(t *testing.T) {
	c := udpOpen(t, fmt.Sprintf("udp:127.0.0.1:%s", freeport.Get(t))).(transport.MsgConn)
	udpSend(t, c, "anybody?")
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if n, _, err := c.ReadMsg(make([]byte, 1)); n != 0 || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("read: %d bytes, error %v, want ECONNREFUSED", n, err)
	}
}

func TestUDPListensOnBothLoopbacks(t *testing.T) {
	a := udpListen(t, "udp-listen:0")
	for _, addr := range a.(interface{ Addrs() []net.Addr }).Addrs() {
		if !addr.(*net.UDPAddr).IP.IsLoopback() {
			t.Errorf("listens on %v", addr)
		}
		c := udpOpen(t, "udp:"+addr.String())
		s := udpSession(t, a, c)
		udpSend(t, s, "back")
		udpReceive(t, c, "back")
	}
}

// TestUDPAnswersFromTheAddressAsked: a socket that is bound to all addresses would
// answer from whichever the route prefers, and a connected client would not hear it.
func TestUDPAnswersFromTheAddressAsked(t *testing.T) {
	a := udpListen(t, "udp-listen:*:0")
	port := a.Addr().(*net.UDPAddr).Port
	c := udpOpen(t, fmt.Sprintf("udp:127.0.0.5:%d", port))
	s := udpSession(t, a, c)
	udpSend(t, s, "back")
	udpReceive(t, c, "back")
	if got := s.LocalAddr().String(); got != fmt.Sprintf("127.0.0.5:%d", port) {
		t.Errorf("LocalAddr is %s", got)
	}
}

// twoHosts is a name with two addresses.
type twoHosts struct{}

func (twoHosts) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.3")}, nil
}
func (twoHosts) LookupPort(context.Context, string, string) (int, error) { return 0, nil }

// TestUDPOneSenderAtTwoAddresses: it had one session, which answered from the first
// address only, and which the goroutines of both sockets wrote to.
func TestUDPOneSenderAtTwoAddresses(t *testing.T) {
	a, err := (&inet.UDPListen{UDPLocal: inet.UDPLocal{Addr: "two.test:0", Resolver: twoHosts{}}}).Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stuck := time.AfterFunc(10*time.Second, func() { a.Close() })
	defer stuck.Stop()
	defer a.Close()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	for _, to := range a.(interface{ Addrs() []net.Addr }).Addrs() {
		if _, err := c.WriteTo([]byte("to "+to.String()), to); err != nil {
			t.Fatal(err)
		}
		s, err := a.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		udpReceive(t, s, "to "+to.String())
		udpSend(t, s, "back")
		p := make([]byte, 10)
		n, from, err := c.ReadFrom(p)
		if err != nil || string(p[:n]) != "back" || from.String() != to.String() {
			t.Errorf("%v answers %q from %v, error %v", to, p[:n], from, err)
		}
	}
}

func TestUDPManySenders(t *testing.T) {
	const senders, each = 50, 40
	a := udpListen(t, "udp-listen:0,rcvbuf=4M")
	errs := make(chan error, 2*senders)
	stuck := time.AfterFunc(20*time.Second, func() { a.Close() })
	defer stuck.Stop()
	client := func(i int) error {
		c, err := (&inet.UDP{Addr: a.Addr().String()}).Dial(context.Background())
		if err != nil {
			return err
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(20 * time.Second))
		ms := make([]transport.Msg, each)
		for j := range ms {
			ms[j].Buf = fmt.Appendf(nil, "%02d %02d", i, j)
		}
		if n, err := c.(transport.MsgBatcher).WriteMsgs(ms); n != each || err != nil {
			return fmt.Errorf("wrote %d, error %w", n, err)
		}
		buf := make([]byte, 16)
		for j := range each {
			n, _, err := c.(transport.MsgConn).ReadMsg(buf)
			if err != nil || string(buf[:n]) != string(ms[j].Buf) {
				return fmt.Errorf("sender %d: got %q as answer %d, error %v", i, buf[:n], j, err)
			}
		}
		return nil
	}
	for i := range senders {
		go func() { errs <- client(i) }()
	}
	for range senders {
		s, err := a.Accept()
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			ms := make([]transport.Msg, 64)
			for done := 0; done < each; {
				n, err := s.(transport.MsgBatcher).ReadMsgs(ms)
				if err == nil {
					_, err = s.(transport.MsgBatcher).WriteMsgs(ms[:n])
				}
				if err != nil {
					errs <- err
					return
				}
				done += n
			}
			errs <- s.Close()
		}()
	}
	for range 2 * senders {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// TestUDPBatchesKeepBoundaries sends what becomes runs of the kernel and what does
// not, through a forwarded session, and reads it in batches.
func TestUDPBatchesKeepBoundaries(t *testing.T) {
	front, back := udpListen(t, "udp-listen:127.0.0.1:0,rcvbuf=4M"), udpListen(t, "udp-listen:127.0.0.1:0,rcvbuf=4M")
	client := udpOpen(t, "udp:"+front.Addr().String())
	session := udpSession(t, front, client)
	up := udpOpen(t, "udp:"+back.Addr().String())
	server := udpSession(t, back, up)

	moved := 0
	ended := make(chan [2]error, 1)
	go func() {
		r, w := session.(transport.MsgForwarder).ForwardMsgs(up.(transport.MsgConn), func(msgs, _ int) { moved += msgs })
		ended <- [2]error{r, w}
	}()
	var sizes []int
	for _, run := range []struct{ n, size int }{{70, 100}, {1, 0}, {3, 1200}, {1, 700}, {2, 0}, {60, 1}, {1, 1300}, {1, 60000}, {5, 9000}} {
		for range run.n {
			sizes = append(sizes, run.size)
		}
	}
	ms := make([]transport.Msg, len(sizes))
	for i, size := range sizes {
		ms[i].Buf = bytes.Repeat([]byte{byte(i)}, size)
	}
	if n, err := client.(transport.MsgBatcher).WriteMsgs(ms); n != len(ms) || err != nil {
		t.Fatalf("wrote %d of %d, error %v", n, len(ms), err)
	}
	server.SetReadDeadline(time.Now().Add(10 * time.Second))
	in := make([]transport.Msg, 10)
	for i := 0; i < len(sizes); {
		n, err := server.(transport.MsgBatcher).ReadMsgs(in)
		if err != nil {
			t.Fatalf("after %d of %d: %v", i, len(sizes), err)
		}
		for _, m := range in[:n] {
			if !bytes.Equal(m.Buf, ms[i].Buf) {
				t.Fatalf("message %d has %d bytes, want %d", i, len(m.Buf), sizes[i])
			}
			i++
		}
	}
	session.Close()
	if r := <-ended; !errors.Is(r[0], net.ErrClosed) || r[1] != nil {
		t.Errorf("ForwardMsgs ended with %v", r)
	}
	if moved != len(sizes) {
		t.Errorf("%d messages counted, want %d", moved, len(sizes))
	}
}

func TestUDPForwardEnds(t *testing.T) {
	front := udpListen(t, "udp-listen:127.0.0.1:0,session-idle=300ms")
	client := udpOpen(t, "udp:"+front.Addr().String())
	session := udpSession(t, front, client)
	dead := udpOpen(t, fmt.Sprintf("udp:127.0.0.1:%s", freeport.Get(t)))
	ended := make(chan [2]error, 1)
	go func() {
		r, w := session.(transport.MsgForwarder).ForwardMsgs(dead.(transport.MsgConn), nil)
		ended <- [2]error{r, w}
	}()
	var r [2]error
	for n := 1; r == [2]error{}; n++ { // one of the next is told about the first
		udpSend(t, client, "nobody listens")
		select {
		case r = <-ended:
		case <-time.After(10 * time.Millisecond):
			if n == 1000 {
				t.Fatal("to a port that nobody has: it goes on")
			}
		}
	}
	if r[0] != nil || !errors.Is(r[1], syscall.ECONNREFUSED) {
		t.Errorf("to a port that nobody has: %v, want ECONNREFUSED of writing", r)
	}
	if r, w := session.(transport.MsgForwarder).ForwardMsgs(udpOpen(t, "udp-recv:0").(transport.MsgConn), nil); !errors.Is(r, errors.ErrUnsupported) {
		t.Errorf("to an end that cannot: %v, %v", r, w)
	}
	up := udpOpen(t, "udp:127.0.0.1:9")
	if r, w := session.(transport.MsgForwarder).ForwardMsgs(up.(transport.MsgConn), nil); r != io.EOF && !errors.Is(w, syscall.ECONNREFUSED) {
		t.Errorf("of a silent session: %v, %v; want io.EOF", r, w)
	}
}

// TestUDPSteadyStateAllocations: what passes through makes no garbage.
func TestUDPSteadyStateAllocations(t *testing.T) {
	client, session := udpPair(t)
	out, in := make([]transport.Msg, 16), make([]transport.Msg, 16)
	for i := range out {
		out[i].Buf = make([]byte, 100)
	}
	pass := func(from, to transport.Conn) {
		if _, err := from.(transport.MsgBatcher).WriteMsgs(out); err != nil {
			t.Fatal(err)
		}
		for got := 0; got < len(out); {
			n, err := to.(transport.MsgBatcher).ReadMsgs(in)
			if err != nil {
				t.Fatal(err)
			}
			got += n
		}
	}
	avg := testing.AllocsPerRun(200, func() {
		pass(client, session)
		pass(session, client)
	})
	if avg > 16 { // 0 but for pools that forget, as they do with the race detector
		t.Errorf("%.1f allocations for 32 datagrams", avg)
	}
}

func TestUDPSocat(t *testing.T) {
	if _, err := exec.LookPath("socat"); err != nil {
		t.Fatal("socat is not installed; ./check installs it")
	}
	a := udpListen(t, "udp-listen:127.0.0.1:0")
	cmd := exec.Command("socat", "-T", "2", "-", "UDP4:"+a.Addr().String())
	cmd.Stdin = strings.NewReader("from socat")
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s, err := a.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	udpReceive(t, s, "from socat")
	udpSend(t, s, "to socat")
	_ = cmd.Wait()
	if out.String() != "to socat" {
		t.Errorf("socat read %q", out.String())
	}
}
