package swarm

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	lpeer "github.com/libp2p/go-libp2p/core/peer"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/punch"
)

// OpenTimeout is how long Open tries if its context has no deadline.
const OpenTimeout = 15 * time.Second

// handshakeTimeout is how long a stranger may take for its handshake, and anybody to
// say which protocol he wants.
const handshakeTimeout = 10 * time.Second

// A Config says how a Network is made. Addresses are multiaddrs, as in
// "/ip4/192.0.2.1/tcp/4001"; those of Relays and Bootstrap end with the peer, as in
// "/ip4/192.0.2.1/tcp/4001/p2p/12D3KooW…".
type Config struct {
	Key *peer.Key // required

	// Admit tells how far a peer is let in. It is asked often, from any
	// goroutine. Nil refuses everybody.
	Admit func(peer.ID) peer.Admission

	// Rotations is shown to all in the handshake, who know an earlier key perhaps: the
	// statements by which those have named Key, as [peer.MarshalRotations] has them.
	Rotations []byte

	// Succeeds is told what others show so, before it is looked at whether they are
	// let in. Nothing of it was checked. It may be called from any goroutine.
	Succeeds func(rotations []byte)

	Listen   []string // where to listen; none = nowhere
	Announce []string // told to others in place of what is listened on

	Relays    []string // which may carry our streams, and are let in for that alone
	Bootstrap []string // where the search for peers begins; let in for that alone

	Discovery       Discovery
	DiscoveryServer bool // keep a part of the table, for which strangers are let in: a relay does

	// Provided returns by what those find the public shares that are here who look for them in
	// the table. It is asked again when ProvidedChanged was called, and now and then.
	Provided func() []peer.FindKey

	NoPunch bool // do not look for direct ways beside relayed ones

	LANOnly bool // dial and announce addresses of this machine and of local networks only

	// MapPorts has the router at home asked to let connections in to the ports that are
	// listened on, by PCP, NAT-PMP or UPnP. It is not for a Network that has Announce.
	MapPorts bool
	router   netip.AddrPort // in place of the router, for tests

	// Addresses returns where a peer has been before. It is asked when a peer
	// is dialed.
	Addresses func(peer.ID) []string

	// Remember is told where a peer has been reached.
	Remember func(peer.ID, []string)

	// Events is told what happens. It must not block.
	Events func(Event)

	changePunch func(*punch.Config) // by tests

	// packets makes the sockets of QUIC, in simulations: nothing there is real.
	packets func(*net.UDPAddr) (net.PacketConn, error)

	noDatagrams bool // by tests: as one that is older than datagrams
	localTable  bool // by tests: the public table is on this machine
}

// An Event is something that has happened, for people and logs.
type Event struct {
	What EventKind
	Peer peer.ID
	Addr string // at the other side, or where we listen
	Path peer.Path
	Err  error
}

// An EventKind says what has happened.
type EventKind string

// The kinds of events.
const (
	Connected    EventKind = "connected"
	Disconnected EventKind = "disconnected"
	Turned       EventKind = "turned away" // a peer that is not admitted; not every time, if it happens often
	Reserved     EventKind = "reserved"    // a place at a relay, or why not
	Mapped       EventKind = "mapped"      // a port of the router, or why not
	Punched      EventKind = "punched"     // a direct way beside a relayed one, or why not
	Lost         EventKind = "lost"        // a link that passes nothing any more
	Doubled      EventKind = "doubled"     // another process has our key; told once, see Twin
)

// errConfig is what a Config lacks.
var errNoKey = errors.New("swarm: the Config has no Key")

// CheckAddr tells what is wrong with an address that is to be listened on or announced, as far as its text shows.
func CheckAddr(text string) error {
	_, err := parseAddrs([]string{text})
	return err
}

// parseAddrs reads multiaddrs.
func parseAddrs(texts []string) ([]ma.Multiaddr, error) {
	var addrs []ma.Multiaddr
	for _, text := range texts {
		a, err := ma.NewMultiaddr(text)
		if err != nil {
			return nil, fmt.Errorf("address %q: %w", text, err)
		}
		addrs = append(addrs, a)
	}
	return addrs, nil
}

// parseInfos reads multiaddrs that end with a peer.
func parseInfos(texts []string) ([]lpeer.AddrInfo, error) {
	addrs, err := parseAddrs(texts)
	if err != nil {
		return nil, err
	}
	infos, err := lpeer.AddrInfosFromP2pAddrs(addrs...)
	if err != nil {
		return nil, fmt.Errorf("addresses %q: each must end with /p2p/ and the peer: %w", texts, err)
	}
	return infos, nil
}
