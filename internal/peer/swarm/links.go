package swarm

import (
	"iter"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	lpeer "github.com/libp2p/go-libp2p/core/peer"
	goyamux "github.com/libp2p/go-yamux/v5"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"github.com/quic-go/quic-go"

	"github.com/tenon-net/tenon/internal/peer"
)

// links are the connections that there are.
type links struct {
	mu      sync.Mutex // guards all below
	all     map[network.Conn]*link
	changed chan struct{} // closed at the next change
}

// A link is what is known about a connection.
type link struct {
	conn    network.Conn
	id      peer.ID // zero for those that have none of ours
	addr    string  // of the other side
	path    peer.Path
	via     peer.ID
	since   time.Time
	from    netip.Addr // of this machine; invalid if it is through a relay
	over    overlay
	greeted atomic.Bool   // the other side has spoken since the handshake
	moved   atomic.Uint64 // grows with what its streams read and write
	pinged  atomic.Int64  // nanoseconds that the last ping has taken; 0 = not known
	usedAt  atomic.Int64  // when the last datagram went over it, in nanoseconds; 0 = none has
}

// used notes that a datagram goes over the link.
func (l *link) used() { l.usedAt.Store(time.Now().UnixNano()) }

// An overlay says what a connection is made of.
type overlay int

// The overlays, the best first.
const (
	overTCP overlay = iota
	overQUIC
	overWS
	overRelay
)

// notifiee returns what libp2p tells of connections that come and go.
func (n *Network) notifiee() network.Notifiee {
	return &network.NotifyBundle{ConnectedF: n.connected, DisconnectedF: n.disconnected}
}

func (n *Network) connected(_ network.Network, c network.Conn) {
	l := n.newLink(c)
	n.addDatagrams(l)
	n.links.change(func(all map[network.Conn]*link) { all[c] = l })
	n.event(Event{What: Connected, Peer: l.id, Addr: l.addr, Path: l.path})
	if n.config.Remember != nil && l.path == peer.Direct && c.Stat().Direction == network.DirOutbound && !l.id.IsZero() {
		n.config.Remember(l.id, []string{l.addr})
	}
	n.wantDirect(l)
	n.wantKnown(l)
	if n.rankAs(l.id, c.RemotePeer()) >= guest || n.isRelay(c.RemotePeer()) {
		n.task(func() { n.keepPinging(l) })
	}
	if l.path == peer.Direct && !n.noPunch() && n.isCarrier(c.RemotePeer()) {
		n.task(func() { n.askObserversOf(n.ctx, l) })
	}
}

func (n *Network) disconnected(_ network.Network, c network.Conn) {
	l := n.links.of(c)
	if l != nil {
		n.datagrams.remove(l)
	}
	n.links.change(func(all map[network.Conn]*link) { delete(all, c) })
	if all := n.links.to(c.RemotePeer()); len(all) == 0 {
		n.moves.forget(c.RemotePeer())
		if l != nil {
			n.datagrams.unseek(l.id)
		}
	} else if all[0].over == overRelay { // what was direct is relayed now
		n.wantKnown(all[0])
	}
	n.direct.closeUnlinked(c.RemotePeer())
	if l != nil {
		n.event(Event{What: Disconnected, Peer: l.id, Addr: l.addr, Path: l.path})
	}
}

func (n *Network) newLink(c network.Conn) *link {
	l := &link{conn: c, addr: c.RemoteMultiaddr().String(), path: peer.Direct, since: c.Stat().Opened, over: overlayOf(c.RemoteMultiaddr()), from: n.sourceOfConn(c)}
	l.id, _ = ours(c.RemotePeer()) //nolint:errcheck // a stranger without an ID is nobody
	if l.over == overRelay {
		l.path = peer.Relayed
		relay, _ := relayOf(c.RemoteMultiaddr())
		l.via, _ = ours(relay) //nolint:errcheck // a relay without an ID is nobody
	}
	return l
}

// overlayOf tells what a connection to an address is made of.
func overlayOf(a ma.Multiaddr) overlay {
	if _, err := a.ValueForProtocol(ma.P_CIRCUIT); err == nil {
		return overRelay
	}
	if isWS(a) {
		return overWS
	}
	if _, err := a.ValueForProtocol(ma.P_TCP); err == nil {
		return overTCP
	}
	return overQUIC
}

// relayOf returns the relay in an address.
func relayOf(a ma.Multiaddr) (lpeer.ID, bool) {
	before, after := ma.SplitFunc(a, func(c ma.Component) bool { return c.Protocol().Code == ma.P_CIRCUIT })
	if len(after) == 0 || len(before) == 0 {
		return "", len(after) > 0
	}
	id, err := lpeer.IDFromP2PAddr(before)
	if err != nil {
		return "", true
	}
	return id, true
}

// change changes the links and tells of it.
func (l *links) change(f func(map[network.Conn]*link)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all = map[network.Conn]*link{}
	}
	f(l.all)
	close(l.changed)
	l.changed = make(chan struct{})
}

// tell tells of a change of something else that whoever waits for links wants to know.
func (l *links) tell() { l.change(func(map[network.Conn]*link) {}) }

// to returns the links to a peer, the best first; of those that are alike, the newest.
func (l *links) to(id lpeer.ID) []*link {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []*link
	for c, x := range l.all {
		if c.RemotePeer() == id && !c.IsClosed() {
			found = append(found, x)
		}
	}
	slices.SortFunc(found, func(a, b *link) int {
		if a.over != b.over {
			return int(a.over - b.over)
		}
		return b.since.Compare(a.since)
	})
	return found
}

// linkedDirectly tells whether there is a link to a peer that is not by a relay.
func (n *Network) linkedDirectly(id lpeer.ID) bool {
	all := n.links.to(id)
	return len(all) > 0 && all[0].over != overRelay
}

// directSince returns since when there has been a direct link to a peer, if there is one.
func (n *Network) directSince(id lpeer.ID) (since time.Time, linked bool) {
	for _, l := range n.links.to(id) {
		if l.over != overRelay && (!linked || l.since.Before(since)) {
			since, linked = l.since, true
		}
	}
	return since, linked
}

// of returns what is known about a connection, or nil.
func (l *links) of(c network.Conn) *link {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all[c]
}

// movedOver returns what counts the reads and writes over a connection.
func (n *Network) movedOver(c network.Conn) *atomic.Uint64 {
	if l := n.links.of(c); l != nil {
		return &l.moved
	}
	return new(atomic.Uint64) // it is over already
}

// Links yields the connections to peers that are let in, the oldest first. Those to
// relays and others that only help are not among them.
func (n *Network) Links() iter.Seq[peer.Link] {
	n.links.mu.Lock()
	var all []*link
	for _, l := range n.links.all {
		all = append(all, l)
	}
	n.links.mu.Unlock()
	slices.SortFunc(all, func(a, b *link) int { return a.since.Compare(b.since) })
	return func(yield func(peer.Link) bool) {
		for _, l := range all {
			if l.id.IsZero() || l.conn.IsClosed() || n.rankAs(l.id, l.conn.RemotePeer()) < guest {
				continue
			}
			if !yield(peer.Link{Peer: l.id, Path: l.path, Addr: l.addr, Via: l.via, Since: l.since, RTT: l.rtt()}) {
				return
			}
		}
	}
}

// LinksChanged returns a channel that is closed at the next change.
func (n *Network) LinksChanged() <-chan struct{} {
	n.links.mu.Lock()
	defer n.links.mu.Unlock()
	return n.links.changed
}

// near tells whether a few round trips do not matter.
func (l *link) near() bool {
	a := l.conn.RemoteMultiaddr()
	return manet.IsIPLoopback(a) || manet.IsPrivateAddr(a) || l.rtt() < directNear
}

// rtt returns the round trip, or 0.
func (l *link) rtt() time.Duration {
	if pinged := l.pinged.Load(); pinged > 0 {
		return time.Duration(pinged)
	}
	return rtt(l.conn)
}

// rtt returns what the connection itself has measured, or 0.
func rtt(c network.Conn) time.Duration {
	var session *goyamux.Session
	var conn *quic.Conn
	switch {
	case c.As(&session):
		return session.RTT()
	case c.As(&conn):
		return conn.ConnectionStats().SmoothedRTT
	}
	return 0
}
