package mailbox

import (
	"net"
	"net/netip"
	"strings"

	"github.com/tenon-net/tenon/transport"
)

// Host returns where a stream comes from, for limits: an IPv4 address or an IPv6 network
// of 56 bits, which one customer has. Where there is no such address it is the peer.
func Host(s transport.Stream) string {
	a, ok := hostAddr(transport.PeerAddr(s))
	if !ok {
		return s.Info().Peer
	}
	bits := 32
	if a.Is6() {
		bits = 56
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return s.Info().Peer
	}
	return p.String()
}

// hostAddr finds the IP address in an address of package net, or at the beginning of a
// multiaddr.
func hostAddr(addr net.Addr) (netip.Addr, bool) {
	text := addr.String()
	if part := strings.SplitN(text, "/", 4); len(part) > 2 && part[0] == "" && (part[1] == "ip4" || part[1] == "ip6") {
		text = part[2]
	} else if ap, err := netip.ParseAddrPort(text); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	a, err := netip.ParseAddr(text)
	return a.Unmap().WithZone(""), err == nil
}
