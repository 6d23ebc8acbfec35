package swarm

import (
	"errors"
	"time"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/network"
	lpeer "github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/tenon-net/tenon/internal/peer"
)

// A rank says which protocols somebody gets to see.
type rank int

const (
	nobody  rank = iota
	carrier      // relays and whoever helps to find peers: libp2p's own protocols
	guest        // in addition those that were served with ServeGuests
	known        // all
)

// rankOf tells how far somebody is let in.
func (n *Network) rankOf(id lpeer.ID) rank {
	who, _ := ours(id) //nolint:errcheck // whoever has no such ID is nobody
	return n.rankAs(who, id)
}

// rankAs is rankOf for somebody whose ID is known already: to look at a key takes as
// long as to verify a signature.
func (n *Network) rankAs(who peer.ID, id lpeer.ID) rank {
	if id == n.self {
		return nobody
	}
	if !who.IsZero() && n.config.Admit != nil {
		switch n.config.Admit(who) {
		case peer.Known:
			return known
		case peer.Guest:
			return guest
		}
	}
	if n.isCarrier(id) {
		return carrier
	}
	return nobody
}

// errGated is what a dial of our own returns that the gate would not let through.
var errGated = errors.New("it is not to be dialed")

// A gate is asked by libp2p at each step of a connection.
type gate struct{ n *Network }

var _ connmgr.ConnectionGater = gate{}

// InterceptPeerDial lets us turn to those only that we would let in.
func (g gate) InterceptPeerDial(id lpeer.ID) bool {
	return g.n.rankOn(network.DirOutbound, id) != nobody
}

// InterceptAddrDial keeps dials within the local networks, if there they are to stay.
func (g gate) InterceptAddrDial(_ lpeer.ID, a ma.Multiaddr) bool {
	a = undisguised(a)
	return !g.n.config.LANOnly || manet.IsPrivateAddr(a) || manet.IsIPLoopback(a) || manet.IsIP6LinkLocal(a)
}

// InterceptAccept lets everybody show his key; how many do at a time is bounded by the
// resource manager.
func (g gate) InterceptAccept(at network.ConnMultiaddrs) bool {
	if overlayOf(at.RemoteMultiaddr()) == overRelay {
		g.n.expectPunch("") // by the time that it is known who that is, sockets are ready
	}
	return true
}

// How often it is told that somebody from one network was turned away: events are few, and
// what else has happened is to stay among them.
const (
	turnedEvery = time.Minute
	turnedBurst = 6
	turnedHosts = 64 // that are told apart; all others count as one
)

// InterceptSecured refuses whoever has shown a key that is not let in. Nothing has been
// read from him but his handshake.
func (g gate) InterceptSecured(dir network.Direction, id lpeer.ID, at network.ConnMultiaddrs) bool {
	switch {
	case id == g.n.self:
		return false // who that is, is looked at in twin.go
	case g.n.rankOn(dir, id) != nobody:
		return true
	}
	if !g.n.turned.Allow(hostOf(at.RemoteMultiaddr())) {
		return false
	}
	who, _ := ours(id) //nolint:errcheck // a stranger without an ID is nobody
	g.n.event(Event{What: Turned, Peer: who, Addr: at.RemoteMultiaddr().String()})
	return false
}

// InterceptUpgraded has nothing to add.
func (g gate) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }

// Recheck asks Admit about everybody who is connected and closes the connections of
// those who are not let in any more. Every new stream is asked about anyway.
func (n *Network) Recheck() {
	for _, c := range n.swarm.Conns() {
		if n.rankOn(c.Stat().Direction, c.RemotePeer()) == nobody {
			c.CloseWithError(network.ConnGated) //nolint:errcheck // it is gone, one way or the other
			n.direct.closePeer(c.RemotePeer())
		}
	}
}
