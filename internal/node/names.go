package node

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
)

// A resolver asks what a name stands for, as [net.Resolver.LookupNetIP].
type resolver func(ctx context.Context, network, host string) ([]netip.Addr, error)

const (
	maxNames   = 4               // names that are looked up of those that one tells at a time
	maxLookups = 8               // that go on at once; what is more is passed over, and told again
	lookupTime = 5 * time.Second // that all names take together that one tells
)

// lookUp has names looked up that somebody tells, and takes note of what of it is believed: numbers, so that what is dialed is what was
// judged, whatever the names stand for the next time.
func (n *Node) lookUp(id peer.ID, most scope, addrs []string) {
	addrs = slices.DeleteFunc(slices.Clone(addrs), func(a string) bool { return len(a) > maxPlaceText || nameOf(a) == "" })
	if len(addrs) == 0 {
		return
	}
	select {
	case n.lookups <- struct{}{}:
	default:
		return
	}
	n.all.Go(func() { n.lookUpNow(id, most, addrs[:min(len(addrs), maxNames)]) })
}

func (n *Node) lookUpNow(id peer.ID, most scope, addrs []string) {
	defer func() { <-n.lookups }()
	ctx, cancel := context.WithTimeout(n.life, lookupTime)
	defer cancel()
	for _, a := range addrs {
		n.addAddrs(id, resolved(ctx, net.DefaultResolver.LookupNetIP, most, a))
	}
}

// nameOf returns the name that an address begins with, if that is the only thing in it that has to be looked up.
func nameOf(addr string) string {
	parts := strings.SplitN(addr, "/", 4)
	if len(parts) < 4 || parts[1] != "dns" && parts[1] != "dns4" && parts[1] != "dns6" {
		return ""
	}
	switch scopeOf("/ip4/192.0.2.1/" + parts[3]) {
	case everybody:
		return parts[2]
	}
	return ""
}

// resolved returns an address with what its name stands for, as far as that is no nearer than most.
func resolved(ctx context.Context, ask resolver, most scope, addr string) (all []string) {
	host := nameOf(addr)
	if host == "" {
		return nil
	}
	parts := strings.SplitN(addr, "/", 4)
	ips, err := ask(ctx, map[string]string{"dns": "ip", "dns4": "ip4", "dns6": "ip6"}[parts[1]], host)
	if err != nil {
		return nil
	}
	rest := withSNI(parts[3], host)
	for _, ip := range ips {
		if ip = ip.Unmap().WithZone(""); len(all) < maxNames && scopeOfIP(ip.String()) >= most {
			family := "ip6"
			if ip.Is4() {
				family = "ip4"
			}
			all = append(all, "/"+family+"/"+ip.String()+"/"+rest)
		}
	}
	return all
}

// withSNI has an address of a WebSocket in TLS say for which name, which stood in front of it: as go-libp2p does when it resolves one.
func withSNI(rest, host string) string {
	parts := strings.Split(rest, "/")
	for i, p := range parts {
		switch {
		case p == "wss":
			return strings.Join(slices.Replace(parts, i, i+1, "tls", "sni", host, "ws"), "/")
		case p == "tls" && i+1 < len(parts) && parts[i+1] == "ws":
			return strings.Join(slices.Insert(parts, i+1, "sni", host), "/")
		}
	}
	return rest
}
