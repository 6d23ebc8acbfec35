package node

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/tenon-net/tenon/internal/datagram"
	"github.com/tenon-net/tenon/internal/link"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/lan"
	"github.com/tenon-net/tenon/internal/peer/mailbox"
	"github.com/tenon-net/tenon/internal/peer/meet"
	"github.com/tenon-net/tenon/internal/peer/swarm"
	"github.com/tenon-net/tenon/internal/ticket"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// Connect is the usual Config.Network: streams that survive (package link) over libp2p
// (package swarm), and the local network (package lan). It is the only file of this
// package that knows them.
func Connect(ctx context.Context, e Env) (Presence, error) {
	c := swarm.Config{Key: e.Key, Admit: e.Admit, Announce: e.Settings.Announce, LANOnly: e.Settings.LANOnly,
		MapPorts: !e.Settings.LANOnly && !e.Settings.NoMap && len(e.Settings.Announce) == 0,
		Provided: e.Public, Rotations: e.Rotations, Succeeds: e.Succeeds,
		Addresses: e.Known, Remember: e.Remember, Events: func(v swarm.Event) { tellSwarm(e, v) }}
	var err error
	if c.Relays, err = relayAddrs(e.Settings.Relays); err != nil {
		return nil, err
	}
	if c.Bootstrap, err = relayAddrs(e.Settings.Bootstrap); err != nil {
		return nil, err
	}
	switch {
	case e.Settings.finds(findDHT):
		c.Discovery, c.DiscoveryServer = swarm.PrivateDiscovery, e.Settings.Relay != ""
		c.Bootstrap = append(c.Bootstrap, c.Relays...)
	case e.Settings.finds(findPublic):
		c.Discovery = swarm.PublicDiscovery
	}
	p := new(swarmPresence)
	if p.relays, err = relayIDs(c.Relays); err != nil {
		return nil, err
	}
	if p.swarm, err = listenSomewhere(ctx, c, e); err != nil {
		return nil, err
	}
	p.link = link.New(guests{p.swarm}, link.Options{})
	if e.Settings.finds(findLAN) {
		p.around = &sightings{until: time.Now().Add(lookAround)}
		known := func() []peer.ID { return append(e.Sought(), e.Key.ID()) }
		p.lan, err = lan.New(lan.Config{Self: e.Key.ID(), Ports: p.ports, Known: known, Found: p.found, Shares: e.Given})
		if err != nil {
			p.around = nil
			e.Tell("nobody is found on the local network: " + err.Error())
		}
	}
	if e.Settings.Relay != "" {
		if p.relay, err = p.swarm.ServeRelay(swarm.RelayConfig{Mailbox: &p.mailbox, Guests: relayLimits(e.Settings.Limits),
			Account: func(b swarm.RelayedBytes) error { return e.Relayed(b.Peer, b.Known, b.Bytes) }}); err != nil {
			return nil, errors.Join(err, p.Close())
		}
	}
	return p, nil
}

// listenSomewhere listens where the settings say. If they do not say, it listens
// everywhere, at a port that follows from the first key, so that an address that others
// remember is right after a restart, and after a rotation; or if somebody has that port, at any.
func listenSomewhere(ctx context.Context, c swarm.Config, e Env) (*swarm.Network, error) {
	if c.Listen = e.Settings.Listen; len(c.Listen) > 0 {
		return swarm.New(ctx, c)
	}
	sum := sha256.Sum256(append([]byte("tenon port "), e.First.Bytes()...))
	port := 20000 + int(binary.BigEndian.Uint16(sum[:]))%10000 // below those that Linux gives to clients
	c.Listen = everywhere(port)
	n, err := swarm.New(ctx, c)
	if errors.Is(err, syscall.EADDRINUSE) {
		c.Listen = everywhere(0)
		n, err = swarm.New(ctx, c)
	}
	return n, err
}

func everywhere(port int) (all []string) {
	for _, ip := range []string{"/ip4/0.0.0.0", "/ip6/::"} {
		all = append(all, fmt.Sprintf("%s/tcp/%d", ip, port), fmt.Sprintf("%s/udp/%d/quic-v1", ip, port))
	}
	return all
}

// unreadable finds an address that none of the network can be, so that settings with one change nothing.
func (s *Network) unreadable() (key string, err error) {
	for _, o := range []struct {
		key   string
		addrs []string
	}{{"listen", s.Listen}, {"announce", s.Announce}} {
		for _, a := range o.addrs {
			if err := swarm.CheckAddr(a); err != nil {
				return o.key, transport.Usage(err)
			}
		}
	}
	for _, o := range []struct {
		key    string
		relays []string
	}{{"relays", s.Relays}, {"bootstrap", s.Bootstrap}} {
		addrs, err := relayAddrs(o.relays)
		if err == nil {
			_, err = relayIDs(addrs)
		}
		if err != nil {
			return o.key, err
		}
	}
	return "", nil
}

// relayIDs returns who is at the addresses, each once: a relay has several.
func relayIDs(addrs []string) (all []peer.ID, err error) {
	for _, a := range addrs {
		id, err := swarm.AddrID(a)
		if err != nil {
			return nil, transport.Usage(fmt.Errorf("%s: %w", a, err))
		}
		if !slices.Contains(all, id) {
			all = append(all, id)
		}
	}
	return all, nil
}

// relayAddrs replaces tickets of relays by their addresses.
func relayAddrs(texts []string) (all []string, err error) {
	for _, text := range texts {
		if !ticket.Is(text) {
			all = append(all, text)
			continue
		}
		t, err := ticket.Decode(text, ticket.Relay, ticket.Contact)
		if err != nil {
			return nil, transport.Usage(err)
		}
		issuer, _ := t.Get(ticket.Issuer)
		id, err := peer.NewID(issuer)
		if err != nil {
			return nil, transport.Usage(err)
		}
		for _, a := range t.All(ticket.Address) {
			all = append(all, a+"/p2p/"+swarm.LibID(id))
		}
	}
	return all, nil
}

// relayLimits returns the limits, which were checked.
func relayLimits(l Limits) swarm.RelayLimits {
	size := func(text string) int64 {
		n, _ := opt.ParseSize(text) //nolint:errcheck // it was checked
		return n
	}
	s := swarm.RelayLimits{Reservations: l.Reservations, ReservationsPerHost: l.ReservationsPerHost,
		Circuits: l.Circuits, CircuitsPerPeer: l.CircuitsPerPeer, Bytes: size(l.Bytes), Rate: size(l.Rate), Day: size(l.Day)}
	s.Time, _ = opt.ParseDuration(l.Time) //nolint:errcheck // it was checked
	return s
}

func tellSwarm(e Env, v swarm.Event) {
	switch v.What {
	case swarm.Turned:
		e.Tell(fmt.Sprintf("%s was turned away, who is not known here (%s)", v.Peer.Short(), v.Addr))
	case swarm.Doubled:
		e.Warn(doubled(v.Addr))
	}
}

// guests lets guests have what is served: the handlers decide what a guest may do.
type guests struct{ *swarm.Network }

func (g guests) Serve(proto string, h func(transport.Stream)) (stop func()) {
	return g.ServeGuests(proto, h)
}

// A swarmPresence is a [Presence] over libp2p.
type swarmPresence struct {
	swarm   *swarm.Network
	link    *link.Network
	lan     *lan.LAN   // nil = the local network is not looked at
	around  *sightings // nil as well
	relay   *swarm.Relay
	mailbox mailbox.Server
	relays  []peer.ID
}

var (
	_ Presence         = (*swarmPresence)(nil)
	_ datagram.Network = (*swarmPresence)(nil)
	_ Addresser        = (*swarmPresence)(nil)
	_ Checker          = (*swarmPresence)(nil)
	_ Survivor         = (*swarmPresence)(nil)
	_ Connecter        = (*swarmPresence)(nil)
	_ Pauser           = (*swarmPresence)(nil)
	_ Meeter           = (*swarmPresence)(nil)
	_ Doctor           = (*swarmPresence)(nil)
	_ Porter           = (*swarmPresence)(nil)
	_ Reasoner         = (*swarmPresence)(nil)
	_ Twinned          = (*swarmPresence)(nil)
	_ ShareFinder      = (*swarmPresence)(nil)
	_ ListenChecker    = (*swarmPresence)(nil)
)

func (p *swarmPresence) Self() peer.ID { return p.swarm.Self() }

// CheckListen implements [ListenChecker].
func (p *swarmPresence) CheckListen(ctx context.Context, addrs []string) error {
	return p.swarm.CheckListen(ctx, addrs)
}

func (p *swarmPresence) Open(ctx context.Context, to peer.ID, proto string) (transport.Stream, error) {
	return p.OpenSurviving(ctx, to, proto, 0)
}

// OpenSurviving does not wait until the link has agreed if the protocol has an answer of
// its own: that saves a round trip, and a refusal of the link is read in place of the answer.
func (p *swarmPresence) OpenSurviving(ctx context.Context, to peer.ID, proto string, survive time.Duration) (transport.Stream, error) {
	open := p.link.OpenSurviving
	if proto == Protocol {
		open = p.link.OpenEarly
	}
	return p.around.try(ctx, to, func() (transport.Stream, error) { return open(ctx, to, proto, survive) })
}

// Serve serves proto to sessions that survive, and to peers that want none.
func (p *swarmPresence) Serve(proto string, h func(transport.Stream)) (stop func()) {
	stopLink, stopPlain := p.link.Serve(proto, h), p.swarm.ServeGuests(proto, h)
	return func() {
		stopLink()
		stopPlain()
	}
}

// Datagrams are those of the network: sessions have none.
func (p *swarmPresence) MaxDatagram(to peer.ID) int { return p.link.MaxDatagram(to) }

func (p *swarmPresence) SendDatagram(to peer.ID, label uint32, b []byte) error {
	return p.link.SendDatagram(to, label, b)
}

func (p *swarmPresence) ServeDatagrams(h func(from peer.ID, label uint32, b []byte)) (stop func()) {
	return p.link.ServeDatagrams(h)
}

func (p *swarmPresence) Links() iter.Seq[peer.Link]           { return p.link.Links() }
func (p *swarmPresence) LinksChanged() <-chan struct{}        { return p.link.LinksChanged() }
func (p *swarmPresence) Addrs() []string                      { return p.swarm.Addrs() }
func (p *swarmPresence) AddAddrs(id peer.ID, addrs ...string) { p.swarm.AddAddrs(id, addrs...) }
func (p *swarmPresence) Connect(ctx context.Context, id peer.ID) error {
	return p.swarm.Connect(ctx, id)
}

// PausedSince tells since when a stream waits for a way to its peer.
func (p *swarmPresence) PausedSince(s transport.Stream) time.Time {
	if l, ok := s.(*link.Stream); ok {
		return l.Status().PausedSince
	}
	return time.Time{}
}

// Ports returns what a firewall in front of this relay must let in.
func (p *swarmPresence) Ports() []string {
	if p.relay == nil {
		return nil
	}
	return p.relay.Ports()
}

// Twin returns where another machine with this node's key was met.
func (p *swarmPresence) Twin() (addr string, when time.Time) {
	t, _ := p.swarm.Twin()
	return t.Addr, t.When
}

// Recheck has the network ask again who is let in, and the local network who is known.
func (p *swarmPresence) Recheck() {
	p.swarm.Recheck()
	p.swarm.ProvidedChanged()
	p.around.all()
	if p.lan != nil {
		p.lan.Changed()
	}
}

// Close ends the presence from the top down.
func (p *swarmPresence) Close() error {
	var errs []error
	if p.lan != nil {
		errs = append(errs, p.lan.Close())
	}
	if p.relay != nil {
		errs = append(errs, p.relay.Close(), p.mailbox.Close())
	}
	return errors.Join(append(errs, p.link.Close(), p.swarm.Close())...)
}

// ports returns what follows the IP address in the addresses of this node.
func (p *swarmPresence) ports() (all []string) {
	for _, a := range p.swarm.Addrs() {
		parts := strings.SplitN(a, "/", 4) // "", "ip4", the address, the rest
		if len(parts) == 4 && (parts[1] == "ip4" || parts[1] == "ip6") && !strings.Contains(a, "/p2p-circuit") && !slices.Contains(all, "/"+parts[3]) {
			all = append(all, "/"+parts[3])
		}
	}
	return all
}

// found is told where a peer is on the local network, or another that says to be us.
func (p *swarmPresence) found(id peer.ID, addrs []string) {
	switch {
	case id == p.swarm.Self():
		p.swarm.LookForTwin(addrs...)
	case len(addrs) > 0:
		p.swarm.AddAddrs(id, addrs...)
		p.around.seen(id)
	}
}

// SeekShare looks on the local network, and for a public share in the table.
func (p *swarmPresence) SeekShare(key peer.FindKey, public bool, found func(id peer.ID, addrs []string)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var search sync.WaitGroup
	if public {
		search.Go(func() { p.swarm.FindProviders(ctx, key, func(id peer.ID) { found(id, nil) }) })
	}
	leave := func() {}
	if p.lan != nil {
		if stop, err := p.lan.SeekShare(key, found); err == nil {
			leave = stop
		}
	}
	return func() {
		cancel()
		leave()
		search.Wait()
	}
}

func (p *swarmPresence) place() meet.Place {
	return meet.Place{LAN: p.lan, Relays: p.relays, Open: p.swarm.Open}
}

// OfferMeeting opens a channel on the local network and at the relays.
func (p *swarmPresence) OfferMeeting(ctx context.Context) (Meeting, error) {
	o, err := p.place().Offer(ctx)
	if err != nil {
		return nil, hintMeeting(err)
	}
	return o, nil
}

// JoinMeeting looks for who offers a channel.
func (p *swarmPresence) JoinMeeting(ctx context.Context, channel int) (transport.Stream, error) {
	s, err := p.place().Join(ctx, channel)
	return s, hintMeeting(err)
}

func hintMeeting(err error) error {
	if errors.Is(err, meet.ErrNowhere) {
		return transport.WithHint(transport.Mark(err, api.ErrUnreachable), "relays in tenon.toml names some; tenon relay runs one")
	}
	if errors.Is(err, meet.ErrNobody) {
		return transport.WithHint(transport.Mark(err, api.ErrUnreachable), "both must be on one local network, or have a relay in common")
	}
	return err
}
