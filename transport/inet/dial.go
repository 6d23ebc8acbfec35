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

// Dial connects by TCP.
type Dial struct {
	// Addr is "host:port": a name or an IP address, and a number or the name
	// of a service. If it is empty, Dial goes where the client of the other
	// end asked to go; see [transport.Caller].
	Addr string

	// LocalAddr is where to connect from, [HOST][:PORT]; "" leaves it to the
	// system. Only addresses of its family are tried.
	LocalAddr  string
	SourcePort int // port to connect from; 0 is the one in LocalAddr, or any

	ReuseAddr opt.Switch // bind to a port that was in use a moment ago; on if there is a source port
	ReusePort bool       // share the source port with other sockets

	Socket
	Tuning

	Resolver Resolver // nil is [net.DefaultResolver]
}

// A Resolver finds the addresses of names, best first, and the ports of services.
// It is a part of [net.Resolver].
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
	LookupPort(ctx context.Context, network, service string) (int, error)
}

var (
	_ transport.Dialer    = (*Dial)(nil)
	_ transport.Beginner  = (*Dial)(nil)
	_ transport.Validator = (*Dial)(nil)
	_ Resolver            = (*net.Resolver)(nil)
)

// dialInfo is that of every dialed Conn. Nobody changes it.
var dialInfo = transport.Info{Kind: "tcp"}

const (
	portHint = "write HOST:PORT, as in tcp:example.org:80"
)

// Bind binds the target and the options.
func (d *Dial) Bind(s *opt.Set) {
	s.Target(opt.Host, "HOST:PORT", nil)
	s.OnHost(func(h address.Host) error {
		switch {
		case h.Name == "" && h.Port == "":
			d.Addr = "" // where the client of the other end wants to go
			return nil
		case h.Name == "":
			return usage("there is no host before the port", portHint)
		case h.Port == "":
			return usage("there is no port after the host", portHint)
		}
		d.Addr = h.HostPort()
		return nil
	})
	bindDialed(s, &d.LocalAddr, &d.SourcePort, "connect from")
	s.Switch(&d.ReuseAddr, "reuseaddr", false, "connect from a port that was in use a moment ago; yes with a source port").Alias("so-reuseaddr")
	s.Bool(&d.ReusePort, "reuseport", "share the source port with other sockets").Alias("so-reuseport")
	s.Embed(&d.Socket)
	s.Embed(&d.Tuning)
}

// Validate looks at the parts that are addresses.
func (d *Dial) Validate() error {
	if _, err := parseLocal(d.LocalAddr, d.SourcePort); err != nil {
		return err
	}
	if err := d.Tuning.validate(); err != nil {
		return err
	}
	if d.Addr == "" {
		return nil
	}
	_, _, err := splitHostPort(d.Addr)
	return err
}

// Dial connects. Of the addresses of a name it uses the one that answers first,
// after giving the better ones a head start (RFC 8305). The Conn is a [*Conn].
func (d *Dial) Dial(ctx context.Context) (transport.Conn, error) {
	if err := d.Validate(); err != nil {
		return nil, err
	}
	target, permit := d.Addr, func(netip.AddrPort) error { return nil }
	if target == "" {
		other := transport.Other(ctx)
		caller, ok := transport.As[transport.Caller](other)
		if !ok {
			return nil, usage("there is no host and port to connect to", portHint)
		}
		target, permit = caller.Target(), caller.Permit
	}
	local, err := findLocal(ctx, d.Resolver, "tcp", d.Family, d.LocalAddr, d.SourcePort)
	if err != nil {
		return nil, err
	}
	addrs, err := d.lookup(ctx, target, local)
	if err != nil {
		return nil, err
	}
	c, err := d.race(ctx, addrs, local, permit)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Begin implements [transport.Beginner] for targets that are an IP address and the
// number of a port.
func (d *Dial) Begin() (transport.Conn, func(context.Context) (transport.Conn, error), error) {
	to, err := netip.ParseAddrPort(d.Addr)
	if err != nil || to.Addr().IsUnspecified() || to.Addr().Zone() != "" || d.Family != AnyFamily || d.LocalAddr != "" || d.SourcePort != 0 {
		return nil, nil, nil
	}
	c, a, err := d.begin(netip.AddrPortFrom(to.Addr().Unmap(), to.Port()), localAddr{})
	switch {
	case err != nil:
		return nil, nil, err
	case c != nil:
		return c, nil, nil
	}
	return nil, func(ctx context.Context) (transport.Conn, error) {
		c, err := a.wait(ctx)
		if err != nil {
			return nil, err
		}
		return c, nil
	}, nil
}

// lookup returns the addresses that target may mean, in the order in which to
// try them. There is at least one.
func (d *Dial) lookup(ctx context.Context, target string, local localAddr) ([]netip.AddrPort, error) {
	host, service, err := splitHostPort(target)
	if err != nil {
		return nil, err
	}
	addrs, err := lookup(ctx, d.Resolver, local.family(d.Family), host, service)
	if err != nil {
		return nil, err
	}
	for i, a := range addrs {
		// The system takes the unspecified address for its own (RFC 1122,
		// section 3.2.1.3, forbids it on the wire); whoever permits
		// addresses must see what will be reached.
		if a.Addr().IsUnspecified() {
			addrs[i] = netip.AddrPortFrom(loopback(!a.Addr().Is4()), a.Port())
		}
	}
	return interleave(addrs), nil
}

// dialError says where the error came from.
func dialError(to netip.AddrPort, err error) error {
	mark := error(nil)
	if errors.Is(err, context.DeadlineExceeded) {
		mark = transport.ErrTimeout
	}
	err = &net.OpError{Op: "dial", Net: "tcp", Addr: net.TCPAddrFromAddrPort(to), Err: err}
	if mark != nil {
		err = transport.Mark(err, mark)
	}
	if ip := to.Addr(); ip.IsLinkLocalUnicast() && ip.Is6() && ip.Zone() == "" && errors.Is(err, syscall.EINVAL) {
		return transport.WithHint(err, fmt.Sprintf("a link-local address needs its interface: [%s%%eth0]:%d", ip, to.Port()))
	}
	return transport.WithHint(err, hint(err, strconv.Itoa(int(to.Port()))))
}

// contextError is why ctx ended. It matches ctx.Err() whatever the cause is.
func contextError(ctx context.Context) error {
	return transport.Mark(context.Cause(ctx), ctx.Err())
}

func usage(text, hint string) error {
	return transport.WithHint(transport.Mark(errors.New(text), transport.ErrUsage), hint)
}
