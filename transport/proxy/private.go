package proxy

import (
	"errors"
	"net"
	"net/netip"
)

// isPrivate tells whether addr is something that a stranger should not reach by
// asking us to: the machine itself, the network that it stands in, or no single
// machine at all. It looks at what netip has methods for, then at other networks
// of the IANA special-purpose registries (RFC 6890), then for an IPv4 address
// that a gateway would find inside.
func isPrivate(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	if !addr.IsValid() || addr.IsUnspecified() || addr.IsLoopback() || addr.IsPrivate() ||
		addr.IsLinkLocalUnicast() || addr.IsMulticast() {
		return true
	}
	if addr.Is4() {
		return isPrivate4(addr.As4())
	}
	return isPrivate6(addr.As16())
}

func isPrivate4(a [4]byte) bool {
	switch {
	case a[0] == 0, // 0.0.0.0/8, this network; Linux connects some of it to itself
		a[0] == 100 && a[1]&0xc0 == 64,        // 100.64.0.0/10, providers' own, RFC 6598; the metadata of a cloud
		a == [4]byte{168, 63, 129, 16},        // the platform of another cloud
		a[0] == 192 && a[1] == 0 && a[2] == 0, // 192.0.0.0/24, RFC 6890; the metadata of a third
		a[0] == 198 && a[1]&0xfe == 18,        // 198.18.0.0/15, benchmarks, RFC 2544
		a[0] >= 240:                           // 240.0.0.0/4, reserved, and broadcast
		return true
	}
	return false
}

func isPrivate6(a [16]byte) bool {
	first := func(b ...byte) bool { return [16]byte(append(b, a[len(b):]...)) == a }
	inside := func(i int) bool { return isPrivate(netip.AddrFrom4([4]byte(a[i : i+4]))) }
	switch {
	case a[0] == 0xfe && a[1]&0xc0 == 0xc0, // fec0::/10, site-local, RFC 3879
		first(0x01, 0, 0, 0, 0, 0, 0, 0),          // 100::/64, discarded, RFC 6666
		first(0x00, 0x64, 0xff, 0x9b, 0x00, 0x01), // 64:ff9b:1::/48, a local NAT64, RFC 8215
		first(0x20, 0x01, 0, 0):                   // 2001::/32, Teredo, RFC 4380
		return true
	case first(0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0), // 64:ff9b::/96, NAT64, RFC 6052
		first(0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0), // ::ffff:0:0/96, stateless translation, RFC 7915
		first(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0):       // ::/96, IPv4-compatible, RFC 4291
		return inside(12)
	case first(0x20, 0x02): // 2002::/16, 6to4, RFC 3056
		return inside(2)
	}
	return false
}

// isOurs tells whether addr belongs to this machine: what listens on a public
// address of ours may trust whoever comes from there.
func isOurs(addr netip.Addr) (bool, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return false, errors.New("the addresses of this machine cannot be listed")
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok {
			if own, ok := netip.AddrFromSlice(n.IP); ok && own.Unmap() == addr.Unmap() {
				return true, nil
			}
		}
	}
	return false, nil
}
