package swarm

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	lpeer "github.com/libp2p/go-libp2p/core/peer"
	ltransport "github.com/libp2p/go-libp2p/core/transport"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/tenon-net/tenon/internal/peer"
)

// circuitAddr is where connections through relays arrive.
var circuitAddr = ma.StringCast("/p2p-circuit")

// The bounds of how relays are asked for a reservation again.
const (
	reserveAgainFirst = 100 * time.Millisecond
	reserveAgainMost  = 2 * time.Second // for as long as a relay may be starting again
	reserveAgainLong  = 20 * time.Second
	reserveSoonTries  = 60 // a minute or two
)

// reserveAgain returns the pause before the next attempt after some have failed. Half of it is
// chance, for all that a relay has served come back at once.
func reserveAgain(failed int) time.Duration {
	d := reserveAgainMost
	switch {
	case failed > reserveSoonTries:
		d = reserveAgainLong
	case failed < 5:
		d = min(d, reserveAgainFirst<<failed)
	}
	return d/2 + rand.N(d/2)
}

// reserveTime is how long the attempt may take that follows so many that have failed. Most begin
// anew soon: who waits for an answer to a connection asks for it ever more seldom.
func reserveTime(failed int) time.Duration {
	if failed%4 == 3 {
		return OpenTimeout
	}
	return 3 * time.Second
}

// circuits are the relays by which we can be reached.
type circuits struct {
	mu       sync.Mutex // guards all below
	reserved map[lpeer.ID][]ma.Multiaddr
	more     map[lpeer.ID]bool // relays that addresses of peers have named
	serving  bool              // this Network is a relay itself

	observers map[lpeer.ID][]netip.AddrPort // of relays

	failed sync.Map // peers that are being dialed, and that a relay could not reach
}

// addCircuit has connections through relays dialed and accepted.
func (n *Network) addCircuit(up ltransport.Upgrader) error {
	c, err := client.New(n.host, up)
	if err != nil {
		return err
	}
	if err := n.swarm.AddTransport(circuitTransport{c, n}); err != nil {
		return err
	}
	c.Start()
	return nil
}

// A circuitTransport notes which peers could not be reached through a relay.
type circuitTransport struct {
	*client.Client
	n *Network
}

// Dial dials through a relay.
func (t circuitTransport) Dial(ctx context.Context, a ma.Multiaddr, id lpeer.ID) (ltransport.CapableConn, error) {
	c, err := t.Client.Dial(ctx, a, id)
	if err != nil && ctx.Err() == nil && id != t.n.self {
		t.n.circuits.failed.Store(id, true)
	}
	return c, err
}

// maxMore is how many relays are let in because addresses of peers have named them.
const maxMore = 256

// nameRelay lets a relay in that an address of a peer names.
func (n *Network) nameRelay(a ma.Multiaddr) {
	relay, ok := relayOf(a)
	if !ok || relay == "" {
		return
	}
	n.circuits.mu.Lock()
	defer n.circuits.mu.Unlock()
	if n.circuits.more == nil {
		n.circuits.more = map[lpeer.ID]bool{}
	}
	if len(n.circuits.more) < maxMore {
		n.circuits.more[relay] = true
	}
}

// isCarrier tells whether somebody is let in for what it carries.
func (n *Network) isCarrier(id lpeer.ID) bool {
	if n.carriers[id] {
		return true
	}
	n.circuits.mu.Lock()
	defer n.circuits.mu.Unlock()
	return n.circuits.more[id]
}

// isRelay tells whether somebody is a relay of our configuration.
func (n *Network) isRelay(id lpeer.ID) bool {
	return slices.ContainsFunc(n.relays, func(r lpeer.AddrInfo) bool { return r.ID == id })
}

// whoIs returns the ID of ours, or nobody's.
func (n *Network) whoIs(id lpeer.ID) peer.ID {
	who, _ := ours(id) //nolint:errcheck // whoever has no such ID is nobody
	return who
}

// throughRelays returns the addresses of a peer that has reserved at one of the relays
// in our configuration, as two people do who share one.
func (n *Network) throughRelays(to lpeer.ID) []ma.Multiaddr {
	var addrs []ma.Multiaddr
	for _, relay := range n.relays {
		if relay.ID != to {
			addrs = append(addrs, through(relay)...)
		}
	}
	return addrs
}

// through returns the addresses by which a relay reaches others.
func through(relay lpeer.AddrInfo) []ma.Multiaddr {
	var addrs []ma.Multiaddr
	of, err := ma.NewComponent("p2p", relay.ID.String())
	for _, a := range relay.Addrs {
		if err == nil {
			addrs = append(addrs, ma.Join(a, of.Multiaddr(), circuitAddr))
		}
	}
	return addrs
}

// Reserved returns the relays by which this Network can be reached now.
func (n *Network) Reserved() []peer.ID {
	n.circuits.mu.Lock()
	defer n.circuits.mu.Unlock()
	var all []peer.ID
	for id := range n.circuits.reserved {
		if who, err := ours(id); err == nil {
			all = append(all, who)
		}
	}
	return all
}

// reservedAddrs returns the addresses by which relays reach us.
func (n *Network) reservedAddrs() []ma.Multiaddr {
	n.circuits.mu.Lock()
	defer n.circuits.mu.Unlock()
	var addrs []ma.Multiaddr
	for _, relay := range n.relays {
		addrs = append(addrs, n.circuits.reserved[relay.ID]...)
	}
	return addrs
}

func (n *Network) setReserved(id lpeer.ID, addrs []ma.Multiaddr) {
	n.circuits.mu.Lock()
	if n.circuits.reserved == nil {
		n.circuits.reserved = map[lpeer.ID][]ma.Multiaddr{}
	}
	_, before := n.circuits.reserved[id]
	if addrs == nil {
		delete(n.circuits.reserved, id)
	} else {
		n.circuits.reserved[id] = addrs
	}
	n.circuits.mu.Unlock()
	if before != (addrs != nil) {
		n.links.tell()
		n.host.tellAddrs() //nolint:errcheck // signing does not fail
	}
	if addrs != nil && !before {
		n.reserved.tell()
	}
}

// keepReserved keeps a reservation at a relay for as long as the Network lives.
func (n *Network) keepReserved(relay lpeer.AddrInfo) {
	who, _ := ours(relay.ID) //nolint:errcheck // a relay without an ID of ours is nobody
	for failed := 0; n.ctx.Err() == nil; {
		changed, began := n.changes.wait(), time.Now()
		until, err := n.reserve(relay, reserveTime(failed))
		n.event(Event{What: Reserved, Peer: who, Err: err})
		if err == nil {
			n.setReserved(relay.ID, through(relay))
			n.LookForTwin(texts(through(relay))...)
			n.whileLinked(relay, until)
			if len(n.links.to(relay.ID)) > 0 {
				continue // it is to be renewed
			}
		}
		n.setReserved(relay.ID, nil)
		if err == nil && time.Since(began) > reserveAgainMost {
			failed = 0
			continue // at once
		}
		select {
		case <-time.After(reserveAgain(failed)):
			failed++
		case <-changed:
			failed = 0
		case <-n.ctx.Done():
		}
	}
}

// reserve asks a relay for a reservation and returns when it is to be renewed.
func (n *Network) reserve(relay lpeer.AddrInfo, patience time.Duration) (time.Time, error) {
	ctx, cancel := context.WithTimeout(n.ctx, patience)
	defer cancel()
	var r *client.Reservation
	err := n.whileMoving(ctx, func(ctx context.Context) (err error) {
		n.swarm.Backoff().Clear(relay.ID)
		r, err = client.Reserve(ctx, n.host, relay)
		return err
	})
	if refused := (client.ReservationError{}); errors.As(err, &refused) && refused.Unwrap() != nil {
		err = n.blame(ctx, refused.Unwrap())
	}
	if err != nil {
		return time.Time{}, err
	}
	return time.Now().Add(time.Until(r.Expiration) / 2), nil
}

// whileLinked waits for as long as there is a connection to a relay, until then. Each
// side learns its public address from the relay, for each transport on its own: so it
// has a connection by both.
func (n *Network) whileLinked(relay lpeer.AddrInfo, until time.Time) {
	ctx, cancel := context.WithDeadline(n.ctx, until)
	defer cancel()
	tried := map[overlay]bool{}
	moved := n.changes.wait()
	for {
		changed := n.LinksChanged()
		links := n.links.to(relay.ID)
		if len(links) == 0 {
			return
		}
		for _, l := range links {
			tried[l.over] = true
		}
		for _, a := range relay.Addrs {
			if over := overlayOf(a); !tried[over] && over != overWS && n.mayReach(a) {
				tried[over] = true
				n.task(func() {
					n.dialAddr(ctx, relay.ID, a) //nolint:errcheck // one connection is enough to be carried
				})
			}
		}
		select {
		case <-changed:
		case <-moved:
			moved = n.changes.wait()
			clear(tried)
		case <-ctx.Done():
			return
		}
	}
}
