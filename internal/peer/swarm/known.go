package swarm

import (
	"context"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	lpeer "github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// directDial is how long an address is tried.
const directDial = 5 * time.Second

// knownAgain are the pauses before the addresses are tried again that a peer has told us
// over a relay. The last one repeats; a change of the network ends it.
var knownAgain = []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute}

// searches are the peers that are reached through relays, and searched for elsewhere.
type searches struct {
	mu   sync.Mutex // guards with
	with map[lpeer.ID]bool
}

// wantKnown begins to try the addresses of a peer that is reached through a relay, beside
// the punching (punch.go): the two may be in one network, or the peer may have none in
// between.
func (n *Network) wantKnown(l *link) {
	id := l.conn.RemotePeer()
	if l.over != overRelay || n.config.NoPunch || n.rankOf(id) < guest {
		return
	}
	n.searches.mu.Lock()
	defer n.searches.mu.Unlock()
	if n.searches.with == nil {
		n.searches.with = map[lpeer.ID]bool{}
	}
	if !n.searches.with[id] && n.task(func() { n.search(id) }) {
		n.searches.with[id] = true
	}
}

// search tries the addresses of a peer for as long as it is reached through relays
// only.
func (n *Network) search(id lpeer.ID) {
	defer func() {
		n.searches.mu.Lock()
		defer n.searches.mu.Unlock()
		delete(n.searches.with, id)
	}()
	for try := 0; ; try++ {
		relayed := n.relayedOnly(id)
		if relayed == nil {
			return
		}
		changed := n.changes.wait()
		n.dialKnown(relayed, id)
		again := time.NewTimer(knownAgain[min(try, len(knownAgain)-1)])
		for waiting := true; waiting && n.ctx.Err() == nil; {
			linked := n.LinksChanged()
			if n.relayedOnly(id) == nil {
				break
			}
			select {
			case <-linked:
			case <-again.C:
				waiting = false
			case <-changed:
				waiting, try = false, -1
			case <-n.ctx.Done():
			}
		}
		again.Stop()
		if n.ctx.Err() != nil {
			return
		}
	}
}

// relayedOnly returns the link to a peer to which all links are through relays, or nil.
func (n *Network) relayedOnly(id lpeer.ID) *link {
	links := n.links.to(id)
	if len(links) == 0 || links[0].over != overRelay {
		return nil
	}
	return links[0]
}

// dialKnown dials all addresses that are none through a relay.
func (n *Network) dialKnown(l *link, id lpeer.ID) {
	n.dialSome(l, id, func(a ma.Multiaddr) bool { return overlayOf(a) != overRelay })
}

// dialSome dials those addresses at once that which chooses, and ends the rest when one of
// them is a link. The peer is reached by l already.
func (n *Network) dialSome(l *link, id lpeer.ID, which func(ma.Multiaddr) bool) {
	ctx, cancel := context.WithTimeout(n.ctx, directDial)
	defer cancel()
	n.awaitIdentified(ctx, l.conn)
	var wg sync.WaitGroup
	for _, a := range n.host.Peerstore().Addrs(id) {
		if which(a) {
			wg.Go(func() {
				if n.dialAddr(ctx, id, a) == nil {
					cancel()
				}
			})
		}
	}
	wg.Wait()
}

// awaitIdentified waits until the other side has said where it listens.
func (n *Network) awaitIdentified(ctx context.Context, c network.Conn) {
	select {
	case <-n.host.ids.IdentifyWait(c):
	case <-ctx.Done():
	}
}
