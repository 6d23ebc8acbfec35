package swarm

import (
	"context"
	"errors"
	"io"

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
	muxes [ranks]*multistream.MultistreamMuxer[protocol.ID]

	protocols, addresses event.Emitter
}

var _ lhost.Host = (*host)(nil)

func newHost(n *Network, bus event.Bus) (*host, error) {
	h := &host{n: n, bus: bus}
	for r := range h.muxes {
		h.muxes[r] = multistream.NewMultistreamMuxer[protocol.ID]()
	}
	return h, h.services()
}

func (h *host) ID() lpeer.ID                     { return h.n.self }
func (h *host) Peerstore() peerstore.Peerstore   { return h.n.swarm.Peerstore() }
func (h *host) Network() network.Network         { return h.n.swarm }
func (h *host) Mux() protocol.Switch             { return h.muxes[known] }
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
	h.SetStreamHandlerMatch(p, func(q protocol.ID) bool { return p == q }, handle)
}

// SetStreamHandlerMatch is SetStreamHandler for protocols that match.
func (h *host) SetStreamHandlerMatch(p protocol.ID, match func(protocol.ID) bool, handle network.StreamHandler) {
	h.add(carrier, p, match, handle)
}

// RemoveStreamHandler ends what SetStreamHandler and add have begun.
func (h *host) RemoveStreamHandler(p protocol.ID) {
	for _, mux := range h.muxes {
		mux.RemoveHandler(p)
	}
	h.protocols.Emit(event.EvtLocalProtocolsUpdated{Removed: []protocol.ID{p}}) //nolint:errcheck // closed, at the end
}

// add has a protocol served to all from a rank upwards.
func (h *host) add(from rank, p protocol.ID, match func(protocol.ID) bool, handle network.StreamHandler) {
	for _, mux := range h.muxes[from:] {
		mux.AddHandlerWithFunc(p, match, func(p protocol.ID, rwc io.ReadWriteCloser) error {
			s, ok := rwc.(network.Stream)
			if !ok {
				return errors.New("swarm: not a stream of libp2p")
			}
			handle(s)
			return nil
		})
	}
	if h.protocols != nil {
		h.protocols.Emit(event.EvtLocalProtocolsUpdated{Added: []protocol.ID{p}}) //nolint:errcheck // closed, at the end
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
	return h.addresses.Emit(told)
}
