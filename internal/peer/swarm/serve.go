package swarm

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/multiformats/go-multistream"
	"github.com/multiformats/go-varint"

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

	starting sync.WaitGroup // handlers that were found and are about to be called
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
	n.host.announce(protocol.ID(proto), true)
	return sync.OnceFunc(func() {
		n.serve.mu.Lock()
		delete(n.serve.names, proto)
		n.serve.mu.Unlock()
		n.host.announce(protocol.ID(proto), false)
		x.starting.Wait()
	})
}

// find returns what serves a protocol for somebody of a rank, or nil. What it finds is
// counted: started or abandoned has to be called. The second result tells that all is
// over.
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
	x.starting.Add(1)
	return x, false
}

// started calls the handler. The stream is closed behind it.
func (n *Network) started(x *served, s transport.Stream) {
	defer n.working.Done()
	defer s.Close() //nolint:errcheck // it returns nil
	x.starting.Done()
	x.handle(s)
}

// abandoned is called in place of started if the peer is gone.
func (n *Network) abandoned(x *served) {
	x.starting.Done()
	n.working.Done()
}

// begin counts something that Close waits for, until working.Done, unless Close has begun.
func (n *Network) begin() bool {
	n.serve.mu.Lock()
	defer n.serve.mu.Unlock()
	if !n.serve.over {
		n.working.Add(1)
	}
	return !n.serve.over
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

// maxAsked is how many protocols somebody may ask for on one stream.
const maxAsked = 32

// inbound has a stream that a peer has opened served.
func (n *Network) inbound(s network.Stream) {
	l := n.links.of(s.Conn())
	if l == nil {
		l = n.newLink(s.Conn()) // it is over already
	}
	l.greeted.Store(true)
	r := n.rankFrom(s.Conn().Stat().Direction, n.rankAs(l.id, s.Conn().RemotePeer()))
	if r == nobody {
		s.Conn().CloseWithError(network.ConnGated) //nolint:errcheck // it is gone
		return
	}
	s.SetDeadline(time.Now().Add(handshakeTimeout)) //nolint:errcheck // the streams of libp2p have deadlines
	if err := n.negotiate(s, l, r); err != nil {
		s.ResetWithError(network.StreamProtocolNegotiationFailed) //nolint:errcheck // it is gone
	}
}

// negotiate agrees on a protocol (github.com/multiformats/multistream-select) and has it
// served. Who is not known gets to see what he may speak, and finds out nothing about
// the rest.
func (n *Network) negotiate(s network.Stream, l *link, r rank) error {
	if err := putToken(s, multistream.ProtocolID); err != nil {
		return err
	}
	if name, err := multistream.ReadNextToken[protocol.ID](s); err != nil || name != multistream.ProtocolID {
		return errors.Join(errFrame, err)
	}
	for range maxAsked {
		name, err := multistream.ReadNextToken[protocol.ID](s)
		if err != nil {
			return err
		}
		x, over := n.find(string(name), r)
		if over {
			return errStopped
		}
		service := n.host.handler(name)
		if x == nil && service == nil {
			if err := putToken(s, "na"); err != nil {
				return err
			}
			continue
		}
		if x != nil && l.id.IsZero() {
			n.abandoned(x)
			return peer.ErrID
		}
		if err = errors.Join(s.SetProtocol(name), putToken(s, string(name)), s.SetDeadline(time.Time{})); err != nil {
			if x != nil {
				n.abandoned(x)
			}
			return err
		}
		if x != nil {
			go n.started(x, newStream(n, s, l.id, l.over)) // it may wait for days, and is to have a stack of its own, without all that was agreed on it
		} else {
			service(s)
		}
		return nil
	}
	return errFrame
}

// putToken writes a name as multistream-select has it: its length with a line feed, the
// name, the line feed.
func putToken(s network.Stream, name string) error {
	b := append(varint.ToUvarint(uint64(len(name)+1)), name...)
	_, err := s.Write(append(b, '\n'))
	return err
}

// end lets nothing begin any more.
func (s *serving) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
}

var errStopped = fmt.Errorf("%w: the network is closed", peer.ErrUnreachable)
