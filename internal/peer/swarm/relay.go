package swarm

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	lpeer "github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/proto"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/mailbox"
	"github.com/tenon-net/tenon/internal/peer/punch"
)

// A RelayConfig says for whom a Network relays, and how much. What Admit says decides:
// peers that are Known have no limits, guests have those below, and others cannot connect.
type RelayConfig struct {
	Guests RelayLimits

	// Account is told of all bytes that are relayed, at both peers and in steps of at
	// most 1 MiB, and may refuse them: then the circuit is cut. A circuit of which one
	// side is Known is accounted to that side alone. It is called from any goroutine.
	// Nil accounts nothing.
	Account func(RelayedBytes) error

	// Observe is where an observer tells peers at which address they are seen, so that they find
	// direct ways; nil is the two ports after each that the Network listens at for TCP. Empty is nowhere.
	Observe []netip.AddrPort

	// Mailbox, if there is one, is served to guests.
	Mailbox *mailbox.Server
}

// RelayedBytes are bytes that were relayed for a peer.
type RelayedBytes struct {
	Peer  peer.ID
	Host  netip.Prefix // where it is: an IPv4 address, or an IPv6 network that one customer has
	Known bool
	Bytes int64
}

// RelayLimits are the limits of guests. 0 means the default; less means none of it.
type RelayLimits struct {
	Reservations        int           // in all
	ReservationsPerHost int           // an IPv4 address, or an IPv6 network that one customer has
	Circuits            int           // in all
	CircuitsPerPeer     int           // at either end
	Time                time.Duration // of a circuit
	Bytes               int64         // of a circuit, in each direction
	Rate                int64         // bytes per second of all circuits of a peer together
	Day                 int64         // bytes of a host in 24 hours: keys cost nothing, and addresses do
}

// defaultRelayLimits are enough for a pairing, a terminal or a picture, and make nobody's
// relay a free one.
var defaultRelayLimits = RelayLimits{
	Reservations: 1024, ReservationsPerHost: 16,
	Circuits: 512, CircuitsPerPeer: 16,
	Time: 30 * time.Minute, Bytes: 128 << 20, Rate: 1 << 20, Day: 1 << 30,
}

const (
	reservationTime = time.Hour
	maxCircuitsPeer = 1024 // of a peer that is Known, too: each has a price
)

func (l RelayLimits) withDefaults() RelayLimits {
	d := defaultRelayLimits
	return RelayLimits{
		Reservations: limit(l.Reservations, d.Reservations), ReservationsPerHost: limit(l.ReservationsPerHost, d.ReservationsPerHost),
		Circuits: limit(l.Circuits, d.Circuits), CircuitsPerPeer: limit(l.CircuitsPerPeer, d.CircuitsPerPeer),
		Time: limit(l.Time, d.Time), Bytes: limit(l.Bytes, d.Bytes), Rate: limit(l.Rate, d.Rate),
		Day: limit(l.Day, d.Day),
	}
}

func limit[N int | int64 | time.Duration](set, standard N) N {
	if set == 0 {
		return standard
	}
	return max(set, 0)
}

// A Relay carries streams between peers that cannot reach each other: circuit relay v2
// of libp2p (github.com/libp2p/specs/blob/master/relay/circuit-v2.md), which sees sealed
// bytes only. libp2p's own service has the same limits for everybody, keeps no accounts
// and holds two buffers for each silent circuit, so this is one of our own.
type Relay struct {
	n       *Network
	config  RelayConfig
	notify  network.Notifiee
	stopped context.Context // ends with Close
	stop    context.CancelFunc
	mailbox func()
	observe *punch.Observer
	seenAt  []netip.AddrPort // where it observes
	working sync.WaitGroup

	mu           sync.Mutex // guards all below
	closed       bool
	reservations map[lpeer.ID]reservation
	circuits     map[*relayed]bool
	rates        map[lpeer.ID]*peerRate
	today        day
	stats        RelayStats
}

// RelayStats are what a Relay has done since it is one.
type RelayStats struct {
	Reservations, Circuits int   // now
	Opened                 int64 // circuits in all
	Refused                int64 // reservations and circuits that the limits have not let be
	Bytes                  int64 // in both directions
}

// Stats returns what the Relay has done.
func (r *Relay) Stats() RelayStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stats
	s.Reservations, s.Circuits = len(r.reservations), len(r.circuits)
	return s
}

// A reservation lets a peer be reached.
type reservation struct {
	host  netip.Prefix
	known bool
	until time.Time
}

// ServeRelay has the Network relay for others, until Close of what it returns, or of
// the Network.
func (n *Network) ServeRelay(c RelayConfig) (*Relay, error) {
	c.Guests = c.Guests.withDefaults()
	r := &Relay{n: n, config: c, reservations: map[lpeer.ID]reservation{}, circuits: map[*relayed]bool{}, rates: map[lpeer.ID]*peerRate{}}
	r.stopped, r.stop = context.WithCancel(n.ctx)
	r.notify = &network.NotifyBundle{DisconnectedF: r.disconnected}
	n.circuits.mu.Lock()
	taken := n.circuits.serving
	n.circuits.serving = true
	n.circuits.mu.Unlock()
	if taken {
		r.stop()
		return nil, errors.New("swarm: it is a relay already")
	}
	n.swarm.Notify(r.notify)
	n.host.SetStreamHandler(proto.ProtoIDv2Hop, r.handle)
	var err error
	if r.observe, r.seenAt, err = n.observe(c.Observe); err != nil {
		n.event(Event{What: Punched, Err: err})
	}
	if c.Mailbox != nil {
		r.mailbox = n.ServeGuests(mailbox.Proto, c.Mailbox.Handle)
	}
	return r, nil
}

// Close ends all circuits.
func (r *Relay) Close() error {
	r.mu.Lock()
	again := r.closed
	r.closed = true
	r.mu.Unlock()
	if again {
		return nil
	}
	r.n.host.RemoveStreamHandler(proto.ProtoIDv2Hop)
	r.n.swarm.StopNotify(r.notify)
	if r.mailbox != nil {
		r.mailbox()
		r.config.Mailbox.Close() //nolint:errcheck // it returns nil
	}
	if r.observe != nil {
		r.n.host.RemoveStreamHandler(observersProto)
		r.observe.Close() //nolint:errcheck // it returns nil
	}
	r.stop()
	r.working.Wait()
	r.n.circuits.mu.Lock()
	r.n.circuits.serving = false
	r.n.circuits.mu.Unlock()
	return nil
}

// A RelayedPeer is a peer for whom a Relay works now.
type RelayedPeer struct {
	Peer     peer.ID
	Known    bool
	Reserved bool
	Circuits int
}

// Peers returns for whom the Relay works.
func (r *Relay) Peers() []RelayedPeer {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[lpeer.ID]RelayedPeer{}
	for id, v := range r.reservations {
		who, _ := ours(id) //nolint:errcheck // it was let in by its ID
		all[id] = RelayedPeer{Peer: who, Known: v.known, Reserved: true}
	}
	for c := range r.circuits {
		for _, e := range c.ends {
			p := all[e.id]
			p.Peer, p.Known = e.who, e.known
			p.Circuits++
			all[e.id] = p
		}
	}
	var list []RelayedPeer
	for _, p := range all {
		list = append(list, p)
	}
	return list
}

// disconnected forgets the reservation of a peer to which there is no connection any
// more.
func (r *Relay) disconnected(_ network.Network, c network.Conn) {
	if r.n.swarm.Connectedness(c.RemotePeer()) == network.Connected {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.reservations, c.RemotePeer())
}

// reserve notes that a peer wants to be reached, as far as the limits let it.
func (r *Relay) reserve(id lpeer.ID, known bool, at ma.Multiaddr) (until time.Time, ok bool) {
	now := time.Now()
	v := reservation{host: hostOf(at), known: known, until: now.Add(reservationTime)}
	r.mu.Lock()
	defer r.mu.Unlock()
	all, same := 0, 0
	for other, o := range r.reservations {
		if o.until.Before(now) {
			delete(r.reservations, other)
			continue
		}
		if !o.known && other != id {
			all++
			if o.host == v.host {
				same++
			}
		}
	}
	if r.closed || !known && (all >= r.config.Guests.Reservations || same >= r.config.Guests.ReservationsPerHost) {
		r.stats.Refused++
		return time.Time{}, false
	}
	r.reservations[id] = v
	return v.until, true
}

// reserved tells whether a peer wants to be reached.
func (r *Relay) reserved(id lpeer.ID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	v, ok := r.reservations[id]
	return ok && time.Now().Before(v.until)
}

// hostOf returns where an address is, for limits.
func hostOf(a ma.Multiaddr) netip.Prefix {
	ip, err := manet.ToIP(a)
	if err != nil {
		return netip.Prefix{}
	}
	addr, _ := netip.AddrFromSlice(ip)
	addr = addr.Unmap()
	bits := 32
	if addr.Is6() {
		bits = 56
	}
	p, _ := addr.Prefix(bits) //nolint:errcheck // both fit
	return p
}
