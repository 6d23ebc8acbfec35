package swarm

import (
	"slices"
	"sync"

	"github.com/tenon-net/tenon/internal/account"
	"github.com/tenon-net/tenon/internal/peer"
)

// Datagrams go over direct connections of QUIC (RFC 9221), never through a relay and never
// over TCP. See docs/protocol/datagram.md. That the other side takes some, its transport
// parameters say.
type datagrams struct {
	sending account.Account // bytes that wait to be sent, over all ways

	hmu    sync.RWMutex // guards handle; held for reading while it is called
	handle func(from peer.ID, label uint32, p []byte)

	mu    sync.RWMutex // guards what follows
	ways  map[peer.ID][]*datagramWay
	seeks map[peer.ID]*seek
}

// maxSending bounds what waits to be sent over all ways.
const maxSending = 16 << 20

var _ peer.Datagrammer = (*Network)(nil)

// MaxDatagram returns how long a datagram to a peer may be. If there is only TCP to it,
// QUIC is tried, too.
func (n *Network) MaxDatagram(to peer.ID) int {
	if w := n.datagrams.way(to); w != nil {
		return w.measure()
	}
	n.seekQUIC(to)
	return 0
}

// SendDatagram sends a datagram over the newest connection of QUIC.
func (n *Network) SendDatagram(to peer.ID, label uint32, p []byte) error {
	if w := n.datagrams.way(to); w != nil {
		return w.send(label, p)
	}
	return peer.ErrNoDatagrams
}

// ServeDatagrams has h called for each datagram of somebody who is let in, also as a guest.
func (n *Network) ServeDatagrams(h func(from peer.ID, label uint32, p []byte)) (stop func()) {
	d := &n.datagrams
	d.hmu.Lock()
	defer d.hmu.Unlock()
	if d.handle != nil {
		panic("swarm: datagrams are served already")
	}
	d.handle = h
	return sync.OnceFunc(func() {
		d.hmu.Lock()
		defer d.hmu.Unlock()
		d.handle = nil
	})
}

// serve hands a datagram on.
func (d *datagrams) serve(from peer.ID, label uint32, p []byte) {
	d.hmu.RLock()
	defer d.hmu.RUnlock()
	if d.handle != nil {
		d.handle(from, label, p)
	}
}

// way returns the newest way to a peer, or nil.
func (d *datagrams) way(to peer.ID) *datagramWay {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, w := range slices.Backward(d.ways[to]) {
		if !w.link.conn.IsClosed() {
			return w
		}
	}
	return nil
}

// add adds a way, unless its connection is over already.
func (d *datagrams) add(w *datagramWay) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if w.link.conn.IsClosed() {
		return
	}
	if d.ways == nil {
		d.ways = map[peer.ID][]*datagramWay{}
	}
	d.ways[w.link.id] = append(d.ways[w.link.id], w)
}

// remove forgets the way that goes over a link, if there is one.
func (d *datagrams) remove(l *link) {
	d.mu.Lock()
	defer d.mu.Unlock()
	left := slices.DeleteFunc(d.ways[l.id], func(w *datagramWay) bool { return w.link == l })
	if len(left) == 0 {
		delete(d.ways, l.id)
		return
	}
	d.ways[l.id] = left
}
