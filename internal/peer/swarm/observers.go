package swarm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	lpeer "github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/tenon-net/tenon/internal/peer/punch"
)

// observersProto is how a relay says where it observes: a number, at most maxObservers, and so many
// addresses of 16 bytes with ports of 2. The address :: stands for every one of the relay's.
const observersProto = "/tenon/observers/1"

const (
	maxObservers    = 8
	maxObserving    = 16 // relays whose observers are known
	observersAnswer = 5 * time.Second
)

// observe begins to tell everybody where they are seen, at the ports after those that the Network listens
// at for TCP. If those are taken, it is at others.
func (n *Network) observe(at []netip.AddrPort) (*punch.Observer, []netip.AddrPort, error) {
	if at == nil {
		for _, a := range n.swarm.ListenAddresses() {
			if tcp, err := manet.ToNetAddr(a); err == nil && tcp.Network() == "tcp" {
				if p, err := netip.ParseAddrPort(tcp.String()); err == nil && p.Port() < 65534 {
					at = append(at, netip.AddrPortFrom(p.Addr(), p.Port()+1), netip.AddrPortFrom(p.Addr(), p.Port()+2))
				}
			}
		}
	}
	o := punch.NewObserver()
	var serving []netip.AddrPort
	var failed error
	for _, a := range at {
		if len(serving) == maxObservers {
			break
		}
		got, err := o.Listen(a)
		if err != nil {
			got, err = o.Listen(netip.AddrPortFrom(a.Addr(), 0))
		}
		if err != nil {
			failed = err
			continue
		}
		serving = append(serving, got)
	}
	if len(serving) == 0 && failed != nil {
		o.Close() //nolint:errcheck // it returns nil
		return nil, nil, failed
	}
	n.host.SetStreamHandler(observersProto, func(s network.Stream) {
		s.SetDeadline(time.Now().Add(observersAnswer)) //nolint:errcheck // the streams of libp2p have deadlines
		s.Write(encodeObservers(serving))              //nolint:errcheck // the other side sees it
		s.Close()                                      //nolint:errcheck // it is gone
	})
	return o, serving, nil
}

// Ports returns the ports that a firewall in front of the relay must let in, in order:
// "tcp 4001", "udp 4001". They are those that the Network listens at and those of observers.
func (r *Relay) Ports() []string {
	ports := map[string][]int{}
	for _, a := range r.n.swarm.ListenAddresses() {
		if na, err := manet.ToNetAddr(a); err == nil {
			if p, err := netip.ParseAddrPort(na.String()); err == nil {
				ports[na.Network()] = append(ports[na.Network()], int(p.Port()))
			}
		} else if v, err := a.ValueForProtocol(ma.P_UDP); err == nil { // QUIC has no net.Addr
			if p, err := strconv.Atoi(v); err == nil {
				ports["udp"] = append(ports["udp"], p)
			}
		}
	}
	for _, a := range r.seenAt {
		for _, network := range []string{"tcp", "udp"} {
			ports[network] = append(ports[network], int(a.Port()))
		}
	}
	var all []string
	for _, network := range []string{"tcp", "udp"} {
		slices.Sort(ports[network])
		for _, p := range slices.Compact(ports[network]) {
			all = append(all, fmt.Sprintf("%s %d", network, p))
		}
	}
	return all
}

func encodeObservers(at []netip.AddrPort) []byte {
	b := []byte{byte(len(at))}
	for _, a := range at {
		ip := a.Addr().As16()
		if a.Addr().IsUnspecified() {
			ip = [16]byte{}
		}
		b = append(b, ip[:]...)
		b = binary.BigEndian.AppendUint16(b, a.Port())
	}
	return b
}

func readObservers(r io.Reader) ([]netip.AddrPort, error) {
	var b [1 + maxObservers*18]byte
	if _, err := io.ReadFull(r, b[:1]); err != nil {
		return nil, err
	}
	count := int(b[0])
	if count > maxObservers {
		return nil, errors.New("too many observers")
	}
	if _, err := io.ReadFull(r, b[1:1+count*18]); err != nil {
		return nil, err
	}
	var at []netip.AddrPort
	for i := range count {
		e := b[1+i*18:]
		at = append(at, netip.AddrPortFrom(netip.AddrFrom16([16]byte(e)).Unmap(), binary.BigEndian.Uint16(e[16:])))
	}
	return at, nil
}

// askObserversOf asks a relay where it observes.
func (n *Network) askObserversOf(ctx context.Context, l *link) {
	ctx, cancel := context.WithTimeout(ctx, observersAnswer)
	defer cancel()
	s, err := n.openLazily(ctx, l, observersProto)
	if err != nil {
		return
	}
	relay := l.conn.RemotePeer()
	defer s.Reset()                                //nolint:errcheck // it is over
	s.SetDeadline(time.Now().Add(observersAnswer)) //nolint:errcheck // the streams of libp2p have deadlines
	at, err := readObservers(s)
	if err != nil {
		return
	}
	addrs := append([]ma.Multiaddr{s.Conn().RemoteMultiaddr()}, n.host.Peerstore().Addrs(relay)...)
	found := placeObservers(at, addrs)
	n.circuits.mu.Lock()
	defer n.circuits.mu.Unlock()
	if n.circuits.observers == nil {
		n.circuits.observers = map[lpeer.ID][]netip.AddrPort{}
	}
	if _, known := n.circuits.observers[relay]; known || len(n.circuits.observers) < maxObserving {
		n.circuits.observers[relay] = found
	}
}

// placeObservers puts the addresses of a relay where it has said no other.
func placeObservers(at []netip.AddrPort, addrs []ma.Multiaddr) (found []netip.AddrPort) {
	var ips []netip.Addr
	for _, a := range addrs {
		if ip, err := manet.ToIP(a); err == nil && overlayOf(a) != overRelay {
			if ip, ok := netip.AddrFromSlice(ip); ok && !slices.Contains(ips, ip.Unmap()) && len(ips) < 4 {
				ips = append(ips, ip.Unmap())
			}
		}
	}
	for _, a := range at {
		if !a.Addr().IsUnspecified() {
			found = append(found, a)
			continue
		}
		for _, ip := range ips {
			if x := netip.AddrPortFrom(ip, a.Port()); !slices.Contains(found, x) {
				found = append(found, x)
			}
		}
	}
	return found
}

// askObservers asks the relay of a relayed connection, unless it has been asked.
func (n *Network) askObservers(ctx context.Context, l *link) {
	relay, ok := relayOf(l.conn.RemoteMultiaddr())
	if !ok || relay == "" {
		return
	}
	n.circuits.mu.Lock()
	_, asked := n.circuits.observers[relay]
	n.circuits.mu.Unlock()
	if all := n.links.to(relay); !asked && len(all) > 0 {
		n.askObserversOf(ctx, all[0])
	}
}

// observers returns all that are known.
func (n *Network) observers() (all []netip.AddrPort) {
	n.circuits.mu.Lock()
	defer n.circuits.mu.Unlock()
	for _, relay := range n.relays {
		all = append(all, n.circuits.observers[relay.ID]...)
	}
	for _, at := range n.circuits.observers {
		for _, a := range at {
			if !slices.Contains(all, a) {
				all = append(all, a)
			}
		}
	}
	return all
}
