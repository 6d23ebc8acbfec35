package lan

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/throttle"
)

// Limits of what is remembered of what was heard.
const (
	maxHeard     = 512 // announcements in all
	maxOfSource  = 64  // from one address
	maxOfPeer    = 16  // that are one peer's
	maxAddrsPeer = 32  // multiaddrs of one peer that are handed on
)

// A table has the nodes that were heard.
type table struct {
	entries map[place]*entry
	new     throttle.Set[netip.Addr] // names from one address
	news    throttle.Set[struct{}]   // names in all: each is compared with all that are known
}

// A place is a name on a link.
type place struct {
	link int
	name string
}

// An entry is what was announced under a name.
type entry struct {
	id      peer.ID // zero = somebody that is not known
	src     netip.Addr
	tag     string
	addrs   []string
	expires time.Time
}

func (t *table) init() {
	t.entries = map[place]*entry{}
	t.new = throttle.Set[netip.Addr]{Every: time.Second, Burst: maxOfSource, Keys: 256}
	t.news = throttle.Set[struct{}]{Every: 20 * time.Millisecond, Burst: maxHeard, Keys: 1}
}

// hear takes note of a node, and returns those of whom the addresses have changed.
func (t *table) hear(k *link, src netip.Addr, s service, known func() []peer.ID) []peer.ID {
	at := place{k.Index, s.name}
	e := t.entries[at]
	if s.ttl == 0 {
		return t.remove(func(p place, _ *entry) bool { return p == at })
	}
	version, _ := s.value("v")
	said, _ := s.value("id")
	ports, _ := s.value("at")
	if version != "1" {
		return nil
	}
	if e == nil || e.tag != said {
		if !t.new.Allow(src) || !t.room(src) || !t.news.Allow(struct{}{}) {
			return nil
		}
		e = &entry{tag: said}
		e.id, _ = recognise(said, s.name, known())
		if !e.id.IsZero() && t.count(func(other *entry) bool { return other.id == e.id }) >= maxOfPeer {
			return nil
		}
	}
	addrs := multiaddrs(k, src, s, readPorts(ports))
	e.src, e.expires = src, time.Now().Add(time.Duration(s.ttl)*time.Second)
	var changed []peer.ID
	if !e.id.IsZero() && (t.entries[at] != e || !slices.Equal(e.addrs, addrs)) {
		changed = []peer.ID{e.id}
	}
	e.addrs, t.entries[at] = addrs, e
	return changed
}

func (t *table) count(of func(*entry) bool) (n int) {
	for _, e := range t.entries {
		if of(e) {
			n++
		}
	}
	return n
}

// room tells whether there is room for another entry, and makes some: of those that
// nobody knows, the one goes that would go first by itself.
func (t *table) room(src netip.Addr) bool {
	if t.count(func(e *entry) bool { return e.src == src }) >= maxOfSource {
		return false
	}
	if len(t.entries) < maxHeard {
		return true
	}
	var oldest place
	for at, e := range t.entries {
		if e.id.IsZero() && (oldest == place{} || e.expires.Before(t.entries[oldest].expires)) {
			oldest = at
		}
	}
	delete(t.entries, oldest)
	return len(t.entries) < maxHeard
}

// remove removes entries, and returns those of whom the addresses have changed.
func (t *table) remove(which func(place, *entry) bool) []peer.ID {
	var changed []peer.ID
	for at, e := range t.entries {
		if which(at, e) {
			delete(t.entries, at)
			if !e.id.IsZero() && !slices.Contains(changed, e.id) {
				changed = append(changed, e.id)
			}
		}
	}
	return changed
}

func (t *table) expire(now time.Time) []peer.ID {
	return t.remove(func(_ place, e *entry) bool { return e.expires.Before(now) })
}

func (t *table) forget(k *link) []peer.ID {
	return t.remove(func(at place, _ *entry) bool { return at.link == k.Index })
}

// doubt forgets those who were not among the known, so that they are compared again, and
// those who are not any more.
func (t *table) doubt(known []peer.ID) []peer.ID {
	return t.remove(func(_ place, e *entry) bool { return e.id.IsZero() || !slices.Contains(known, e.id) })
}

// addrs returns the multiaddrs of a peer.
func (t *table) addrs(id peer.ID) []string {
	var all []string
	for _, e := range t.entries {
		if e.id == id {
			all = append(all, e.addrs...)
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	return all[:min(len(all), maxAddrsPeer)]
}

// candidates are the addresses of a service that are on the link on which it was heard:
// where the message has come from, and what it says.
func candidates(k *link, src netip.Addr, s service) []netip.Addr {
	all := []netip.Addr{src}
	for _, a := range s.addrs {
		if a.Is6() && a.IsLinkLocalUnicast() {
			a = a.WithZone(k.Name)
		}
		if k.has(a) && !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return all
}

func multiaddrs(k *link, src netip.Addr, s service, ports []string) []string {
	var all []string
	for _, a := range candidates(k, src, s) {
		for _, p := range ports {
			switch {
			case a.Is4():
				all = append(all, fmt.Sprintf("/ip4/%s%s", a, p))
			case a.Zone() != "":
				all = append(all, fmt.Sprintf("/ip6zone/%s/ip6/%s%s", a.Zone(), a.WithZone(""), p))
			default:
				all = append(all, fmt.Sprintf("/ip6/%s%s", a, p))
			}
		}
	}
	slices.Sort(all)
	return all
}
