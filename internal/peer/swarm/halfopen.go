package swarm

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"
)

// halfOpen counts the connections that have not shown a key yet, in all and for each
// address, so that one that opens many and says nothing keeps nobody else out.
type halfOpen struct {
	mu  sync.Mutex // guards all below
	all int
	of  map[netip.Prefix]int
}

// maxHalfOpenIP is how many there may be from one IPv4 address or IPv6 site.
const maxHalfOpenIP = 64

// enter counts a connection, or returns false if there are too many.
func (h *halfOpen) enter(from net.Addr) bool {
	site := siteOf(from)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.all >= maxHalfOpen || h.of[site] >= maxHalfOpenIP {
		return false
	}
	if h.of == nil {
		h.of = map[netip.Prefix]int{}
	}
	h.all++
	h.of[site]++
	return true
}

func (h *halfOpen) leave(from net.Addr) {
	site := siteOf(from)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all--
	if h.of[site]--; h.of[site] == 0 {
		delete(h.of, site)
	}
}

// siteOf returns what counts as one place: an IPv4 address, or the part of an IPv6
// address that a customer gets.
func siteOf(a net.Addr) netip.Prefix {
	at, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Prefix{}
	}
	ip, bits := at.Addr().Unmap().WithZone(""), 32
	if ip.Is6() {
		bits = 56
	}
	site, _ := ip.Prefix(bits) //nolint:errcheck // both fit
	return site
}

// pause waits a moment, and returns false if ctx ends meanwhile.
func pause(ctx context.Context) bool {
	select {
	case <-time.After(50 * time.Millisecond):
		return true
	case <-ctx.Done():
		return false
	}
}

// crowded tells whether so many have not shown a key that the address of a newcomer is
// to be verified before it costs anything (RFC 9000 section 8.1).
func (h *halfOpen) crowded(net.Addr) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all > maxHalfOpen/4
}
