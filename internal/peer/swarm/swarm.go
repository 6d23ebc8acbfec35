package swarm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"sync/atomic"

	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	lpeer "github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/pnet"
	"github.com/libp2p/go-libp2p/core/sec"
	ltransport "github.com/libp2p/go-libp2p/core/transport"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/host/peerstore/pstoremem"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	p2pswarm "github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/throttle"
)

// A Network carries streams over libp2p. It is made by [New].
type Network struct {
	config   Config
	id       peer.ID
	self     lpeer.ID
	relays   []lpeer.AddrInfo
	carriers map[lpeer.ID]bool // relays and bootstrap peers; not changed after New

	host     *host
	swarm    *p2pswarm.Swarm
	store    peerstore.Peerstore // as it is; the swarm sees it as a zonedBook
	inject   *injector
	overTCP  *tcpTransport
	overQUIC *quicTransport
	upgrader ltransport.Upgrader // of TCP connections, to TLS and yamux
	closes   []io.Closer         // in the order in which Close calls them

	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	close   sync.Once
	closed  atomic.Bool
	working sync.WaitGroup // handlers, streams that linger, tasks

	direct    *direct
	halfOpen  halfOpen
	links     links
	serve     serving
	circuits  circuits
	ports     ports
	punches   punches
	searches  searches
	changes   changes      // of the network
	changedAt atomic.Int64 // when it last has, in nanoseconds
	reserved  changes      // of places at relays that we have got
	provided  changes      // of the shares that we tell the table of
	told      changes      // of what we have said about where we are
	table     *dht.IpfsDHT
	tableOn   atomic.Bool // table is there
	moves     moves
	twins     twins
	datagrams datagrams
	turned    throttle.Set[netip.Prefix] // events about those who are not let in, whom a key costs nothing
}

var _ peer.Network = (*Network)(nil)

// New makes a Network and listens. The context bounds the call.
func New(ctx context.Context, config Config) (*Network, error) {
	n, err := build(config)
	if err != nil {
		return nil, err
	}
	if err := n.start(ctx); err != nil {
		n.Close() //nolint:errcheck // the other error says more
		return nil, err
	}
	return n, nil
}

// build puts the parts together.
func build(config Config) (_ *Network, err error) {
	if config.Key == nil {
		return nil, errNoKey
	}
	quiet()
	key, err := newPrivKey(config.Key)
	if err != nil {
		return nil, err
	}
	if config.Discovery == PublicDiscovery && len(config.Bootstrap) == 0 {
		config.Bootstrap = publicBootstrap()
	}
	n := &Network{config: config, id: config.Key.ID(), carriers: map[lpeer.ID]bool{},
		turned: throttle.Set[netip.Prefix]{Every: turnedEvery, Burst: turnedBurst, Keys: turnedHosts}}
	if n.self, err = lib(n.id); err != nil {
		return nil, err
	}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			n.Close() //nolint:errcheck // the other error says more
		}
	}()
	limits, err := newLimits()
	if err != nil {
		return nil, err
	}
	store, err := pstoremem.NewPeerstore()
	if err != nil {
		return nil, errors.Join(err, limits.Close())
	}
	n.store = store
	bus := eventbus.NewBus()
	n.closes = []io.Closer{limits, store}
	if err := errors.Join(store.AddPrivKey(n.self, key), store.AddPubKey(n.self, key.GetPublic())); err != nil {
		return nil, err
	}
	n.swarm, err = p2pswarm.NewSwarm(n.self, zonedBook{store}, bus, p2pswarm.WithConnectionGater(gate{n}), p2pswarm.WithResourceManager(limits),
		p2pswarm.WithDialRanker(rankDials),
		// What has not worked in one network, as IPv6 or UDP, is not to be held against the next one.
		p2pswarm.WithUDPBlackHoleSuccessCounter(nil), p2pswarm.WithIPv6BlackHoleSuccessCounter(nil))
	if err != nil {
		return nil, err
	}
	n.closes = append([]io.Closer{n.swarm}, n.closes...)
	if n.host, err = newHost(n, bus); err != nil {
		return nil, err
	}
	n.closes = append([]io.Closer{n.host.ids}, n.closes...)
	if err := n.addTransports(key, limits); err != nil {
		return nil, err
	}
	n.links.changed = make(chan struct{})
	n.datagrams.sending.Limit = maxSending
	n.ports.again = make(chan struct{}, 1)
	return n, nil
}

// addTransports adds TCP with TLS and yamux, WebSocket with the same, and QUIC.
func (n *Network) addTransports(key *privKey, limits network.ResourceManager) error {
	muxers := []upgrader.StreamMuxer{{ID: yamux.ID, Muxer: muxer}}
	secure, err := newSecureTransport(n, key, yamux.ID)
	if err != nil {
		return err
	}
	up, err := upgrader.New([]sec.SecureTransport{secure}, muxers, pnet.PSK(nil), limits, gate{n}, upgrader.WithAcceptTimeout(handshakeTimeout))
	if err != nil {
		return err
	}
	n.upgrader = up
	n.direct = newDirect(n, secure, limits)
	if n.overTCP, err = newTCPTransport(n, up, limits); err != nil {
		return err
	}
	overWS, err := newWSTransport(n.overTCP)
	if err != nil {
		return err
	}
	n.overQUIC = &quicTransport{n: n, secure: secure, limits: limits}
	n.inject = newInjector()
	for _, t := range []ltransport.Transport{n.overTCP, overWS, n.overQUIC, n.inject} {
		if err := n.swarm.AddTransport(t); err != nil {
			return err
		}
	}
	return n.addCircuit(up)
}

// start listens.
func (n *Network) start(context.Context) error {
	for _, texts := range [][]string{n.config.Relays, n.config.Bootstrap} {
		infos, err := parseInfos(texts)
		if err != nil {
			return err
		}
		for _, info := range infos {
			n.carriers[info.ID] = true
			n.host.Peerstore().AddAddrs(info.ID, info.Addrs, permanent)
		}
	}
	n.relays, _ = parseInfos(n.config.Relays) //nolint:errcheck // it was looked at above
	if _, err := parseAddrs(n.config.Announce); err != nil {
		return err
	}
	listen, err := parseAddrs(n.config.Listen)
	if err != nil {
		return err
	}
	n.swarm.Notify(n.notifiee())
	n.swarm.SetStreamHandler(n.inbound)
	n.host.ids.Start()
	n.startPunching()
	for _, a := range append(wsLast(listen), injected, circuitAddr) {
		if err := n.swarm.AddListenAddr(a); err != nil {
			return fmt.Errorf("listen on %s: %w", a, err)
		}
	}
	if n.config.packets == nil {
		n.task(func() { watchNetwork(n.ctx, n.networkChanged) })
	}
	for _, relay := range n.relays {
		n.task(func() { n.keepReserved(relay) })
	}
	if n.config.MapPorts && len(n.config.Announce) == 0 {
		n.task(n.keepMapped)
	}
	if err := n.host.tellAddrs(); err != nil {
		return err
	}
	bootstrap, _ := parseInfos(n.config.Bootstrap) //nolint:errcheck // it was looked at above
	return n.startDiscovery(bootstrap)
}

// Self returns whose key the Network was made with.
func (n *Network) Self() peer.ID { return n.id }

// Close closes all connections and waits for the handlers, so that no handler may call
// it.
func (n *Network) Close() error {
	n.close.Do(func() {
		n.closed.Store(true)
		n.serve.end()
		n.cancel()
		if n.tableOn.Load() {
			n.table.Close() //nolint:errcheck // nothing is left to be done about it
		}
		for _, c := range n.closes {
			c.Close() //nolint:errcheck // nothing is left to be done about it
		}
		n.working.Wait()
	})
	return nil
}

func (n *Network) event(e Event) {
	if n.config.Events != nil {
		n.config.Events(e)
	}
}

// services are libp2p's own protocols, which everybody sees who is let in.
func (h *host) services() (err error) {
	if h.ids, err = identify.NewIDService(h, identify.UserAgent("tenon"), identify.ProtocolVersion("tenon/1")); err != nil {
		return err
	}
	ping.NewPingService(h)
	h.protocols, err = h.bus.Emitter(&event.EvtLocalProtocolsUpdated{}, eventbus.Stateful)
	if err == nil {
		h.addresses, err = h.bus.Emitter(&event.EvtLocalAddressesUpdated{}, eventbus.Stateful)
	}
	return err
}
