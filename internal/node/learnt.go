package node

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/tenon-net/tenon/internal/peer"
)

// told returns where this node is, as others are told who take part with it in something.
func (n *Node) told() []string {
	n.mu.Lock()
	relays := n.settings.Network.Relays
	n.mu.Unlock()
	relays, _ = relayAddrs(relays) //nolint:errcheck // what cannot be read is not used either
	return told(n.addrs(), relays)
}

// learnt takes note of where somebody may be, by what from says, who takes part with this node in something, and returns
// what of it is believed: others may be told that. Nobody's ID stands for whoever.
func (n *Node) learnt(from, id peer.ID, addrs []string) []string {
	if a := n.access.Load(); a.IsSelf(id) || a.Blocked[id] {
		return nil
	}
	addrs = believed(n.bestLink(from), addrs)
	n.addAddrs(id, addrs)
	return addrs
}

// believed returns those of the addresses that somebody may tell who is at the other end of a link. Nobody can
// have this node turn to addresses that are nearer to it than himself: those of this machine are learnt from this
// machine, and those of its networks from these. Whoever hands on what he has not believed himself would undo that
// for others, to whom he is nearer than where he has it from.
func believed(from peer.Link, addrs []string) []string {
	most := everybody
	if from.Path == peer.Direct {
		most = scopeOf(from.Addr)
	}
	return slices.DeleteFunc(slices.Clone(addrs), func(a string) bool {
		return len(a) > maxPlaceText || scopeOf(a) < most
	})
}

// A scope is from how far an address can be used.
type scope int

const (
	machine scope = iota
	network
	everybody
)

// scopeOf tells it of an address; that of a relay counts.
func scopeOf(addr string) scope {
	parts := strings.SplitN(addr, "/", 4) // "", "ip4", the address, the rest
	if len(parts) == 4 && parts[1] == "ip6zone" {
		return min(network, scopeOf("/"+parts[3])) // a zone is of this machine's interfaces (RFC 4007 section 6)
	}
	if len(parts) < 3 || parts[1] != "ip4" && parts[1] != "ip6" {
		return everybody
	}
	ip, err := netip.ParseAddr(parts[2])
	switch ip = ip.Unmap(); {
	case err != nil, ip.IsUnspecified(), ip.IsLoopback():
		return machine
	case ip.IsPrivate(), ip.IsLinkLocalUnicast(), ip.IsMulticast(), shared.Contains(ip):
		return network
	}
	return everybody
}

// shared is the address space of carriers behind their NATs (RFC 6598).
var shared = netip.MustParsePrefix("100.64.0.0/10")
