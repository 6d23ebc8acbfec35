package swarm

import (
	"context"

	lpeer "github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	ltransport "github.com/libp2p/go-libp2p/core/transport"
	ma "github.com/multiformats/go-multiaddr"
)

// Where a link has neither a router nor DHCP, as between two computers and a cable, the addresses there are link-local
// ones of IPv6, and mean something with a zone only, the name of the interface: "/ip6zone/eth0/ip6/fe80::1/tcp/4001"
// (RFC 4007). libp2p dials none of these: its swarm leaves out link-local addresses, with or without a zone, and its
// transports take no zone. So the swarm sees them with the zone twice, which it takes for something else, and our
// transports take it away again. Everybody else sees them as they are.

// A zonedBook is a Peerstore as the swarm sees it, which dials what it has.
type zonedBook struct{ peerstore.Peerstore }

// Addrs returns the addresses of a peer, those with a zone in disguise.
func (b zonedBook) Addrs(id lpeer.ID) []ma.Multiaddr {
	all := b.Peerstore.Addrs(id)
	for i, a := range all {
		if isZoned(a) {
			all[i] = append(ma.Multiaddr{a[0]}, a...)
		}
	}
	return all
}

// isZoned tells whether an address begins with a zone and an IP address in it.
func isZoned(a ma.Multiaddr) bool {
	return len(a) > 1 && a[0].Protocol().Code == ma.P_IP6ZONE && a[1].Protocol().Code == ma.P_IP6
}

// undisguised returns an address as it is, wherever it is from.
func undisguised(a ma.Multiaddr) ma.Multiaddr {
	if len(a) > 1 && a[0].Protocol().Code == ma.P_IP6ZONE && a[0].Equal(&a[1]) {
		return a[1:]
	}
	return a
}

// withoutZone returns the address without its zone.
func withoutZone(a ma.Multiaddr) ma.Multiaddr {
	if a = undisguised(a); isZoned(a) {
		return a[1:]
	}
	return a
}

// CanDial takes addresses with a zone as well.
func (t *tcpTransport) CanDial(a ma.Multiaddr) bool { return t.TcpTransport.CanDial(withoutZone(a)) }

// Dial dials what CanDial takes.
func (t *tcpTransport) Dial(ctx context.Context, a ma.Multiaddr, id lpeer.ID) (ltransport.CapableConn, error) {
	return t.TcpTransport.Dial(ctx, undisguised(a), id)
}

// DialWithUpdates is Dial, and says how far it is. Of an address in disguise it does not: it is not known by that which
// would be named.
func (t *tcpTransport) DialWithUpdates(ctx context.Context, a ma.Multiaddr, id lpeer.ID, updates chan<- ltransport.DialUpdate) (ltransport.CapableConn, error) {
	if is := undisguised(a); len(is) != len(a) {
		return t.TcpTransport.Dial(ctx, is, id)
	}
	return t.TcpTransport.DialWithUpdates(ctx, a, id, updates)
}
