package swarm

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// pcpRouter is a router on loopback that speaks PCP, and gives each port plus 1.
type pcpRouter struct {
	at   netip.AddrPort
	mu   sync.Mutex // guards open
	open map[uint16]bool
}

func newPCPRouter(t *testing.T, external string) *pcpRouter {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	r := &pcpRouter{at: c.LocalAddr().(*net.UDPAddr).AddrPort(), open: map[uint16]bool{}} //nolint:errcheck // it is one of UDP
	done := make(chan bool)
	t.Cleanup(func() { c.Close(); <-done }) //nolint:errcheck // nothing is lost
	go func() {
		defer close(done)
		b := make([]byte, 2000)
		for {
			n, from, err := c.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			if b[0] != 2 {
				continue
			}
			b[1] |= 0x80
			clear(b[8:24])
			if n == 60 {
				port := binary.BigEndian.Uint16(b[40:])
				binary.BigEndian.PutUint16(b[42:], port+1)
				ip := netip.MustParseAddr(external).As16()
				copy(b[44:], ip[:])
				r.mu.Lock()
				r.open[port] = binary.BigEndian.Uint32(b[4:]) > 0
				r.mu.Unlock()
			}
			c.WriteToUDPAddrPort(b[:n], from) //nolint:errcheck // as on a network
		}
	}()
	return r
}

func TestPortsAreMapped(t *testing.T) {
	r := newPCPRouter(t, "192.0.2.8")
	events := make(chan Event, 16)
	n := newNet(t, func(c *Config) {
		c.MapPorts, c.router = true, r.at
		c.Events = func(e Event) {
			if e.What == Mapped {
				events <- e
			}
		}
	}, "/ip4/0.0.0.0/tcp/0", "/ip4/0.0.0.0/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0")
	for range 2 {
		e := <-events
		if e.Err != nil || !slices.Contains(n.Addrs(), e.Addr) || !strings.HasPrefix(e.Addr, "/ip4/192.0.2.8/") {
			t.Errorf("%+v; it is at %q", e, n.Addrs())
		}
	}
	by, addrs, err := n.PortMapping()
	if by != "PCP" || len(addrs) != 2 || !strings.HasSuffix(addrs[1], "/quic-v1") || err != nil {
		t.Errorf("%s %q %v", by, addrs, err)
	}
	n.Close() //nolint:errcheck // it returns nil
	r.mu.Lock()
	defer r.mu.Unlock()
	for port, open := range r.open {
		if open {
			t.Errorf("port %d is still open at the router", port)
		}
	}
	if len(r.open) != 2 {
		t.Errorf("%v were asked for", r.open)
	}
}

// What a router at home has got from a carrier's NAT is nothing to announce.
func TestTheRouterIsBehindANATItself(t *testing.T) {
	for _, external := range []string{"10.0.0.7", "100.64.0.1", "0.0.0.0", "192.168.1.1"} {
		r := newPCPRouter(t, external)
		failed := make(chan error, 1)
		n := newNet(t, func(c *Config) {
			c.MapPorts, c.router = true, r.at
			c.Events = func(e Event) {
				if e.What == Mapped {
					failed <- e.Err
				}
			}
		}, "/ip4/0.0.0.0/tcp/0")
		select {
		case err := <-failed:
			if err == nil || !strings.Contains(err.Error(), "NAT of its own") {
				t.Error(err)
			}
		case <-time.After(patience):
			t.Error("nothing is said")
		}
		for _, a := range n.Addrs() {
			if strings.Contains(a, external+"/") {
				t.Errorf("it announces %s", a)
			}
		}
	}
}
