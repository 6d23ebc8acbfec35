package inet

import (
	"net"
	"net/netip"
	"strconv"
)

// sameZone tells whether two zones, numbers or names, are the same interface.
func sameZone(a, b string) bool {
	if a == b {
		return true
	}
	number := func(zone string) int {
		if n, err := strconv.Atoi(zone); err == nil {
			return n
		}
		ifi, err := net.InterfaceByName(zone)
		if err != nil {
			return -1
		}
		return ifi.Index
	}
	n := number(a)
	return n >= 0 && n == number(b)
}

// zones has the names of network interfaces by their numbers. It is used by one
// goroutine at a time, and remembers what it takes a system call to find out.
type zones map[string]string

// addr returns a with the name of the interface for its zone: the system tells the
// number, and people know the name.
func (z *zones) addr(a netip.AddrPort) *net.UDPAddr {
	number := a.Addr().Zone()
	if number == "" {
		return net.UDPAddrFromAddrPort(a)
	}
	name, known := (*z)[number]
	if !known {
		name = number
		if n, err := strconv.Atoi(number); err == nil {
			if ifi, err := net.InterfaceByIndex(n); err == nil {
				name = ifi.Name
			}
		}
		if *z == nil {
			*z = zones{}
		}
		(*z)[number] = name
	}
	return net.UDPAddrFromAddrPort(netip.AddrPortFrom(a.Addr().WithZone(name), a.Port()))
}
