// Package peertest has a [peer.Network] in memory, for tests of what stands on one:
// nodes with names, and between each two a wire that can be slow, silent or broken.
// It has the suite that every Network runs ([Run]), peers that do what they should
// not ([Hostile]), and a store of tickets ([Tickets]).
//
// All waiting is on conditions and all time is from package time, so that
// testing/synctest understands it: a minute of silence takes no time.
package peertest

import (
	"context"
	"crypto/sha256"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// OpenTimeout is how long Open waits for a peer that does not answer.
const OpenTimeout = 10 * time.Second

// A World is where nodes find each other. The zero World is empty and ready.
type World struct {
	mu    sync.Mutex // guards all that the nodes, wires and pipes of this World hold
	nodes map[peer.ID]*Node
	heirs map[peer.ID]*Node // who is where a key was that nobody has any more
}

// A Node is a Network in memory.
type Node struct {
	world *World
	name  string
	key   *peer.Key
	admit func(peer.ID) bool

	rotations []byte // shown to all before they admit it
	succeeds  func([]byte)

	handlers  map[string]func(transport.Stream)
	wires     map[*Node]*wire // those that there is something to say of; both ends have each
	changed   chan struct{}   // closed at the next change of the links
	closed    bool
	working   sync.WaitGroup // handlers, and datagrams on their way to this node
	datagrams datagrams
}

var _ peer.Network = (*Node)(nil)

// A wire is what is between two nodes.
type wire struct {
	delay   time.Duration
	silent  bool      // nothing arrives
	broken  bool      // and both sides know it
	stuck   bool      // nothing arrives but datagrams
	resumed time.Time // when that ended
	up      bool      // it is a link
	link    peer.Link // Peer stands for the other side
	pipes   map[*pipe]bool

	undatagrammed bool // it carries no datagrams, whatever the path is
	treat         Treatment
	treated       int // datagrams so far
}

// Node makes a node. Its key follows from its name, so that it is the same in every
// run. It admits those for whom admit returns true, or all if admit is nil.
func (w *World) Node(name string, admit func(peer.ID) bool) *Node {
	return w.NodeWith(peer.KeyFromSeed(sha256.Sum256([]byte(name))), name, admit)
}

// NodeWith makes a node that has that key. A node with the key that was closed before
// gives way to it.
func (w *World) NodeWith(key *peer.Key, name string, admit func(peer.ID) bool) *Node {
	n := &Node{world: w, name: name, key: key, admit: admit,
		handlers: map[string]func(transport.Stream){}, wires: map[*Node]*wire{}, changed: make(chan struct{})}
	if n.admit == nil {
		n.admit = func(peer.ID) bool { return true }
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.nodes == nil {
		w.nodes = map[peer.ID]*Node{}
	}
	if old := w.nodes[n.Self()]; old != nil && !old.closed {
		panic("peertest: two nodes are called " + name)
	}
	w.nodes[n.Self()] = n
	return n
}

// Rotated has the node show statements by which earlier keys have named its own, and tells
// it those of others, before it is looked at who is admitted. Who turns to a node with one
// of the earlier keys finds this one, and that it has not the key.
func (n *Node) Rotated(rotations []byte, succeeds func(rotations []byte)) {
	w := n.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.heirs == nil {
		w.heirs = map[peer.ID]*Node{}
	}
	n.rotations, n.succeeds = rotations, succeeds
	for id := range w.nodes {
		if old, _, err := peer.Succession(rotations, func(other peer.ID) bool { return other == id }); err == nil {
			w.heirs[old] = n
		}
	}
}

// shake has two nodes show each other what keys they have had.
func shake(a, b *Node) {
	w := a.world
	w.mu.Lock()
	ofA, toA, ofB, toB := a.rotations, a.succeeds, b.rotations, b.succeeds
	w.mu.Unlock()
	if toA != nil && len(ofB) > 0 {
		toA(ofB)
	}
	if toB != nil && len(ofA) > 0 {
		toB(ofA)
	}
}

// wire returns the wire between two nodes. It is called with mu held.
func (w *World) wire(a, b *Node) *wire {
	x := a.wires[b]
	if x == nil {
		x = &wire{pipes: map[*pipe]bool{}, link: peer.Link{Path: peer.Direct}}
		a.wires[b], b.wires[a] = x, x
	}
	return x
}

// change changes the wire between a and b, and wakes all who wait for it.
func (w *World) change(a, b *Node, f func(*wire)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	x := w.wire(a, b)
	before, rtt, carried := x.up, x.link, x.takesDatagrams()
	f(x)
	for p := range x.pipes {
		p.changed.Broadcast()
	}
	if before != x.up || x.up && rtt != x.link || carried != x.takesDatagrams() {
		a.tell()
		b.tell()
	}
}

// Delay makes everything take so long from a to b and from b to a. What is on its way
// arrives as it would have.
func (w *World) Delay(a, b *Node, d time.Duration) {
	w.change(a, b, func(x *wire) { x.delay, x.link.RTT = d, 2*d })
}

// Silence lets nothing arrive any more, as a cable does that is pulled out: nobody is
// told. What was on its way arrives after Heal.
func (w *World) Silence(a, b *Node) { w.change(a, b, func(x *wire) { x.silent = true }) }

// Strand lets nothing arrive any more on the streams that there are now, as when an
// address changes or a NAT forgets: nobody is told, and new streams are well. It lasts
// until Break.
func (w *World) Strand(a, b *Node) {
	w.change(a, b, func(x *wire) {
		for p := range x.pipes {
			p.stranded = true
		}
	})
}

// Break ends the link and every stream over it, on both sides at once, as a
// connection does that times out. What was on its way is lost.
func (w *World) Break(a, b *Node) {
	w.change(a, b, func(x *wire) {
		x.broken, x.up = true, false
		for p := range x.pipes {
			p.fail(peer.ErrUnreachable)
		}
		clear(x.pipes)
	})
}

// Heal ends Silence, Stick and Break.
func (w *World) Heal(a, b *Node) {
	w.change(a, b, func(x *wire) {
		if x.silent || x.stuck {
			x.resumed = time.Now()
		}
		x.silent, x.stuck, x.broken = false, false, false
	})
}

// Relayed makes Links say that the link is by a relay, or direct again if via is nil.
func (w *World) Relayed(a, b, via *Node) {
	w.change(a, b, func(x *wire) {
		x.link.Path, x.link.Via = peer.Direct, peer.ID{}
		if via != nil {
			x.link.Path, x.link.Via = peer.Relayed, via.Self()
		}
	})
}

// tell closes the channel of LinksChanged. It is called with mu held.
func (n *Node) tell() {
	close(n.changed)
	n.changed = make(chan struct{})
}

// Name returns the name that the node was made with.
func (n *Node) Name() string { return n.name }

// Key returns the node's key.
func (n *Node) Key() *peer.Key { return n.key }

// Self returns the ID of the key.
func (n *Node) Self() peer.ID { return n.key.ID() }

// Open opens a stream. It takes the time that a message needs there and back.
func (n *Node) Open(ctx context.Context, to peer.ID, proto string) (transport.Stream, error) {
	fail := func(err error) (transport.Stream, error) {
		return nil, &peer.OpenError{Proto: proto, To: to, Err: err}
	}
	if err := context.Cause(ctx); err != nil {
		return fail(err)
	}
	w := n.world
	w.mu.Lock()
	far, closed := w.nodes[to], n.closed
	if far != nil && far.closed && w.heirs[to] != nil {
		far = w.heirs[to]
	}
	w.mu.Unlock()
	switch {
	case closed || far == nil || far == n:
		return fail(peer.ErrUnreachable)
	case !n.admit(to):
		return fail(peer.ErrNotAdmitted)
	}
	if err := n.roundTrip(ctx, far); err != nil {
		return fail(err)
	}
	shake(n, far)
	switch {
	case far.Self() != to:
		return fail(peer.ErrUnreachable) // somebody else answers
	case !far.admit(n.Self()):
		return fail(peer.ErrNotAdmitted)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	x, h := w.wire(n, far), far.handlers[proto]
	switch {
	case x.broken || far.closed || n.closed:
		return fail(peer.ErrUnreachable)
	case h == nil:
		return fail(peer.ErrNoProtocol)
	}
	if !x.up {
		x.up, x.link.Since = true, time.Now()
		n.tell()
		far.tell()
	}
	near, other := newStreams(n, far, x, proto)
	far.working.Add(1)
	go far.handle(h, other)
	return near, nil
}

// roundTrip waits for the time that a message needs there and back.
func (n *Node) roundTrip(ctx context.Context, far *Node) error {
	w := n.world
	p := &pipe{world: w}
	p.changed.L = &w.mu
	w.mu.Lock()
	defer w.mu.Unlock()
	x := w.wire(n, far)
	p.wire = x
	x.pipes[p] = true
	defer delete(x.pipes, p)
	late := time.AfterFunc(OpenTimeout, func() { w.lock(func() { p.fail(peer.ErrUnreachable) }) })
	defer late.Stop()
	defer context.AfterFunc(ctx, func() { w.lock(func() { p.fail(context.Cause(ctx)) }) })()
	if x.broken {
		return peer.ErrUnreachable
	}
	at := time.Now().Add(2 * x.delay)
	for !p.arrived(at) {
		if p.failure[reader] != nil {
			return p.failure[reader]
		}
		p.changed.Wait()
	}
	return nil
}

func (w *World) lock(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// handle runs a handler.
func (n *Node) handle(h func(transport.Stream), s *stream) {
	defer n.working.Done()
	defer s.Close() //nolint:errcheck // it returns nil
	h(s)
}

// Serve has h called for streams of proto.
func (n *Node) Serve(proto string, h func(transport.Stream)) (stop func()) {
	w := n.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if n.handlers[proto] != nil {
		panic("peertest: " + proto + " is served already")
	}
	n.handlers[proto] = h
	return sync.OnceFunc(func() { w.lock(func() { delete(n.handlers, proto) }) })
}

// Links yields the wires by which streams have been opened, in the order in which they
// came up.
func (n *Node) Links() iter.Seq[peer.Link] {
	w := n.world
	w.mu.Lock()
	defer w.mu.Unlock()
	var links []peer.Link
	for far, x := range n.wires {
		if x.up {
			l := x.link
			l.Peer, l.Addr = far.Self(), far.name
			links = append(links, l)
		}
	}
	slices.SortFunc(links, func(a, b peer.Link) int {
		return a.Since.Compare(b.Since)
	})
	return slices.Values(links)
}

// LinksChanged returns a channel that is closed at the next change.
func (n *Node) LinksChanged() <-chan struct{} {
	n.world.mu.Lock()
	defer n.world.mu.Unlock()
	return n.changed
}

// Close breaks all links of the node and waits for its handlers. Nobody reaches it any
// more.
func (n *Node) Close() error {
	w := n.world
	w.mu.Lock()
	others := slices.Collect(maps.Keys(n.wires))
	n.closed = true
	w.mu.Unlock()
	for _, other := range others {
		w.Break(n, other)
	}
	n.working.Wait()
	return nil
}
