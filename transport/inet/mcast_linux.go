package inet

import (
	"os"

	"golang.org/x/sys/unix"
)

// joinGroup makes fd a member of a group.
func joinGroup(fd int, g group) error {
	if g.addr.Is6() {
		return os.NewSyscallError("setsockopt", unix.SetsockoptIPv6Mreq(fd, unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP,
			&unix.IPv6Mreq{Multiaddr: g.addr.As16(), Interface: uint32(g.ifi)}))
	}
	return os.NewSyscallError("setsockopt", unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP,
		&unix.IPMreqn{Multiaddr: g.addr.As4(), Ifindex: int32(g.ifi)}))
}

// setMulticast makes the options hold for what fd sends.
func (u *UDPDatagram) setMulticast(fd int, v6 bool) error {
	ifi := 0
	if u.OutIf != "" {
		var err error
		if ifi, err = interfaceIndex(u.OutIf); err != nil {
			return err
		}
	}
	hops, loop := max(u.HopLimit, 1), flag(u.Loop.Or(true))
	if v6 {
		return setAll(fd,
			sockopt{name: "multicast-ttl", level: unix.SOL_IPV6, opt: unix.IPV6_MULTICAST_HOPS, value: hops},
			sockopt{name: "multicast-loop", level: unix.SOL_IPV6, opt: unix.IPV6_MULTICAST_LOOP, value: loop},
			sockopt{name: "multicast-if", level: unix.SOL_IPV6, opt: unix.IPV6_MULTICAST_IF, value: ifi, skip: ifi == 0},
		)
	}
	if ifi != 0 {
		if err := unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, &unix.IPMreqn{Ifindex: int32(ifi)}); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	return setAll(fd,
		sockopt{name: "broadcast", level: unix.SOL_SOCKET, opt: unix.SO_BROADCAST, value: flag(u.Broadcast.Or(true))},
		sockopt{name: "multicast-ttl", level: unix.SOL_IP, opt: unix.IP_MULTICAST_TTL, value: hops},
		sockopt{name: "multicast-loop", level: unix.SOL_IP, opt: unix.IP_MULTICAST_LOOP, value: loop},
	)
}
