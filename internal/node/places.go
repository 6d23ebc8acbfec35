package node

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/tenon-net/tenon/internal/peer"
)

// circuit ends the address of a peer that is reached by way of a relay.
const circuit = "/p2p-circuit"

// How many addresses a ticket has, and how long each may be.
const (
	maxPlaces    = 6
	maxVia       = 3
	maxPlaceText = 256
)

// places chooses what a ticket says of where this node is: its own addresses, and an
// address of each relay by which it can be reached. A ticket is typed and drawn, so
// addresses that are good on this machine alone are left out if there are others.
func places(addrs, relays []string) (own, via []string) {
	shortest := map[string]string{} // by relay
	var order []string
	add := func(relay string) {
		_, id, _ := strings.Cut(relay, "/p2p/")
		was, ok := shortest[id]
		if !ok {
			order = append(order, id)
		}
		if !ok || shorter(relay, was) {
			shortest[id] = relay
		}
	}
	for _, a := range addrs {
		if relay, ok := strings.CutSuffix(a, circuit); ok {
			add(relay)
		} else if !slices.Contains(own, a) {
			own = append(own, a)
		}
	}
	for _, relay := range relays {
		add(relay)
	}
	for _, id := range order {
		via = append(via, shortest[id])
	}
	far := func(a string) bool { return !near(a) }
	if slices.ContainsFunc(own, far) || slices.ContainsFunc(via, far) {
		own = slices.DeleteFunc(own, near)
	}
	slices.SortStableFunc(own, lessUse)
	return fits(own, maxPlaces), fits(via, maxVia)
}

// shorter tells whether an address is more use in a ticket than another one.
func shorter(a, b string) bool {
	if near(a) != near(b) {
		return near(b)
	}
	return len(a) < len(b)
}

// lessUse puts behind what is of less use in a ticket, which has no room for all: the addresses
// that are good for fewer, and of those of one reach the WebSockets, which are for networks
// that let nothing else through.
func lessUse(a, b string) int {
	ws := func(a string) int { return strings.Count(a, "/ws") }
	return cmp.Or(cmp.Compare(scopeOf(b), scopeOf(a)), cmp.Compare(ws(a), ws(b)))
}

// near tells whether an address is good on this machine alone, or on a link that it
// does not name.
func near(a string) bool {
	parts := strings.SplitN(a, "/", 4) // "", "ip4", the address, the rest
	if len(parts) < 3 || parts[1] != "ip4" && parts[1] != "ip6" {
		return false
	}
	ip, err := netip.ParseAddr(parts[2])
	return err == nil && (ip.IsLoopback() || ip.IsLinkLocalUnicast())
}

// reached returns where the issuer of a ticket may be, by what the ticket says.
func reached(addrs, via []string) []string {
	all := slices.Clone(addrs)
	for _, relay := range via {
		all = append(all, strings.TrimSuffix(relay, circuit)+circuit)
	}
	return all
}

// fits returns the first of what a ticket has room for.
func fits(addrs []string, most int) []string {
	addrs = slices.DeleteFunc(slices.Clone(addrs), func(a string) bool { return len(a) > maxPlaceText })
	return addrs[:min(len(addrs), most)]
}

// told chooses what others are told who take part in something with this node: what is good for more of them first, and
// relays in any case, for it may be that there is no other way. Unlike those of a ticket, these are told to
// somebody on this machine, too.
func told(addrs, relays []string) []string {
	_, via := places(addrs, relays)
	own := slices.DeleteFunc(slices.Clone(addrs), func(a string) bool { return strings.HasSuffix(a, circuit) })
	slices.SortStableFunc(own, func(a, b string) int { return int(scopeOf(b)) - int(scopeOf(a)) })
	return reached(fits(own, peer.MaxContactAddrs-len(via)), via)
}
