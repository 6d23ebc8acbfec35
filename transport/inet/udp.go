package inet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// udpKinds is the kinds of UDP. All of their Conns are MsgConns: a message is a
// datagram, an empty one included, and none is cut without saying so.
func udpKinds() transport.Kinds {
	traits := transport.Traits{Messages: true, Lossy: true, Deadlines: true}
	listens, each, recv := traits, traits, traits
	listens.Listens, listens.EndsBoth, each.Listens, recv.OneWay = true, true, true, true
	kinds := transport.Kinds{
		{Name: udpKind, Aliases: []string{"udp-connect"}, Syntax: "udp:HOST:PORT", Example: "udp:localhost:53",
			Doc: "Exchanges datagrams with one address by UDP.", Traits: traits, New: func() transport.Endpoint { return new(UDP) }},
		{Name: udpListenKind, Aliases: []string{"udp-l"}, Syntax: "udp-listen:[HOST:]PORT", Example: "udp-listen:5353",
			Doc: "Waits for datagrams and opens a session for each sender.", Traits: listens, New: func() transport.Endpoint { return new(UDPListen) }},
		{Name: "udp-recvfrom", Syntax: "udp-recvfrom:[HOST:]PORT", Example: "udp-recvfrom:5353",
			Doc: "Waits for datagrams and opens a session for each one, to answer it.", Traits: each, Stack: udpListenKind, With: "per-datagram"},
		{Name: udpRecvKind, Aliases: []string{"udp-receive"}, Syntax: "udp-recv:[HOST:]PORT", Example: "udp-recv:514",
			Doc: "Receives datagrams from anybody and sends none.", Traits: recv, New: func() transport.Endpoint { return new(UDPRecv) }},
		{Name: udpDatagramKind, Aliases: []string{"udp-dgram"}, Syntax: "udp-datagram:HOST:PORT", Example: "udp-datagram:239.255.0.1:5000,join=239.255.0.1",
			Doc: "Sends datagrams to an address, which may be a group or a broadcast, and receives from anybody.", Traits: traits, New: func() transport.Endpoint { return new(UDPDatagram) }},
		{Name: udpSendKind, Syntax: "udp-sendto:HOST:PORT", Example: "udp-sendto:192.0.2.7:514",
			Doc: "Sends datagrams to an address, whether somebody is there or not, and receives from that address only.", Traits: traits, New: func() transport.Endpoint { return &UDPDatagram{OnlyTarget: true} }},
	}
	for _, k := range kinds {
		kinds = append(kinds, udpPreset(k, "4", IPv4), udpPreset(k, "6", IPv6))
	}
	return kinds
}

// udpPreset is a kind that is another with a fixed family: udp4-listen, for udp-listen.
func udpPreset(k transport.Kind, digit string, family Family) transport.Kind {
	renamed := func(text string) string { return strings.Replace(text, "udp", "udp"+digit, 1) }
	p := transport.Kind{Name: renamed(k.Name), Syntax: renamed(k.Syntax), Example: renamed(k.Example),
		Doc: "Is " + k.Name + " over IPv" + digit + " only.", Traits: k.Traits, Stack: k.Name, With: "family=" + string(family)}
	if k.Stack != "" {
		p.Stack, p.With = k.Stack, k.With+","+p.With
	}
	if family == IPv6 {
		p.Example = strings.ReplaceAll(strings.ReplaceAll(p.Example, "239.255.0.1", "[ff02::114]"), "192.0.2.7", "[2001:db8::7]")
	}
	for _, alias := range k.Aliases {
		p.Aliases = append(p.Aliases, renamed(alias))
	}
	return p
}

const (
	udpKind         = "udp"
	udpListenKind   = "udp-listen"
	udpRecvKind     = "udp-recv"
	udpSendKind     = "udp-sendto"
	udpDatagramKind = "udp-datagram"

	udpHint = "write HOST:PORT, as in udp:localhost:53"
)

// UDP exchanges datagrams with one address. Its Conns take no datagram from
// another one, and learn from the system when nobody listens there: a Read or a
// Write after that fails once with ECONNREFUSED.
type UDP struct {
	Addr       string // "host:port"
	LocalAddr  string // where to send from, [HOST][:PORT]; "" leaves it to the system
	SourcePort int    // port to send from; 0 is the one in LocalAddr, or any
	ReuseAddr  bool   // share the source port with sockets that share it too
	Socket

	Resolver Resolver // nil is [net.DefaultResolver]
}

var (
	_ transport.Dialer    = (*UDP)(nil)
	_ transport.Validator = (*UDP)(nil)
)

// Bind binds the target and the options.
func (u *UDP) Bind(s *opt.Set) {
	bindUDPTarget(s, &u.Addr)
	bindDialed(s, &u.LocalAddr, &u.SourcePort, "send from")
	s.Bool(&u.ReuseAddr, "reuseaddr", "share the source port with sockets that share it too").Alias("so-reuseaddr")
	s.Embed(&u.Socket)
}

// bindUDPTarget binds the target of those that send to one address.
func bindUDPTarget(s *opt.Set, addr *string) {
	s.Target(opt.Host, "HOST:PORT", nil)
	s.OnHost(func(h address.Host) error {
		switch {
		case h.Name == "":
			return usage("there is no host to send to", udpHint)
		case h.Port == "":
			return usage("there is no port after the host", udpHint)
		}
		*addr = h.HostPort()
		return nil
	})
}

// Validate looks at the parts that are addresses.
func (u *UDP) Validate() error {
	_, err := parseLocal(u.LocalAddr, u.SourcePort)
	return err
}

// Dial connects a socket. Of the addresses of a name it takes the first to which
// there is a route: nothing is sent, so that nothing tells which one answers.
func (u *UDP) Dial(ctx context.Context) (transport.Conn, error) {
	if ctx.Err() != nil {
		return nil, contextError(ctx)
	}
	local, err := findLocal(ctx, u.Resolver, "udp", u.Family, u.LocalAddr, u.SourcePort)
	if err != nil {
		return nil, err
	}
	addrs, err := lookupUDP(ctx, u.Resolver, local.family(u.Family), u.Addr)
	if err != nil {
		return nil, err
	}
	for i, to := range addrs {
		c, derr := u.connect(ctx, local, to)
		if derr == nil {
			return c, nil
		}
		if i == 0 {
			err = derr
		}
	}
	return nil, err
}

func (u *UDP) connect(ctx context.Context, local localAddr, to netip.AddrPort) (transport.Conn, error) {
	v6 := to.Addr().Is6()
	d := net.Dialer{Control: control(func(fd int, v6 bool) error { return u.set(fd, v6) })}
	if from, ok := local.of(v6); ok {
		d.LocalAddr = net.UDPAddrFromAddrPort(from)
	}
	c, err := d.DialContext(ctx, udpNetwork(v6), to.String())
	if err != nil {
		return nil, udpError(ctx, err, to.Port())
	}
	s, err := newUDPSocket(c.(*net.UDPConn))
	if err != nil {
		return nil, err
	}
	return newUDPConn(s, udpKind, c.RemoteAddr(), target{}), nil
}

func (u *UDP) set(fd int, v6 bool) error { return setUDP(fd, v6, &u.Socket, u.ReuseAddr, false) }

func udpNetwork(v6 bool) string {
	if v6 {
		return "udp6"
	}
	return "udp4"
}

// lookupUDP returns the addresses that "host:port" may mean; there is at least one.
func lookupUDP(ctx context.Context, r Resolver, family Family, hostPort string) ([]netip.AddrPort, error) {
	host, service, err := splitHostPort(hostPort)
	if err != nil {
		return nil, err
	}
	port, err := lookupPort(ctx, resolver(r), "udp", service)
	if err != nil {
		return nil, err
	}
	return lookup(ctx, r, family, host, strconv.Itoa(int(port)))
}

// udpError adds to the error of opening a socket what can be done about it.
func udpError(ctx context.Context, err error, port uint16) error {
	switch {
	case ctx.Err() != nil:
		return contextError(ctx)
	case errors.Is(err, syscall.EADDRINUSE):
		return transport.WithHint(err, fmt.Sprintf("another program has UDP port %d; ss -ulnp shows which", port))
	case errors.Is(err, syscall.ENETUNREACH):
		return transport.WithHint(err, "this machine has no route there; ip route shows those it has")
	}
	return transport.WithHint(err, cmp.Or(transport.Hint(err), hint(err, strconv.Itoa(int(port)))))
}
