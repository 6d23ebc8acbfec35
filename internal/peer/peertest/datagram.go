package peertest

import (
	"bytes"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

const (
	// MaxDatagram is how many bytes the datagrams of a World have at most.
	MaxDatagram = 1200

	// maxUnderWay is how many datagrams of a node are on their way before more are
	// dropped.
	maxUnderWay = 512
)

var _ peer.Datagrammer = (*Node)(nil)

// A Treatment says what becomes of the i-th datagram on a wire, from 0: how much later it
// comes than it would, or whether it is lost.
type Treatment func(i int) (late time.Duration, lost bool)

// datagrams are what a node has to do with them. The mutex of the World guards the first two.
type datagrams struct {
	old      bool
	underWay int

	mu     sync.RWMutex // guards handle; held for reading while it is called
	handle func(from peer.ID, label uint32, p []byte)
}

// Treat has the datagrams between a and b treated so; nil is as they are.
func (w *World) Treat(a, b *Node, f Treatment) {
	w.change(a, b, func(x *wire) { x.treat, x.treated = f, 0 })
}

// NoDatagrams has streams alone go from a to b and from b to a, as over TCP, or datagrams,
// too, again. Over a relay go none either.
func (w *World) NoDatagrams(a, b *Node, none bool) {
	w.change(a, b, func(x *wire) { x.undatagrammed = none })
}

// Stick lets nothing arrive any more that streams carry, as when a packet of theirs was
// lost; datagrams do. It lasts until Heal.
func (w *World) Stick(a, b *Node) { w.change(a, b, func(x *wire) { x.stuck = true }) }

// Old makes n one that is older than datagrams: none is sent to it, and it sends none.
func (n *Node) Old() { n.world.lock(func() { n.datagrams.old = true }) }

// takesDatagrams tells whether datagrams go over the wire.
func (x *wire) takesDatagrams() bool {
	return x.up && !x.broken && !x.undatagrammed && x.link.Path == peer.Direct
}

// MaxDatagram returns how long a datagram to a peer may be.
func (n *Node) MaxDatagram(to peer.ID) int {
	w := n.world
	w.mu.Lock()
	defer w.mu.Unlock()
	far := w.nodes[to]
	if n.closed || far == nil || far == n || far.closed || n.datagrams.old || far.datagrams.old || !w.wire(n, far).takesDatagrams() {
		return 0
	}
	return MaxDatagram
}

// SendDatagram sends a datagram, which arrives when everything else does that is sent now,
// unless it is treated otherwise.
func (n *Node) SendDatagram(to peer.ID, label uint32, p []byte) error {
	switch longest := n.MaxDatagram(to); {
	case longest == 0:
		return peer.ErrNoDatagrams
	case len(p) > longest:
		return transport.ErrMsgTooLong
	}
	w := n.world
	w.mu.Lock()
	defer w.mu.Unlock()
	far := w.nodes[to]
	x := w.wire(n, far)
	switch {
	case far.closed || !x.takesDatagrams():
		return peer.ErrNoDatagrams
	case n.datagrams.underWay >= maxUnderWay:
		return peer.ErrDropped
	}
	late, lost := time.Duration(0), x.silent
	if x.treat != nil {
		var more bool
		late, more = x.treat(x.treated)
		lost = lost || more
	}
	x.treated++
	if lost {
		return nil
	}
	n.datagrams.underWay++
	far.working.Add(1)
	p = bytes.Clone(p)
	time.AfterFunc(x.delay+late, func() {
		defer far.working.Done()
		w.lock(func() { n.datagrams.underWay-- })
		far.arrives(n, label, p)
	})
	return nil
}

// arrives has a datagram served, if it is let in.
func (n *Node) arrives(from *Node, label uint32, p []byte) {
	w := n.world
	w.mu.Lock()
	there := !n.closed && w.wire(n, from).takesDatagrams() && !w.wire(n, from).silent
	w.mu.Unlock()
	if !there || !n.admit(from.Self()) {
		return
	}
	n.datagrams.mu.RLock()
	defer n.datagrams.mu.RUnlock()
	if h := n.datagrams.handle; h != nil {
		h(from.Self(), label, p)
	}
}

// ServeDatagrams has h called for each datagram.
func (n *Node) ServeDatagrams(h func(from peer.ID, label uint32, p []byte)) (stop func()) {
	set := func(f func(peer.ID, uint32, []byte)) {
		n.datagrams.mu.Lock()
		defer n.datagrams.mu.Unlock()
		if f != nil && n.datagrams.handle != nil {
			panic("peertest: datagrams are served already")
		}
		n.datagrams.handle = f
	}
	set(h)
	return sync.OnceFunc(func() { set(nil) })
}
