package swarm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/p2p/net/nat"
	"github.com/libp2p/go-netroute"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/tenon-net/tenon/internal/peer/portmap"
)

// How often the router is asked.
const (
	mapAgain    = time.Minute      // when there was none, or nothing to ask for
	mapSoonest  = 15 * time.Second // however short it says that a port is open
	mapPolled   = 30 * time.Second // where the mapping is kept by libp2p
	unmapWithin = time.Second      // at the end
)

// Errors of [Network.PortMapping].
var (
	errNoRoute  = errors.New("there is no router")
	errNotHome  = errors.New("this machine has a public address itself")
	errTwoNATs  = errors.New("the router has no public address itself: the provider has a NAT of its own")
	errNoMapper = errors.New("the router knows none of PCP, NAT-PMP and UPnP, or they are switched off there")
)

// ports is what the router has opened for us.
type ports struct {
	again chan struct{} // has it asked again now

	mu    sync.Mutex // guards all below
	by    string     // "PCP", "NAT-PMP" or "UPnP"
	addrs []ma.Multiaddr
	err   error
}

// A mapper is one way to have a port opened.
type mapper interface {
	Map(ctx context.Context, p portmap.Protocol, port uint16) (portmap.Mapping, error)
	Close()
	Protocol() string
}

// PortMapping tells how the router lets connections in: by which protocol, at which
// addresses, or why it does not.
func (n *Network) PortMapping() (by string, addrs []string, err error) {
	n.ports.mu.Lock()
	defer n.ports.mu.Unlock()
	for _, a := range n.ports.addrs {
		addrs = append(addrs, a.String())
	}
	return n.ports.by, addrs, n.ports.err
}

func (n *Network) mappedAddrs() []ma.Multiaddr {
	n.ports.mu.Lock()
	defer n.ports.mu.Unlock()
	return n.ports.addrs
}

// MapPorts has the router asked again, as when the machine is in another network.
func (n *Network) MapPorts() {
	select {
	case n.ports.again <- struct{}{}:
	default:
	}
}

// keepMapped keeps the ports that are listened on open at the router.
func (n *Network) keepMapped() {
	var m mapper
	var at netip.AddrPort
	defer func() {
		if m != nil {
			m.Close()
		}
	}()
	for n.ctx.Err() == nil {
		router, err := n.router()
		if m != nil && (err != nil || router != at) {
			m.Close()
			m = nil
		}
		if err == nil && m == nil {
			m, err = n.findMapper(router)
			at = router
		}
		wait := mapAgain
		var addrs []ma.Multiaddr
		by := ""
		if err == nil {
			by = m.Protocol()
			addrs, wait, err = n.mapAll(m)
		}
		if errors.Is(err, portmap.ErrNoRouter) && m != nil {
			m.Close() // it may speak something else, or be another one
			m = nil
		}
		n.setMapped(by, addrs, err)
		select {
		case <-time.After(wait):
		case <-n.ports.again:
		case <-n.ctx.Done():
		}
	}
}

func (n *Network) setMapped(by string, addrs []ma.Multiaddr, err error) {
	if n.ctx.Err() != nil {
		return
	}
	n.ports.mu.Lock()
	same := by == n.ports.by && len(addrs) == len(n.ports.addrs) && fmt.Sprint(err) == fmt.Sprint(n.ports.err)
	for i := range addrs {
		same = same && addrs[i].Equal(n.ports.addrs[i])
	}
	n.ports.by, n.ports.addrs, n.ports.err = by, addrs, err
	n.ports.mu.Unlock()
	if same {
		return
	}
	for _, a := range addrs {
		n.event(Event{What: Mapped, Addr: a.String()})
	}
	if err != nil {
		n.event(Event{What: Mapped, Err: err})
	}
	n.host.tellAddrs() //nolint:errcheck // signing does not fail
	n.links.tell()
}

// router returns where the router is to be asked.
func (n *Network) router() (netip.AddrPort, error) {
	if n.config.router.IsValid() {
		return n.config.router, nil
	}
	table, err := netroute.New()
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%w: %w", errNoRoute, err)
	}
	_, gateway, own, err := table.Route(net.IPv4(192, 0, 2, 1)) // anywhere: RFC 5737
	if err != nil || gateway == nil {
		return netip.AddrPort{}, errNoRoute
	}
	at, ok := netip.AddrFromSlice(gateway)
	if local, isAddr := netip.AddrFromSlice(own); isAddr && isPublic(local.Unmap()) {
		return netip.AddrPort{}, errNotHome
	}
	if !ok {
		return netip.AddrPort{}, errNoRoute
	}
	return netip.AddrPortFrom(at.Unmap(), portmap.Port), nil
}

// isPublic tells whether an address can be reached from everywhere, by its looks.
func isPublic(a netip.Addr) bool {
	carrier := netip.MustParsePrefix("100.64.0.0/10") // RFC 6598
	return a.IsGlobalUnicast() && !a.IsPrivate() && !carrier.Contains(a)
}

// findMapper asks the router what it speaks.
func (n *Network) findMapper(router netip.AddrPort) (mapper, error) {
	r, err := portmap.Discover(n.ctx, router)
	if err == nil {
		return &byPort{Router: r, open: map[portmapped]uint16{}}, nil
	}
	if n.ctx.Err() != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(n.ctx, nat.DiscoveryTimeout)
	defer cancel()
	u, err := nat.DiscoverNAT(ctx)
	if err != nil {
		return nil, errNoMapper
	}
	return byUPnP{u}, nil
}

// mapAll has all ports opened, and returns when to ask again.
func (n *Network) mapAll(m mapper) (addrs []ma.Multiaddr, wait time.Duration, err error) {
	wait = portmap.Lifetime
	var errs []error
	opened := map[portmapped]netip.AddrPort{}
	for _, a := range n.swarm.ListenAddresses() {
		p, rest, ok := mappable(a)
		if !ok {
			continue
		}
		at, done := opened[p]
		if !done {
			x, err := m.Map(n.ctx, p.Protocol, p.port)
			if err == nil && !isPublic(x.External.Addr()) {
				err = fmt.Errorf("%w (%v)", errTwoNATs, x.External.Addr())
			}
			if err != nil {
				errs, wait = append(errs, err), min(wait, mapAgain)
				continue
			}
			wait = min(wait, max(x.Lifetime/2, mapSoonest))
			at = x.External
			opened[p] = at
		}
		ext, err := ma.NewMultiaddr(fmt.Sprintf("/ip4/%s/%s/%d", at.Addr(), p.Protocol, at.Port()))
		if err == nil {
			addrs = append(addrs, ext.Encapsulate(rest))
		}
	}
	slices.SortFunc(addrs, func(a, b ma.Multiaddr) int { return strings.Compare(a.String(), b.String()) })
	if len(opened) == 0 {
		wait = mapAgain // there may be something to open later
	}
	return addrs, wait, errors.Join(errs...)
}

// portmapped is a port that is to be opened.
type portmapped struct {
	portmap.Protocol
	port uint16
}

// mappable returns the port of an address that a router can lead to, and what follows it.
func mappable(a ma.Multiaddr) (p portmapped, rest ma.Multiaddr, ok bool) {
	if len(a) < 2 || a[0].Protocol().Code != ma.P_IP4 || manet.IsIPLoopback(a) {
		return p, nil, false
	}
	switch a[1].Protocol().Code {
	case ma.P_TCP:
		p.Protocol = portmap.TCP
	case ma.P_UDP:
		p.Protocol = portmap.UDP
	default:
		return p, nil, false
	}
	port, err := strconv.ParseUint(a[1].Value(), 10, 16)
	p.port = uint16(port)
	return p, a[2:], err == nil && port != 0
}

// byPort is a router that speaks PCP or NAT-PMP.
type byPort struct {
	*portmap.Router
	open map[portmapped]uint16 // the ports that were given
}

// Map asks for the port that was given before, or else for the same one.
func (b *byPort) Map(ctx context.Context, p portmap.Protocol, port uint16) (portmap.Mapping, error) {
	key := portmapped{p, port}
	want := b.open[key]
	if want == 0 {
		want = port
	}
	m, err := b.Router.Map(ctx, p, port, want)
	if err == nil {
		b.open[key] = m.External.Port()
	}
	return m, err
}

// Close gives the ports back.
func (b *byPort) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), unmapWithin)
	defer cancel()
	for p := range b.open {
		b.Unmap(ctx, p.Protocol, p.port) //nolint:errcheck // they are closed by themselves, later
	}
}

// byUPnP is a router that speaks UPnP, to which libp2p talks.
type byUPnP struct{ nat *nat.NAT }

func (u byUPnP) Protocol() string { return "UPnP" }
func (u byUPnP) Close()           { u.nat.Close() } //nolint:errcheck // it returns nil

func (u byUPnP) Map(ctx context.Context, p portmap.Protocol, port uint16) (portmap.Mapping, error) {
	if err := u.nat.AddMapping(ctx, p.String(), int(port)); err != nil {
		return portmap.Mapping{}, err
	}
	at, ok := u.nat.GetMapping(p.String(), int(port))
	if !ok {
		return portmap.Mapping{}, fmt.Errorf("%w: by UPnP", portmap.ErrRefused)
	}
	return portmap.Mapping{External: at, Lifetime: 2 * mapPolled}, nil
}
