package proxy

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"slices"

	"github.com/tenon-net/tenon/address"
)

// isPrivate tells whether addr is something that a stranger should not reach by
// asking us to: the machine itself, the network that it stands in, or no single
// machine at all. It looks at what netip has methods for, then at other networks
// of the IANA special-purpose registries (RFC 6890), then for an IPv4 address
// that a gateway would find inside.
func isPrivate(addr netip.Addr) bool {
	addr = address.Canonical(addr)
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
	switch {
	case a[0] == 0xfe && a[1]&0xc0 == 0xc0, // fec0::/10, site-local, RFC 3879
		begins(a, 0x01, 0, 0, 0, 0, 0, 0, 0), // 100::/64, discarded, RFC 6666
		begins(a, nat64Local...), begins(a, teredo...):
		return true
	}
	return slices.ContainsFunc(embedded(netip.AddrFrom16(a)), isPrivate)
}

func begins(a [16]byte, with ...byte) bool { return bytes.HasPrefix(a[:], with) }

// The networks of IPv6 that lead to an address of IPv4.
var (
	nat64      = []byte{0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0} // 64:ff9b::/96, RFC 6052
	nat64Local = []byte{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}             // 64:ff9b:1::/48, RFC 8215
	translated = []byte{0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0}       // ::ffff:0:0:0/96, RFC 7915
	compatible = []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}             // ::/96, RFC 4291
	sixToFour  = []byte{0x20, 0x02}                                     // 2002::/16, RFC 3056
	teredo     = []byte{0x20, 0x01, 0, 0}                               // 2001::/32, RFC 4380
)

// embedded returns the addresses of IPv4 that a gateway or a tunnel may find in addr,
// and connect to: a rule about one of those is a rule about addr, too. Addresses of
// IPv4 that are mapped into IPv6 are expected as IPv4.
func embedded(addr netip.Addr) (inside []netip.Addr) {
	if !addr.Is6() {
		return nil
	}
	a := addr.As16()
	at := func(i int) { inside = append(inside, netip.AddrFrom4([4]byte(a[i:i+4]))) }
	switch {
	case begins(a, nat64...), begins(a, translated...), begins(a, compatible...):
		at(12)
	case begins(a, nat64Local...):
		at(12)
		inside = append(inside, netip.AddrFrom4([4]byte{a[6], a[7], a[9], a[10]})) // RFC 6052, section 2.2
	case begins(a, sixToFour...):
		at(2)
	case begins(a, teredo...):
		at(4) // the server; the client is written in reverse
		inside = append(inside, netip.AddrFrom4([4]byte{^a[12], ^a[13], ^a[14], ^a[15]}))
	}
	if a[8]&^2 == 0 && a[9] == 0 && a[10] == 0x5e && a[11] == 0xfe { // ISATAP, RFC 5214, section 6.1
		at(12)
	}
	return inside
}

// isOurs tells whether one of addrs belongs to this machine: what listens on a public
// address of ours may trust whoever comes from there.
func isOurs(addrs ...netip.Addr) (bool, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return false, errors.New("the addresses of this machine cannot be listed")
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok {
			own, _ := netip.AddrFromSlice(n.IP)
			own = own.Unmap()
			if slices.ContainsFunc(addrs, func(a netip.Addr) bool { return address.Canonical(a) == own }) {
				return true, nil
			}
		}
	}
	return false, nil
}
