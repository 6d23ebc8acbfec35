package swarm

import (
	"slices"
	"time"

	lpeer "github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/tenon-net/tenon/internal/peer"
)

// A seek is the search for a connection of QUIC to a peer to which there is a direct one
// already, of TCP: that is best for streams, and carries no datagrams.
type seek struct {
	trying bool
	tried  int
	not    time.Time // before this it is not tried again
}

// seekQUIC tries QUIC to a peer in the background, if there is a direct connection and none
// of QUIC: one that is there and carries no datagrams shows a peer that takes none. Through
// a relay nothing is begun; punching (punch.go) and search (known.go) look for ways then.
func (n *Network) seekQUIC(to peer.ID) {
	id, err := lib(to)
	if err != nil {
		return
	}
	links := n.links.to(id)
	if len(links) == 0 || links[0].over == overRelay || slices.ContainsFunc(links, func(l *link) bool { return l.over == overQUIC }) {
		return
	}
	d := &n.datagrams
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.seeks[to]
	if s == nil {
		s = new(seek)
	}
	if s.trying || time.Now().Before(s.not) || !n.task(func() { n.tryQUIC(s, to, id, links[0]) }) {
		return
	}
	s.trying = true
	if d.seeks == nil {
		d.seeks = map[peer.ID]*seek{}
	}
	d.seeks[to] = s
}

// tryQUIC dials all addresses that may be those of QUIC.
func (n *Network) tryQUIC(s *seek, to peer.ID, id lpeer.ID, l *link) {
	n.dialSome(l, id, func(a ma.Multiaddr) bool { return overlayOf(a) == overQUIC && udpAddr(a) != nil })
	d := &n.datagrams
	d.mu.Lock()
	defer d.mu.Unlock()
	s.trying = false
	s.not = time.Now().Add(knownAgain[min(s.tried, len(knownAgain)-1)])
	s.tried++
}

// unseek forgets a peer that is gone.
func (d *datagrams) unseek(id peer.ID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s := d.seeks[id]; s != nil && !s.trying {
		delete(d.seeks, id)
	}
}
