package natlab

import (
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// ipNet returns a prefix as netlink wants it, with the bits of the host left in.
func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

func one(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// defaultOf returns 0.0.0.0/0 or ::/0.
func defaultOf(a netip.Addr) netip.Prefix {
	if a.Is4() {
		return netip.MustParsePrefix("0.0.0.0/0")
	}
	return netip.MustParsePrefix("::/0")
}

// veth makes a pair of interfaces, one in each namespace, and brings both up. It makes them in a
// yard, where each gets another number: if the two of a pair have the same one, the kernel takes
// its time, up to a second, before it lets anything through.
func veth(yard, a *space, aName string, b *space, bName string) error {
	err := yard.do(func() error {
		v := netlink.NewVeth(netlink.LinkAttrs{Name: "a", TxQLen: 1000})
		v.PeerName = "b"
		if err := netlink.LinkAdd(v); err != nil {
			return err
		}
		for _, end := range []struct {
			made, name string
			s          *space
		}{{"a", aName, a}, {"b", bName, b}} {
			l, err := netlink.LinkByName(end.made)
			if err == nil {
				err = netlink.LinkSetName(l, end.name)
			}
			if err == nil && end.s != yard {
				err = netlink.LinkSetNsFd(l, int(end.s.fd.Fd()))
			}
			if err != nil {
				return fmt.Errorf("%s to %s: %w", end.name, end.s.name, err)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("veth: %w", err)
	}
	if err := a.linkUp(aName, true); err != nil {
		return err
	}
	if err := b.linkUp(bName, true); err != nil {
		return err
	}
	if err := a.running(aName); err != nil {
		return err
	}
	return b.running(bName)
}

// onLink calls f with an interface, on the thread of the namespace.
func (s *space) onLink(dev string, f func(netlink.Link) error) error {
	return s.do(func() error {
		l, err := netlink.LinkByName(dev)
		if err == nil {
			err = f(l)
		}
		if err != nil {
			return fmt.Errorf("%s: %s: %w", s.name, dev, err)
		}
		return nil
	})
}

func (s *space) linkUp(dev string, up bool) error {
	return s.onLink(dev, func(l netlink.Link) error {
		if up {
			return netlink.LinkSetUp(l)
		}
		return netlink.LinkSetDown(l)
	})
}

func (s *space) linkDel(dev string) error { return s.onLink(dev, netlink.LinkDel) }

// bridge makes a bridge, with a port that leads to a void. A bridge that gets its first port later
// waits for the kernel's leisure, too, before it sends anything.
func (l *Lab) bridge(s *space, name string) error {
	l.links++
	if err := veth(l.wires, s, "anchor", l.void, fmt.Sprintf("v%d", l.links)); err != nil {
		return err
	}
	err := s.do(func() error {
		snoop := false
		return netlink.LinkAdd(&netlink.Bridge{
			// An address of its own does not change with the first port, under its neighbours.
			LinkAttrs:         netlink.LinkAttrs{Name: name, HardwareAddr: net.HardwareAddr{2, 0, 0, 0, 0, 1}},
			MulticastSnooping: &snoop,
		})
	})
	if err != nil {
		return fmt.Errorf("%s: bridge: %w", s.name, err)
	}
	if err := s.addToBridge("anchor", name); err != nil {
		return err
	}
	if err := s.running("anchor"); err != nil {
		return err
	}
	return s.linkUp(name, true)
}

// running waits until an interface that is up works.
func (s *space) running(dev string) error {
	return s.poll(dev+" up", func() (bool, error) {
		l, err := netlink.LinkByName(dev)
		return err == nil && l.Attrs().OperState == netlink.OperUp, err
	})
}

func (s *space) addToBridge(dev, bridge string) error {
	if err := s.set("ipv6/conf/" + dev + "/disable_ipv6=1"); err != nil {
		return err
	}
	return s.onLink(dev, func(l netlink.Link) error {
		b, err := netlink.LinkByName(bridge)
		if err != nil {
			return err
		}
		return netlink.LinkSetMaster(l, b)
	})
}

// addrAdd gives an interface addresses, and waits until they are in use: the kernel takes IPv6
// packets for an address some time after it has said that it is there.
func (s *space) addrAdd(dev string, ps ...netip.Prefix) error {
	index := 0
	err := s.onLink(dev, func(l netlink.Link) error {
		index = l.Attrs().Index
		for _, p := range ps {
			a := &netlink.Addr{IPNet: ipNet(p)}
			if p.Addr().Is6() {
				a.Flags = unix.IFA_F_NODAD
			}
			if err := netlink.AddrReplace(l, a); err != nil {
				return fmt.Errorf("address %s: %w", p, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, p := range ps {
		if p.Addr().Is4() {
			continue
		}
		local := &netlink.Route{Table: unix.RT_TABLE_LOCAL, Dst: ipNet(one(p.Addr())), LinkIndex: index}
		err := s.poll(p.String()+" in use", func() (bool, error) {
			rs, err := netlink.RouteListFiltered(netlink.FAMILY_V6, local, netlink.RT_FILTER_TABLE|netlink.RT_FILTER_DST|netlink.RT_FILTER_OIF)
			return len(rs) > 0, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// poll calls f, on the thread of the namespace, until it is satisfied.
func (s *space) poll(what string, f func() (bool, error)) error {
	for range 2000 {
		ok := false
		if err := s.do(func() (err error) { ok, err = f(); return err }); err != nil || ok {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return fmt.Errorf("%s: %s: it does not happen", s.name, what)
}

func (s *space) addrDel(dev string, ps ...netip.Prefix) error {
	return s.onLink(dev, func(l netlink.Link) error {
		for _, p := range ps {
			if err := netlink.AddrDel(l, &netlink.Addr{IPNet: ipNet(p)}); err != nil {
				return fmt.Errorf("address %s: %w", p, err)
			}
		}
		return nil
	})
}

// route sends what is for a prefix through an interface: to a gateway, which need not be in
// any network there, or, without one, to whoever answers.
func (s *space) route(dst netip.Prefix, dev string, via netip.Addr, metric int) error {
	return s.onLink(dev, func(l netlink.Link) error {
		r := &netlink.Route{Dst: ipNet(dst.Masked()), LinkIndex: l.Attrs().Index, Priority: metric}
		if via.IsValid() {
			r.Gw, r.Flags = via.AsSlice(), int(netlink.FLAG_ONLINK)
		} else if dst.Addr().Is4() {
			r.Scope = netlink.SCOPE_LINK
		}
		if err := netlink.RouteReplace(r); err != nil {
			return fmt.Errorf("route %s via %s: %w", dst, via, err)
		}
		return nil
	})
}

func (s *space) unroute(dst netip.Prefix) error {
	return s.do(func() error {
		if err := netlink.RouteDel(&netlink.Route{Dst: ipNet(dst.Masked()), Scope: netlink.SCOPE_NOWHERE}); err != nil {
			return fmt.Errorf("%s: route %s: %w", s.name, dst, err)
		}
		return nil
	})
}

// blackhole drops in silence what no other route is for, as the Internet mostly does.
func (s *space) blackhole(dst netip.Prefix) error {
	return s.do(func() error {
		return netlink.RouteReplace(&netlink.Route{Dst: ipNet(dst), Type: unix.RTN_BLACKHOLE, Priority: 1 << 20})
	})
}

// forget drops every mapping and connection that a router knows.
func (s *space) forget() error {
	return s.do(func() error { return netlink.ConntrackTableFlush(netlink.ConntrackTable) })
}
