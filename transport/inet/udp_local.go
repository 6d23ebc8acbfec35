package inet

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"syscall"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/opt"
)

// UDPLocal is where the kinds that wait for datagrams wait for them.
type UDPLocal struct {
	// Addr is "host:port". Without a host it is the loopback addresses of
	// IPv4 and IPv6; with the host "*" all addresses of both. Port 0 is any
	// that is free.
	Addr string

	// Host is a host where Addr has none, [HOST][:PORT]; "" leaves it.
	Host string

	ReuseAddr bool // share the port with sockets that share it too; one of them gets each datagram
	ReusePort bool // the same, spread over the sockets of one user by the sender's address
	Socket

	Resolver Resolver // nil is [net.DefaultResolver]
}

const udpListenHint = "write [HOST:]PORT, as in udp-listen:5353; port 0 takes any that is free"

// Bind binds the target and the options.
func (l *UDPLocal) Bind(s *opt.Set) {
	s.Target(opt.Host, "[HOST:]PORT", nil)
	s.OnHost(func(h address.Host) error {
		if h.Port == "" {
			return usage("there is no port to listen on", udpListenHint)
		}
		l.Addr = h.HostPort()
		return nil
	})
	bindListener(s, &l.Host).Alias("so-bindhost")
	s.Bool(&l.ReuseAddr, "reuseaddr", "share the port with sockets that share it too").Alias("so-reuseaddr")
	s.Bool(&l.ReusePort, "reuseport", "share the port, each sender always with the same socket").Alias("so-reuseport")
	s.Embed(&l.Socket)
}

// Validate looks at the parts that are addresses.
func (l *UDPLocal) Validate() error {
	_, _, err := l.hostPort()
	return err
}

// hostPort returns what to listen on.
func (l *UDPLocal) hostPort() (host, port string, err error) {
	if l.Addr == "" {
		return "", "", usage("there is no port to listen on", udpListenHint)
	}
	return listenHostPort(l.Addr, l.Host)
}

// addrs returns the addresses to wait at; there is at least one. Without a host
// they are those that anyHost gives for a family.
func (l *UDPLocal) addrs(ctx context.Context, anyHost func(v6 bool) netip.Addr) ([]netip.AddrPort, error) {
	host, service, err := l.hostPort()
	if err != nil {
		return nil, err
	}
	port, err := lookupPort(ctx, resolver(l.Resolver), "udp", service)
	if err != nil {
		return nil, err
	}
	switch host {
	case "*":
		anyHost = unspecified
	case "":
	default:
		return lookup(ctx, l.Resolver, l.Family, host, strconv.Itoa(int(port)))
	}
	var addrs []netip.AddrPort
	for _, v6 := range []bool{false, true} {
		if l.Family.has(v6) {
			addrs = append(addrs, netip.AddrPortFrom(anyHost(v6), port))
		}
	}
	return addrs, nil
}

// open opens a socket for each address, all with the same port.
func (l *UDPLocal) open(ctx context.Context, addrs []netip.AddrPort, set func(fd int, v6 bool) error) ([]*udpSocket, error) {
	// The port of the first socket may be taken on the second. If it was the
	// system's choice, let it choose again.
	const tries = 20
	for try := 0; ; try++ {
		socks, err := l.openOnce(ctx, addrs, set)
		free := addrs[0].Port() == 0 && len(addrs) > 1 && errors.Is(err, syscall.EADDRINUSE)
		if err == nil || !free || try == tries {
			return socks, err
		}
	}
}

func (l *UDPLocal) openOnce(ctx context.Context, addrs []netip.AddrPort, set func(fd int, v6 bool) error) (socks []*udpSocket, err error) {
	port := addrs[0].Port()
	for _, a := range addrs {
		s, err := listenUDP(ctx, netip.AddrPortFrom(a.Addr(), port), func(fd int, v6 bool) error {
			if err := setUDP(fd, v6, &l.Socket, l.ReuseAddr, l.ReusePort); err != nil {
				return err
			}
			return set(fd, v6)
		})
		if err != nil && len(socks) > 0 && isNoFamily(a, err) {
			continue // this machine has only one of the families
		}
		if err != nil {
			closeSockets(socks)
			return nil, err
		}
		socks = append(socks, s)
		port = s.local.(*net.UDPAddr).AddrPort().Port()
	}
	return socks, nil
}

// isNoFamily tells whether a socket could not be opened for want of IPv6.
func isNoFamily(a netip.AddrPort, err error) bool {
	usual := a.Addr().IsLoopback() || a.Addr().IsUnspecified()
	return usual && (errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EADDRNOTAVAIL))
}

// listenUDP opens a socket that is bound and not connected.
func listenUDP(ctx context.Context, at netip.AddrPort, set func(fd int, v6 bool) error) (*udpSocket, error) {
	if ctx.Err() != nil {
		return nil, contextError(ctx)
	}
	lc := net.ListenConfig{Control: control(set)}
	c, err := lc.ListenPacket(ctx, udpNetwork(at.Addr().Is6()), at.String())
	if err != nil {
		return nil, udpError(ctx, err, at.Port())
	}
	return newUDPSocket(c.(*net.UDPConn))
}

func closeSockets(socks []*udpSocket) (err error) {
	for _, s := range socks {
		err = errors.Join(err, s.c.Close())
	}
	return err
}
