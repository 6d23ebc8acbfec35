package swarm

import (
	"fmt"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// serving is what is served.
type serving struct {
	mu    sync.Mutex // guards all below, and that no task begins once Close has
	names map[string]*served
	over  bool
}

// served is one protocol.
type served struct {
	from   rank
	handle func(transport.Stream)
	over   bool // stop has been called; guarded by serving.mu
}

// Serve has h called for streams of peers that are known.
func (n *Network) Serve(proto string, h func(transport.Stream)) (stop func()) {
	return n.serveFrom(known, proto, h)
}

// ServeGuests is Serve for a protocol that guests may speak, too.
func (n *Network) ServeGuests(proto string, h func(transport.Stream)) (stop func()) {
	return n.serveFrom(guest, proto, h)
}

func (n *Network) serveFrom(from rank, proto string, h func(transport.Stream)) (stop func()) {
	x := &served{from: from, handle: h}
	n.serve.mu.Lock()
	if n.serve.names[proto] != nil {
		n.serve.mu.Unlock()
		panic("swarm: " + proto + " is served already")
	}
	if n.serve.names == nil {
		n.serve.names = map[string]*served{}
	}
	n.serve.names[proto] = x
	n.serve.mu.Unlock()
	n.host.add(from, protocol.ID(proto), func(p protocol.ID) bool { return string(p) == proto }, func(s network.Stream) { n.run(x, s) })
	return sync.OnceFunc(func() {
		n.host.RemoveStreamHandler(protocol.ID(proto))
		n.serve.mu.Lock()
		defer n.serve.mu.Unlock()
		x.over = true
		delete(n.serve.names, proto)
	})
}

// run has the handler called, unless it is stopped.
func (n *Network) run(x *served, s network.Stream) {
	who, err := ours(s.Conn().RemotePeer())
	n.serve.mu.Lock()
	over := x.over || n.serve.over || err != nil
	if !over {
		n.working.Add(1)
	}
	n.serve.mu.Unlock()
	if over {
		s.ResetWithError(network.StreamShutdown) //nolint:errcheck // it is gone
		return
	}
	defer n.working.Done()
	own := newStream(n, s, who, n.overlayOf(s))
	defer own.Close() //nolint:errcheck // it returns nil
	x.handle(own)
}

// find returns what serves a protocol for somebody of a rank, or nil. What it finds is
// counted as a handler that runs. The second result tells that all is over.
func (n *Network) find(proto string, r rank) (x *served, over bool) {
	n.serve.mu.Lock()
	defer n.serve.mu.Unlock()
	if n.serve.over || r == nobody {
		return nil, true
	}
	if x = n.serve.names[proto]; x == nil || r < x.from {
		return nil, false
	}
	n.working.Add(1)
	return x, false
}

// task runs f in a goroutine that Close waits for, unless that has begun.
func (n *Network) task(f func()) bool {
	n.serve.mu.Lock()
	defer n.serve.mu.Unlock()
	if n.serve.over {
		return false
	}
	n.working.Go(f)
	return true
}

// inbound has a stream that a peer has opened served. What somebody who is not known
// asks for is looked up among that which he may see, so that he finds out nothing about
// the rest.
func (n *Network) inbound(s network.Stream) {
	if l := n.links.of(s.Conn()); l != nil {
		l.greeted.Store(true)
	}
	r := n.rankOf(s.Conn().RemotePeer())
	if r == nobody {
		s.Conn().CloseWithError(network.ConnGated) //nolint:errcheck // it is gone
		return
	}
	s.SetDeadline(time.Now().Add(handshakeTimeout)) //nolint:errcheck // the streams of libp2p have deadlines
	proto, handle, err := n.host.muxes[r].Negotiate(s)
	if err == nil {
		err = s.SetProtocol(proto)
	}
	if err != nil {
		s.ResetWithError(network.StreamProtocolNegotiationFailed) //nolint:errcheck // it is gone
		return
	}
	s.SetDeadline(time.Time{}) //nolint:errcheck // the streams of libp2p have deadlines
	handle(proto, s)           //nolint:errcheck // the other side sees it
}

// end lets nothing begin any more.
func (s *serving) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
}

// overlayOf tells what a stream stands on.
func (n *Network) overlayOf(s network.Stream) overlay {
	if l := n.links.of(s.Conn()); l != nil {
		return l.over
	}
	return newLink(s.Conn()).over
}

var errStopped = fmt.Errorf("%w: the network is closed", peer.ErrUnreachable)
