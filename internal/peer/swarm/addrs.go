package swarm

import (
	"net"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	lpeer "github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// maxAddrs is how many addresses of a peer are tried.
const maxAddrs = 32

// Addrs returns where others may find this Network, as multiaddrs.
func (n *Network) Addrs() []string {
	return texts(n.addrs())
}

func texts(addrs []ma.Multiaddr) (all []string) {
	for _, a := range addrs {
		all = append(all, a.String())
	}
	return all
}

func (n *Network) addrs() []ma.Multiaddr {
	if len(n.config.Announce) > 0 {
		addrs, _ := parseAddrs(n.config.Announce) //nolint:errcheck // New has looked at them
		return append(addrs, n.reservedAddrs()...)
	}
	all, err := n.swarm.InterfaceListenAddresses()
	if err != nil {
		all = n.swarm.ListenAddresses()
	}
	var addrs []ma.Multiaddr
	for _, a := range all {
		if overlayOf(a) != overRelay && !a.Equal(injected) && !manet.IsIPUnspecified(a) {
			addrs = append(addrs, a)
		}
	}
	addrs = append(addrs, n.mappedAddrs()...)
	return append(addrs, n.reservedAddrs()...)
}

// AddAddrs makes known where a peer may be. What cannot be read is left out.
func (n *Network) AddAddrs(id peer.ID, addrs ...string) {
	to, err := lib(id)
	if err != nil {
		return
	}
	n.addAddrs(to, addrs, peerstore.TempAddrTTL*30)
}

func (n *Network) addAddrs(to lpeer.ID, all []string, ttl time.Duration) {
	var addrs []ma.Multiaddr
	for _, text := range all {
		if a, err := ma.NewMultiaddr(text); err == nil && len(addrs) < maxAddrs {
			addrs = append(addrs, a)
			n.nameRelay(a)
		}
	}
	n.host.Peerstore().AddAddrs(to, addrs, ttl)
}

// rankDials says in which order addresses are tried: what is near first by TCP, which
// is faster there, what is far by QUIC and TCP at once, and relays with them, so that
// something is there early.
func rankDials(addrs []ma.Multiaddr) []network.AddrDelay {
	delays := make([]network.AddrDelay, len(addrs))
	addrs = slices.Clone(addrs) // of those that are tried at once, a few only are while they do not answer
	slices.SortStableFunc(addrs, func(a, b ma.Multiaddr) int { return int(overlayOf(b)/overRelay) - int(overlayOf(a)/overRelay) })
	for i, a := range addrs {
		delays[i].Addr = a
		if _, err := a.ValueForProtocol(ma.P_QUIC_V1); err == nil && (manet.IsPrivateAddr(a) || manet.IsIPLoopback(a)) {
			delays[i].Delay = 50 * time.Millisecond
		}
		if isWS(a) {
			delays[i].Delay = 500 * time.Millisecond // for those who cannot otherwise
		}
	}
	return delays
}

// netAddr returns a multiaddr as a net.Addr: that of the socket, or the text of what is
// no socket.
func netAddr(a ma.Multiaddr) net.Addr {
	if addr, err := manet.ToNetAddr(a); err == nil {
		return addr
	}
	return transport.Addr{Net: "peer", Name: a.String()}
}
