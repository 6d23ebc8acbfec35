package swarm

import (
	"context"
	"errors"
	"sync"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/event"
	lhost "github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	lpeer "github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/record"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-multistream"
)

// permanent is how long addresses are kept that do not change.
const permanent = peerstore.PermanentAddrTTL

// A host is the Network as libp2p's own services see it: identify, ping, the relay, the
// DHT. What they serve, everybody sees who is let in.
type host struct {
	n     *Network
	bus   event.Bus
	ids   identify.IDService
	names *multistream.MultistreamMuxer[protocol.ID] // what is announced

	mu       sync.Mutex // guards handlers
	handlers map[protocol.ID]network.StreamHandler

	protocols, addresses event.Emitter
}

var _ lhost.Host = (*host)(nil)

func newHost(n *Network, bus event.Bus) (*host, error) {
	h := &host{n: n, bus: bus, names: multistream.NewMultistreamMuxer[protocol.ID](), handlers: map[protocol.ID]network.StreamHandler{}}
	return h, h.services()
}

func (h *host) ID() lpeer.ID                     { return h.n.self }
func (h *host) Peerstore() peerstore.Peerstore   { return h.n.store }
func (h *host) Network() network.Network         { return h.n.swarm }
func (h *host) Mux() protocol.Switch             { return h.names }
func (h *host) ConnManager() connmgr.ConnManager { return connmgr.NullConnMgr{} }
func (h *host) EventBus() event.Bus              { return h.bus }
func (h *host) Addrs() []ma.Multiaddr            { return h.n.addrs() }

// Close does nothing: the Network is closed by its owner.
func (h *host) Close() error { return nil }

// Connect connects to a peer, unless that has been done.
func (h *host) Connect(ctx context.Context, info lpeer.AddrInfo) error {
	h.Peerstore().AddAddrs(info.ID, info.Addrs, peerstore.TempAddrTTL)
	if h.n.swarm.Connectedness(info.ID) == network.Connected {
		return nil
	}
	_, err := h.n.swarm.DialPeer(ctx, info.ID)
	return err
}

// NewStream opens a stream for the first of the protocols that the peer speaks.
func (h *host) NewStream(ctx context.Context, id lpeer.ID, protos ...protocol.ID) (network.Stream, error) {
	s, err := h.n.swarm.NewStream(ctx, id)
	if err != nil {
		return nil, err
	}
	return agree(ctx, s, protos...)
}

// agree agrees on the first of the protocols that the other side of a stream speaks.
func agree(ctx context.Context, s network.Stream, protos ...protocol.ID) (network.Stream, error) {
	stop := context.AfterFunc(ctx, func() { s.Reset() }) //nolint:errcheck // it is gone
	chosen, err := multistream.SelectOneOf(protos, s)
	if !stop() {
		err = errors.Join(context.Cause(ctx), err)
	}
	if err == nil {
		err = s.SetProtocol(chosen)
	}
	if err != nil {
		s.Reset() //nolint:errcheck // it is gone
		return nil, err
	}
	return s, nil
}

// SetStreamHandler has a service of libp2p serve a protocol.
func (h *host) SetStreamHandler(p protocol.ID, handle network.StreamHandler) {
	h.mu.Lock()
	h.handlers[p] = handle
	h.mu.Unlock()
	h.announce(p, true)
}

// SetStreamHandlerMatch is SetStreamHandler: none of libp2p's services that we have
// serves more than one name with it.
func (h *host) SetStreamHandlerMatch(p protocol.ID, _ func(protocol.ID) bool, handle network.StreamHandler) {
	h.SetStreamHandler(p, handle)
}

// RemoveStreamHandler ends what SetStreamHandler has begun.
func (h *host) RemoveStreamHandler(p protocol.ID) {
	h.mu.Lock()
	delete(h.handlers, p)
	h.mu.Unlock()
	h.announce(p, false)
}

// handler returns what serves a protocol of libp2p, or nil.
func (h *host) handler(p protocol.ID) network.StreamHandler {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.handlers[p]
}

// announce has identify say that a protocol is served, or is not any more.
func (h *host) announce(p protocol.ID, served bool) {
	told := event.EvtLocalProtocolsUpdated{Added: []protocol.ID{p}}
	if served {
		h.names.AddHandler(p, nil)
	} else {
		h.names.RemoveHandler(p)
		told = event.EvtLocalProtocolsUpdated{Removed: []protocol.ID{p}}
	}
	if h.protocols != nil {
		h.protocols.Emit(told) //nolint:errcheck // closed, at the end
	}
}

// tellAddrs signs where we are and tells libp2p's services of it.
func (h *host) tellAddrs() error {
	addrs := h.Addrs()
	book, ok := peerstore.GetCertifiedAddrBook(h.Peerstore())
	if !ok {
		return errors.New("swarm: the store keeps no signed addresses")
	}
	signed, err := record.Seal(lpeer.PeerRecordFromAddrInfo(lpeer.AddrInfo{ID: h.ID(), Addrs: addrs}), h.Peerstore().PrivKey(h.ID()))
	if err != nil {
		return err
	}
	if _, err := book.ConsumePeerRecord(signed, permanent); err != nil {
		return err
	}
	told := event.EvtLocalAddressesUpdated{SignedPeerRecord: signed}
	for _, a := range addrs {
		told.Current = append(told.Current, event.UpdatedAddress{Address: a})
	}
	h.n.told.tell()
	return h.addresses.Emit(told)
}
