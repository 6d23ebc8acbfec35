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
	most := nearest(n.bestLink(from))
	n.lookUp(id, most, addrs)
	addrs = believed(most, addrs)
	n.addAddrs(id, addrs)
	return addrs
}

// nearest returns how near the addresses may be that somebody tells who is at the other end of a link. Nobody can
// have this node turn to addresses that are nearer to it than himself: those of this machine are learnt from this
// machine, and those of its networks from these.
func nearest(from peer.Link) scope {
	if s := scopeOf(from.Addr); from.Path == peer.Direct && s != unknown {
		return s
	}
	return everybody
}

// believed returns those of the addresses that may be that near. A name is none of them, though it may be looked up
// (names.go): what it stands for is for others to say, at each time and to each who asks. Whoever hands on what he has not
// believed himself would undo that for others, to whom he is nearer than where he has it from.
func believed(most scope, addrs []string) []string {
	return slices.DeleteFunc(slices.Clone(addrs), func(a string) bool {
		return len(a) > maxPlaceText || scopeOf(a) < most
	})
}

// A scope is from how far an address can be used.
type scope int

const (
	unknown scope = iota // it cannot be told without asking somebody, who may say something else the next time
	machine
	network
	everybody
)

// scopeOf tells it of an address; that of a relay counts. Of what has several parts that name a place, the nearest does.
func scopeOf(addr string) scope {
	parts := strings.Split(addr, "/") // "", "ip4", the address, the rest
	is := unknown
	for i := 1; i+1 < len(parts); i++ {
		var part scope
		switch parts[i] {
		case "ip4", "ip6":
			part = scopeOfIP(parts[i+1])
		case "ip6zone": // a zone is of this machine's interfaces (RFC 4007 section 6)
			part = network
		case "dns", "dns4", "dns6", "dnsaddr":
			return unknown
		default:
			if i == 1 {
				return unknown
			}
			continue
		}
		if is == unknown || part < is {
			is = part
		}
		i++
	}
	return is
}

func scopeOfIP(text string) scope {
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return machine
	}
	ip = ip.Unmap()
	for _, e := range embedding {
		if e.prefix.Contains(ip) {
			b := ip.As16()
			return scopeOfIP(netip.AddrFrom4([4]byte(b[e.at:])).String())
		}
	}
	for _, p := range nearer {
		if p.prefix.Contains(ip) {
			return p.scope
		}
	}
	switch {
	case ip.IsUnspecified(), ip.IsLoopback():
		return machine
	case ip.IsPrivate(), ip.IsLinkLocalUnicast(), ip.IsMulticast():
		return network
	}
	return everybody
}

// embedding are prefixes of addresses that stand for one of IPv4, which begins at a byte.
var embedding = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12}, // translated (RFC 6052)
	{netip.MustParsePrefix("2002::/16"), 2},     // 6to4 (RFC 3056)
}

// nearer are those that are not of the Internet and that package netip does not know.
var nearer = []struct {
	prefix netip.Prefix
	scope  scope
}{
	{netip.MustParsePrefix("0.0.0.0/8"), machine},      // this host on this network (RFC 1122 section 3.2.1.3)
	{netip.MustParsePrefix("::/96"), machine},          // compatible with IPv4, which nobody has any more (RFC 4291 section 2.5.5.1)
	{netip.MustParsePrefix("100.64.0.0/10"), network},  // of carriers behind their NATs (RFC 6598)
	{netip.MustParsePrefix("192.0.0.0/24"), network},   // of protocols (RFC 6890)
	{netip.MustParsePrefix("198.18.0.0/15"), network},  // of benchmarks (RFC 2544)
	{netip.MustParsePrefix("240.0.0.0/4"), network},    // not assigned, and broadcast (RFC 1112 section 4, RFC 919)
	{netip.MustParsePrefix("64:ff9b:1::/48"), network}, // translated within a network (RFC 8215)
	{netip.MustParsePrefix("fec0::/10"), network},      // of a site (RFC 3879)
}
