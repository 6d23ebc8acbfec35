package inet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// Listen waits for connections of TCP.
type Listen struct {
	// Addr is "host:port". An empty host is the loopback interface, with
	// IPv4 and IPv6 on the same port; "*" is every address of this machine;
	// "[::]" is that too, unless Family is IPv6. Of a name, all addresses
	// are listened on. Port 0 lets the system choose.
	Addr string

	// Host is a host where Addr has none, [HOST][:PORT]; "" leaves it.
	Host string

	Backlog   int        // connections that may wait to be accepted; 0 is as many as the system allows
	ReuseAddr opt.Switch // take a port over whose last user has just ended; on
	ReusePort bool       // share the port with other programs of the same user
	IPv6Only  opt.Switch // sockets of IPv6 refuse IPv4; on if Family is IPv6

	Socket
	Tuning

	Resolver Resolver // nil is [net.DefaultResolver]
}

var (
	_ transport.Listener  = (*Listen)(nil)
	_ transport.Validator = (*Listen)(nil)
)

const (
	listenKind = "tcp-listen"
	listenHint = "write [HOST:]PORT, as in tcp-listen:8080; port 0 takes any that is free"
)

// Bind binds the target and the options.
func (l *Listen) Bind(s *opt.Set) {
	s.Target(opt.Host, "[HOST:]PORT", nil)
	s.OnHost(func(h address.Host) error {
		if h.Port == "" {
			return usage("there is no port to listen on", listenHint)
		}
		l.Addr = h.HostPort()
		return nil
	})
	bindListener(s, &l.Host)
	s.Int(&l.Backlog, "backlog", 0, 1, 1<<20, "connections that may wait to be accepted")
	s.Switch(&l.ReuseAddr, "reuseaddr", true, "take over a port whose last user has just ended").Alias("so-reuseaddr")
	s.Bool(&l.ReusePort, "reuseport", "share the port with other programs of the same user").Alias("so-reuseport")
	s.Switch(&l.IPv6Only, "ipv6only", false, "sockets of IPv6 refuse IPv4; yes with family=ipv6").Alias("ipv6-v6only", "v6only")
	s.Embed(&l.Socket)
	s.Embed(&l.Tuning)
}

// Validate looks at the parts that are addresses.
func (l *Listen) Validate() error {
	host, _, err := l.hostPort()
	if err != nil {
		return err
	}
	ip, _ := netip.ParseAddr(host)
	if l.IPv6Only != opt.Default && (l.Family == IPv4 || ip.Is4()) {
		return usage("ipv6only is about sockets of IPv6, and there is none", "")
	}
	if l.IPv6Only == opt.Off && ip.Is6() && !ip.IsUnspecified() {
		return usage(fmt.Sprintf("ipv6only=no has no effect: a socket of %s cannot take IPv4", host), "listen on [::]")
	}
	return l.Tuning.validate()
}

// hostPort returns what to listen on.
func (l *Listen) hostPort() (host, port string, err error) {
	if l.Addr == "" {
		return "", "", usage("there is no port to listen on", listenHint)
	}
	return listenHostPort(l.Addr, l.Host)
}

// Listen opens the sockets. What it returns also has a method
//
//	Addrs() []net.Addr
//
// for all addresses that it listens on; Addr is the first of them. Its Conns are
// of type [*Conn].
func (l *Listen) Listen(ctx context.Context) (transport.Acceptor, error) {
	if ctx.Err() != nil {
		return nil, contextError(ctx)
	}
	addrs, err := l.addrs(ctx)
	if err != nil {
		return nil, err
	}
	// The port of the first socket may be taken on the second. If it was the
	// system's choice, let it choose again.
	const tries = 20
	for try := 1; ; try++ {
		lns, err := l.open(ctx, addrs)
		if err == nil {
			return newAcceptor(lns, listenKind)
		}
		again := addrs[0].Port() == 0 && len(addrs) > 1 && errors.Is(err, syscall.EADDRINUSE)
		if !again || try == tries {
			return nil, transport.WithHint(err, hint(err, strconv.Itoa(int(addrs[0].Port()))))
		}
	}
}

// addrs returns the addresses to listen on; there is at least one.
func (l *Listen) addrs(ctx context.Context) ([]netip.AddrPort, error) {
	if err := l.Validate(); err != nil {
		return nil, err
	}
	host, service, err := l.hostPort()
	if err != nil {
		return nil, err
	}
	switch {
	case host == "*" && l.Family == IPv4:
		host = "0.0.0.0"
	case host == "*":
		host = "::"
	case host == "":
		port, err := lookupPort(ctx, resolver(l.Resolver), "tcp", service)
		if err != nil {
			return nil, err
		}
		return loopbacks(l.Family, port), nil
	}
	return lookup(ctx, l.Resolver, l.Family, host, service)
}

// open opens a socket for each of addrs, all on the same port, or none. Where
// there is no IPv6, its addresses are left out as long as there are others.
func (l *Listen) open(ctx context.Context, addrs []netip.AddrPort) (lns []net.Listener, err error) {
	port := addrs[0].Port()
	var missing error
	for _, a := range addrs {
		ln, err := l.socket(ctx, netip.AddrPortFrom(a.Addr(), port))
		if err != nil && a.Addr().Is6() && noSuchAddr(err) {
			missing = err
			continue
		}
		if err != nil {
			closeListeners(lns)
			return nil, err
		}
		lns = append(lns, ln)
		if ta, ok := ln.Addr().(*net.TCPAddr); ok {
			port = uint16(ta.Port)
		}
	}
	if len(lns) == 0 {
		return nil, missing
	}
	return lns, nil
}

// socket opens one listening socket.
func (l *Listen) socket(ctx context.Context, a netip.AddrPort) (net.Listener, error) {
	everywhere, network := a.Addr().IsUnspecified(), "tcp4"
	switch {
	case a.Addr().Is6() && everywhere && !l.IPv6Only.Or(l.Family == IPv6):
		network = "tcp" // which is both, for this address
	case a.Addr().Is6():
		network = "tcp6"
	}
	var lc net.ListenConfig
	// Multipath TCP costs every connection, and its sockets lack options.
	lc.SetMultipathTCP(false)
	lc.KeepAlive = -1 // it is inherited or set by the acceptor
	lc.Control = control(func(fd int, v6 bool) error {
		if err := l.Socket.set(fd, v6); err != nil {
			return err
		}
		if err := l.Tuning.set(fd, a.Addr().IsLoopback(), true); err != nil {
			return err
		}
		return l.set(fd)
	})
	ln, err := lc.Listen(ctx, network, a.String())
	switch {
	case err != nil && network == "tcp" && noSuchAddr(err):
		return l.socket(ctx, netip.AddrPortFrom(unspecified(false), a.Port()))
	case err != nil && ctx.Err() != nil:
		return nil, contextError(ctx)
	case err != nil:
		return nil, err
	}
	if err := l.setBacklog(ln); err != nil {
		ln.Close()
		return nil, err
	}
	return ln, nil
}

// noSuchAddr tells whether the address, or its whole family, is not there.
func noSuchAddr(err error) bool {
	return errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT)
}

func closeListeners(lns []net.Listener) {
	for _, ln := range lns {
		ln.Close()
	}
}
