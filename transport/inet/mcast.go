package inet

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// Groups are the multicast groups that a socket is a member of, each "GROUP" or
// "GROUP@INTERFACE", the interface being a name or one of its IPv4 addresses.
type Groups []string

// Bind binds the option.
func (g *Groups) Bind(s *opt.Set) {
	s.Group("multicast")
	s.Strings((*[]string)(g), "join", "group[@interface]", "receive what is sent to this multicast group; may be given again").
		Alias("ip-add-membership", "add-membership", "ipv6-join-group", "membership")
	s.Group("")
}

// A group is one entry of Groups.
type group struct {
	addr netip.Addr
	ifi  int // index of the interface; 0 lets the system choose
}

// parse reads one entry, also in socat's form GROUP:INTERFACE for IPv4.
func parseGroup(text string) (g group, err error) {
	name, iface, _ := strings.Cut(text, "@")
	if head, tail, ok := strings.Cut(name, ":"); ok && strings.Count(head, ".") == 3 {
		name, iface = head, tail
	}
	name = strings.Trim(name, "[]")
	g.addr, err = netip.ParseAddr(name)
	if err != nil || !g.addr.IsMulticast() {
		return g, usage(fmt.Sprintf("join=%s is not a multicast group", text), "groups are 224.0.0.0 to 239.255.255.255 and those beginning with ff")
	}
	if iface == "" {
		iface = g.addr.Zone()
	}
	g.addr = g.addr.WithZone("")
	if iface != "" {
		g.ifi, err = interfaceIndex(iface)
	}
	return g, err
}

func (g Groups) validate() error {
	for _, text := range g {
		if _, err := parseGroup(text); err != nil {
			return err
		}
	}
	return nil
}

// matching returns those of addrs that are of a family of which there is a group;
// all of them if there is no group. Each group must have an address of its family.
func (g Groups) matching(addrs []netip.AddrPort) ([]netip.AddrPort, error) {
	if len(g) == 0 {
		return addrs, nil
	}
	var joined [2]bool // whether there is a group of IPv4, and of IPv6
	for _, text := range g {
		m, err := parseGroup(text)
		if err != nil {
			return nil, err
		}
		v6 := m.addr.Is6()
		if !slices.ContainsFunc(addrs, func(a netip.AddrPort) bool { return a.Addr().Is6() == v6 }) {
			return nil, usage(fmt.Sprintf("join=%s is of another family than the address", text), "")
		}
		if v6 {
			joined[1] = true
		} else {
			joined[0] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(addrs), func(a netip.AddrPort) bool {
		return a.Addr().Is6() && !joined[1] || a.Addr().Is4() && !joined[0]
	}), nil
}

// join makes a socket a member of the groups of its family.
func (g Groups) join(fd int, v6 bool) error {
	for _, text := range g {
		m, err := parseGroup(text)
		if err != nil {
			return err
		}
		if m.addr.Is6() != v6 {
			continue
		}
		if err := joinGroup(fd, m); err != nil {
			return fmt.Errorf("join=%s: %w", text, err)
		}
	}
	return nil
}

// interfaceIndex finds an interface by its name or by an address that it has.
func interfaceIndex(name string) (int, error) {
	if ifi, err := net.InterfaceByName(name); err == nil {
		return ifi.Index, nil
	}
	ifis, err := net.Interfaces()
	if err != nil {
		return 0, err
	}
	ip, err := netip.ParseAddr(name)
	for i := range ifis {
		if err != nil {
			break
		}
		addrs, _ := ifis[i].Addrs()
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr() == ip {
				return ifis[i].Index, nil
			}
		}
	}
	return 0, transport.WithHint(transport.Mark(fmt.Errorf("there is no network interface %s", name), transport.ErrUsage),
		"ip link shows the names of the interfaces")
}

// UDPDatagram sends datagrams to an address, which may be a multicast group or a
// broadcast, and receives from anybody: Meta.From tells from whom.
type UDPDatagram struct {
	Addr       string     // "host:port" to send to
	LocalAddr  string     // where to be bound to, [HOST][:PORT]; "" is anywhere
	SourcePort int        // port to be bound to; 0 is the one in LocalAddr, or any
	ReuseAddr  opt.Switch // share the port with sockets that share it too; on with Groups
	Broadcast  opt.Switch // allow sending to broadcast addresses; on, for whoever writes one means it
	OnlyTarget bool       // receive from Addr only
	HopLimit   int        // routers that may pass on what is sent to a group; 0 is 1, which is none
	Loop       opt.Switch // this machine receives what it sends to a group, if it is a member; on
	OutIf      string     // interface for what is sent to groups; "" lets the system choose
	Groups     Groups     // to be a member of
	Socket

	Resolver Resolver // nil is [net.DefaultResolver]
}

var (
	_ transport.Dialer    = (*UDPDatagram)(nil)
	_ transport.Validator = (*UDPDatagram)(nil)
)

// Bind binds the target and the options.
func (u *UDPDatagram) Bind(s *opt.Set) {
	bindUDPTarget(s, &u.Addr)
	bindDialed(s, &u.LocalAddr, &u.SourcePort, "send from")
	s.Switch(&u.ReuseAddr, "reuseaddr", false, "share the port with sockets that share it too; yes with join").Alias("so-reuseaddr")
	s.Switch(&u.Broadcast, "broadcast", true, "allow sending to broadcast addresses").Alias("so-broadcast")
	s.Embed(&u.Socket)
	s.Group("multicast")
	s.Int(&u.HopLimit, "multicast-ttl", 1, 1, 255, "routers that may pass on what is sent to a group").Alias("ip-multicast-ttl", "ipv6-multicast-hops")
	s.Switch(&u.Loop, "multicast-loop", true, "members on this machine receive what is sent to a group").Alias("ip-multicast-loop", "ipv6-multicast-loop")
	s.String(&u.OutIf, "multicast-if", "interface", "interface that sends to groups, by name or address").Alias("ip-multicast-if", "ipv6-multicast-if")
	s.Embed(&u.Groups)
}

// Validate looks at the parts that are addresses.
func (u *UDPDatagram) Validate() error {
	if err := u.Groups.validate(); err != nil {
		return err
	}
	if u.OutIf != "" {
		if _, err := interfaceIndex(u.OutIf); err != nil {
			return err
		}
	}
	_, err := parseLocal(u.LocalAddr, u.SourcePort)
	return err
}

// Dial opens a socket for the first address of the target.
func (u *UDPDatagram) Dial(ctx context.Context) (transport.Conn, error) {
	if err := u.Validate(); err != nil {
		return nil, err
	}
	local, err := findLocal(ctx, u.Resolver, "udp", u.Family, u.LocalAddr, u.SourcePort)
	if err != nil {
		return nil, err
	}
	addrs, err := lookupUDP(ctx, u.Resolver, local.family(u.Family), u.Addr)
	if err != nil {
		return nil, err
	}
	to := addrs[0]
	v6 := to.Addr().Is6()
	at, ok := local.of(v6)
	if !ok {
		at = netip.AddrPortFrom(unspecified(v6), 0)
	}
	if err := u.fits(to.Addr()); err != nil {
		return nil, err
	}
	s, err := listenUDP(ctx, at, u.set)
	if err != nil {
		return nil, err
	}
	return u.conn(s, to), nil
}

func (u *UDPDatagram) conn(s *udpSocket, to netip.AddrPort) *udpConn {
	kind := udpDatagramKind
	if u.OnlyTarget {
		kind = udpSendKind
	}
	c := newUDPConn(s, kind, net.UDPAddrFromAddrPort(to), target{addr: to})
	c.only = u.OnlyTarget
	return c
}

// fits refuses the options that have no effect on what is sent to an address.
func (u *UDPDatagram) fits(to netip.Addr) error {
	group := u.HopLimit != 0 || u.Loop != opt.Default || u.OutIf != ""
	switch {
	case group && !to.IsMulticast():
		return usage(fmt.Sprintf("multicast-ttl, multicast-loop and multicast-if are about groups, and %s is none", to), "")
	case u.TTL != 0 && to.IsMulticast():
		return usage("ttl has no effect on what is sent to a group", "write multicast-ttl")
	case u.Broadcast == opt.On && to.Is6():
		return usage("IPv6 has no broadcast", "")
	}
	_, err := u.Groups.matching([]netip.AddrPort{netip.AddrPortFrom(to, 0)})
	return err
}

func (u *UDPDatagram) set(fd int, v6 bool) error {
	if err := setUDP(fd, v6, &u.Socket, u.ReuseAddr.Or(len(u.Groups) > 0), false); err != nil {
		return err
	}
	if err := u.setMulticast(fd, v6); err != nil {
		return err
	}
	return u.Groups.join(fd, v6)
}
