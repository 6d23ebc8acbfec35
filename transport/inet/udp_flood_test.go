//go:build linux

package inet_test

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/inet"
)

// echoAll answers every session once and closes it when it has ended, as a server's
// joints do, until the acceptor is closed.
func echoAll(t testing.TB, a transport.Acceptor) {
	var wg sync.WaitGroup
	serve := func(c transport.Conn) {
		defer c.Close()
		p := make([]byte, 64)
		for {
			n, _, err := c.(transport.MsgConn).ReadMsg(p)
			if err != nil {
				if n != 0 {
					t.Errorf("ReadMsg returns %d bytes with error %v", n, err)
				}
				return
			}
			if err := c.(transport.MsgConn).WriteMsg(p[:n], transport.Meta{}); err != nil {
				return
			}
		}
	}
	wg.Go(func() {
		var open []transport.Conn
		for {
			c, err := a.Accept()
			if err != nil {
				break
			}
			open = append(open, c)
			wg.Go(func() { serve(c) })
		}
		for _, c := range open {
			c.Close()
		}
	})
	t.Cleanup(func() {
		a.Close()
		wg.Wait()
	})
}

// sender is a socket at some loopback address.
func sender(t testing.TB, i int, to net.Addr) *net.UDPConn {
	t.Helper()
	from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 1, byte(i >> 8), byte(i)}), 0)
	c, err := net.DialUDP("udp", net.UDPAddrFromAddrPort(from), to.(*net.UDPAddr))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

func udpAsk(t testing.TB, c *net.UDPConn, who string) {
	t.Helper()
	var p [64]byte
	if _, err := c.Write([]byte("?")); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(p[:]); err != nil || string(p[:n]) != "?" {
		t.Fatalf("%s: answer %q, error %v", who, p[:n], err)
	}
}

// 1,100 datagrams with forged addresses kept new senders out for a minute. Those that
// are heard again keep their sessions.
func TestUDPForgedSendersKeepNobodyOut(t *testing.T) {
	a, err := (&inet.UDPListen{UDPLocal: inet.UDPLocal{Addr: ":0"}, Sessions: 256}).Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	echoAll(t, a)
	friend := sender(t, 0, a.Addr())
	defer friend.Close()
	udpAsk(t, friend, "a friend")
	udpAsk(t, friend, "a friend again")
	for i := range 1100 {
		c := sender(t, 1+i, a.Addr())
		udpAsk(t, c, fmt.Sprint("new sender ", i))
		c.Close()
	}
	udpAsk(t, friend, "a friend after the flood")
}
