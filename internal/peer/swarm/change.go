package swarm

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	lpeer "github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
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

// hurryTime is for how long after a change of the network everything is done in haste.
const hurryTime = 3 * time.Second

// sourceOf returns the address from which this machine sends to another one now, or none if it
// cannot.
func sourceOf(to netip.Addr) netip.Addr {
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, 9))) // sends nothing
	if err != nil {
		return netip.Addr{}
	}
	defer c.Close()                                        //nolint:errcheck // nothing has been written
	from, _ := netip.ParseAddrPort(c.LocalAddr().String()) //nolint:errcheck // it is one
	return from.Addr().Unmap().WithZone("")
}

// ipOf returns the IP address in a multiaddr, or none. That of a relay is none of who is behind it.
func ipOf(a ma.Multiaddr) netip.Addr {
	if overlayOf(a) == overRelay {
		return netip.Addr{}
	}
	ip, _ := manet.ToIP(a) //nolint:errcheck // then there is none
	at, _ := netip.AddrFromSlice(ip)
	return at.Unmap()
}

// mayReach tells whether this machine can send to an address, as far as it is known.
func (n *Network) mayReach(a ma.Multiaddr) bool {
	ip := ipOf(a)
	return n.config.packets != nil || !ip.IsValid() || ip.IsLinkLocalUnicast() || sourceOf(ip).IsValid()
}

// sourceOfConn returns the address of this machine that a connection is from; none for one that
// is through a relay. A socket of QUIC is bound to none: the system says.
func (n *Network) sourceOfConn(c network.Conn) netip.Addr {
	ip := ipOf(c.LocalMultiaddr())
	if to := ipOf(c.RemoteMultiaddr()); ip.IsUnspecified() && to.IsValid() && n.config.packets == nil {
		return sourceOf(to)
	}
	return ip
}

// isCutOff tells whether a link is from an address that is gone, or the machine has no way to the
// other side any more.
func (n *Network) isCutOff(l *link, ips []netip.Addr) bool {
	from := l.from
	return from.IsValid() && !from.IsUnspecified() && (!slices.Contains(ips, from) || !n.mayReach(l.conn.RemoteMultiaddr()))
}

// networkChanged reacts to a change of the network: connections from an address that is
// gone are over, all others are pinged, and whatever waits to try again does.
func (n *Network) networkChanged() {
	n.changedAt.Store(time.Now().UnixNano())
	ips := localIPs()
	n.links.mu.Lock()
	all := slices.Collect(maps.Values(n.links.all))
	n.links.mu.Unlock()
	for _, l := range all {
		if n.isCutOff(l, ips) {
			n.dead(l)
		}
	}
	n.direct.again()
	n.changes.tell()
	n.MapPorts()
	n.host.tellAddrs() //nolint:errcheck // signing does not fail
}

// Moved returns a channel that is closed when the addresses or the routes of this machine change.
// The connections that they have ended are closed by then.
func (n *Network) Moved() <-chan struct{} { return n.changes.wait() }

// inHaste tells whether the network has changed a short time ago.
func (n *Network) inHaste() bool { return time.Now().UnixNano()-n.changedAt.Load() < int64(hurryTime) }

// errMoved ends what has begun before something has changed.
var errMoved = errors.New("the network has changed")

// settleTime lets all that dial a peer give up before the first begins again: libp2p has them
// share one dial, and keeps what has failed in it.
const settleTime = 10 * time.Millisecond

// whileMoving calls f, and each time that the network changes meanwhile again: what it has begun
// before may wait for answers to an address that is gone.
func (n *Network) whileMoving(ctx context.Context, f func(context.Context) error) error {
	return repeat(ctx, n.changes.wait, func() bool { return true }, f)
}

// whileReserving is for a dial: it calls f again when a relay has a place for us, if a relay has not
// connected us with the peer before that. libp2p does not try it again while it waits for the answer of
// another address.
func (n *Network) whileReserving(ctx context.Context, id lpeer.ID, f func(context.Context) error) error {
	defer n.circuits.failed.Delete(id)
	return repeat(ctx, n.reserved.wait, func() bool { _, failed := n.circuits.failed.LoadAndDelete(id); return failed }, f)
}

// repeat calls f, and each time that the channel that wait returns is closed meanwhile again, if it is
// worth while.
func repeat(ctx context.Context, wait func() <-chan struct{}, worth func() bool, f func(context.Context) error) error {
	for {
		changed := wait()
		within, cancel := context.WithCancelCause(ctx)
		done := make(chan struct{})
		var watching sync.WaitGroup
		watching.Go(func() {
			for {
				select {
				case <-changed:
					if worth() {
						cancel(errMoved)
						return
					}
					changed = wait()
				case <-done:
					return
				}
			}
		})
		err := f(within)
		close(done)
		watching.Wait()
		moved := context.Cause(within) == errMoved //nolint:errorlint // it is not wrapped
		cancel(nil)
		if err == nil || !moved || ctx.Err() != nil {
			return err
		}
		select {
		case <-time.After(settleTime):
		case <-ctx.Done():
			return err
		}
	}
}
