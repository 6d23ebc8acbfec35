package punch

import (
	"context"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// nat64 is the prefix by which hosts with IPv6 only reach IPv4 (RFC 6052).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

func to64(a netip.AddrPort) netip.AddrPort {
	b, v4 := nat64.Addr().As16(), a.Addr().As4()
	copy(b[12:], v4[:])
	return netip.AddrPortFrom(netip.AddrFrom16(b), a.Port())
}

func from64(a netip.AddrPort) netip.AddrPort {
	ip := a.Addr().Unmap()
	if nat64.Contains(ip) {
		b := ip.As16()
		ip = netip.AddrFrom4([4]byte(b[12:]))
	}
	return netip.AddrPortFrom(ip, a.Port())
}

// source returns the address that the system would send from to an address, and false if
// there is no way there.
func source(to netip.AddrPort) (netip.Addr, bool) {
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		return netip.Addr{}, false
	}
	defer c.Close()
	a := c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
	return a.WithZone(""), true
}

// An udpSocket is bound to every address of the host.
type udpSocket struct {
	way   Way
	conn  *net.UDPConn
	src   netip.Addr // where it sends from, as far as is known
	via64 bool       // an IPv6 socket for IPv4 addresses
}

func openUDP(way Way, src netip.Addr, via64 bool) (*udpSocket, error) {
	network := "udp4"
	if way == UDP6 || via64 {
		network = "udp6"
	}
	c, err := net.ListenUDP(network, nil)
	if err != nil {
		return nil, err
	}
	return &udpSocket{way, c, src, via64}, nil
}

func (s *udpSocket) port() uint16 { return s.conn.LocalAddr().(*net.UDPAddr).AddrPort().Port() }

func (s *udpSocket) local() netip.AddrPort { return netip.AddrPortFrom(s.src, s.port()) }

// wire returns an address as the socket has to be given it.
func (s *udpSocket) wire(to netip.AddrPort) netip.AddrPort {
	if s.via64 {
		return to64(to)
	}
	return to
}

func (s *udpSocket) send(b []byte, to netip.AddrPort) error {
	_, err := s.conn.WriteToUDPAddrPort(b, s.wire(to))
	return err
}

// stop has readers return.
func (s *udpSocket) stop() { _ = s.conn.SetReadDeadline(time.Unix(1, 0)) }

// A tcpPort is a port that is listened at and dialed from.
type tcpPort struct {
	way   Way
	l     *net.TCPListener
	local netip.AddrPort
	via64 bool
	keep  []net.Conn // to observers
}

func openTCP(way Way, src netip.Addr, via64 bool) (*tcpPort, error) {
	p := &tcpPort{way: way, via64: via64}
	lc := net.ListenConfig{Control: reuse}
	lc.SetMultipathTCP(false) // its options make every SYN longer, and its sockets are no good for a simultaneous open
	l, err := lc.Listen(context.Background(), p.network(), ":0")
	if err != nil {
		return nil, err
	}
	p.l = l.(*net.TCPListener)
	p.local = netip.AddrPortFrom(src, p.l.Addr().(*net.TCPAddr).AddrPort().Port())
	return p, nil
}

func (p *tcpPort) network() string {
	if p.way == TCP6 || p.via64 {
		return "tcp6"
	}
	return "tcp4"
}

func (p *tcpPort) dial(ctx context.Context, to netip.AddrPort) (*net.TCPConn, error) {
	d := net.Dialer{Control: reuse, LocalAddr: &net.TCPAddr{Port: int(p.local.Port())}}
	d.SetMultipathTCP(false)
	if p.via64 {
		to = to64(to)
	}
	c, err := d.DialContext(ctx, p.network(), to.String())
	if err != nil {
		return nil, err
	}
	if c.LocalAddr().String() == c.RemoteAddr().String() { // it has met itself
		c.Close()
		return nil, syscall.ECONNREFUSED
	}
	return c.(*net.TCPConn), nil
}

func (p *tcpPort) close() {
	p.l.Close()
	for _, c := range p.keep {
		c.Close()
	}
}
