package swarm

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// pollEvery is how often the addresses are looked at where the system does not tell.
const pollEvery = 5 * time.Second

// pollNetwork calls tell when the addresses of this machine change, until ctx ends.
func pollNetwork(ctx context.Context, tell func()) {
	before := localIPs()
	for tick := time.NewTicker(pollEvery); ; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			tick.Stop()
			return
		}
		if now := localIPs(); !slices.Equal(before, now) {
			before = now
			tell()
		}
	}
}

// localIPs returns the addresses of this machine, in order.
func localIPs() []netip.Addr {
	all, _ := net.InterfaceAddrs() //nolint:errcheck // then there are none
	var ips []netip.Addr
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			ips = append(ips, p.Addr().Unmap())
		}
	}
	slices.SortFunc(ips, netip.Addr.Compare)
	return ips
}

// isOverrun tells whether messages were lost, which there were too many of.
func isOverrun(err error) bool { return errors.Is(err, syscall.ENOBUFS) }

// networkChanged reacts to a change of the network: connections from an address that is
// gone are over, all others are pinged, and whatever waits to try again does.
func (n *Network) networkChanged() {
	ips := localIPs()
	n.links.mu.Lock()
	var over []*link
	for _, l := range n.links.all {
		at, err := netip.ParseAddrPort(netAddr(l.conn.LocalMultiaddr()).String())
		ip := at.Addr().Unmap().WithZone("")
		if err == nil && l.over == overTCP && !ip.IsUnspecified() && !slices.Contains(ips, ip) {
			over = append(over, l)
		}
	}
	n.links.mu.Unlock()
	for _, l := range over {
		n.dead(l)
	}
	n.direct.again()
	n.changes.tell()
	n.host.tellAddrs() //nolint:errcheck // signing does not fail
}
