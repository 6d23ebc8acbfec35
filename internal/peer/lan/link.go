package lan

import (
	"net"
	"net/netip"
	"slices"
	"time"
)

// maxLinks is how many interfaces are used.
const maxLinks = 64

// A link is an interface that can carry multicast.
type link struct {
	net.Interface
	prefixes []netip.Prefix // with the own addresses
}

// has tells whether an address is one of the network of the link.
func (k *link) has(a netip.Addr) bool {
	return a.Is6() && a.IsLinkLocalUnicast() || within(k.prefixes, a)
}

func within(prefixes []netip.Prefix, a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}

// addrs returns the own addresses.
func (k *link) addrs() []netip.Addr {
	var own []netip.Addr
	for _, p := range k.prefixes {
		own = append(own, p.Addr())
	}
	return own
}

// linkOf returns the link on which a packet has arrived.
func (l *LAN) linkOf(p packet) *link {
	if p.link != 0 {
		return l.links[p.link]
	}
	for _, k := range l.links {
		if k.Name == p.src.Addr().Zone() || within(k.prefixes, p.src.Addr()) {
			return k
		}
	}
	return nil
}

// scan looks at the interfaces. On one that is new, or has other addresses, what is
// announced gets a new name, and is announced.
func (l *LAN) scan() {
	found, err := net.Interfaces()
	if err != nil {
		return // as before
	}
	now := map[int]*link{}
	for _, i := range found {
		if i.Flags&net.FlagUp == 0 || i.Flags&(net.FlagMulticast|net.FlagLoopback) == 0 || len(now) >= maxLinks {
			continue
		}
		k := &link{Interface: i, prefixes: prefixesOf(&i)}
		if len(k.prefixes) > 0 && l.sockets.join(&i) {
			now[i.Index] = k
		}
	}
	var local []netip.Prefix
	before := l.links
	l.links = now
	for index, k := range now {
		local = append(local, k.prefixes...)
		if old := before[index]; old == nil || !slices.Equal(old.prefixes, k.prefixes) {
			l.arrive(k)
		}
	}
	l.local.Store(&local)
	for index, k := range before {
		if now[index] == nil {
			l.sockets.forget(index)
			l.report(l.heard.forget(k))
		}
	}
}

// arrive is called for a link that is another network than before.
func (l *LAN) arrive(k *link) {
	l.report(l.heard.forget(k))
	for s := range l.services {
		delete(s.on, k.Index)
		l.announce(s, k)
	}
	for _, wait := range []time.Duration{jitter(100 * time.Millisecond), sendEvery, 3 * sendEvery} {
		l.after(wait, func() {
			l.ask(nodeType)
			if len(l.seekers) > 0 {
				l.ask(pairType)
			}
			for _, s := range l.shareSeekers {
				l.askForShare(s, map[int]*link{k.Index: k})
			}
		})
	}
}

func prefixesOf(i *net.Interface) []netip.Prefix {
	addrs, err := i.Addrs()
	if err != nil {
		return nil
	}
	var prefixes []netip.Prefix
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		ip, ok := netip.AddrFromSlice(n.IP)
		bits, _ := n.Mask.Size()
		if p := netip.PrefixFrom(ip.Unmap(), bits); ok && p.IsValid() {
			prefixes = append(prefixes, p)
		}
	}
	slices.SortFunc(prefixes, netip.Prefix.Compare)
	return prefixes
}
