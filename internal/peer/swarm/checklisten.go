package swarm

import (
	"context"
	"fmt"
	"net"

	"github.com/libp2p/go-reuseport"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// CheckListen tells why a Network in place of this one could not listen at the addresses: each
// is listened on for a moment. Ports that this one has are free for it.
func (n *Network) CheckListen(ctx context.Context, texts []string) error {
	addrs, err := parseAddrs(texts)
	if err != nil {
		return err
	}
	held := map[string]bool{}
	for _, a := range n.swarm.ListenAddresses() {
		held[heldPort(a)] = true
	}
	for _, a := range addrs {
		if n.swarm.TransportForListening(a) == nil {
			return fmt.Errorf("listen on %s: nothing here speaks that", a)
		}
		if p := heldPort(a); p == "" || held[p] {
			continue
		}
		if err := tryListen(ctx, a); err != nil {
			return fmt.Errorf("listen on %s: %w", a, err)
		}
	}
	return nil
}

// heldPort returns the transport and the port of an address, or "" if it has none, or any.
func heldPort(a ma.Multiaddr) string {
	network, port := transheldPort(a)
	if port == "" || port == "0" {
		return ""
	}
	return network + "/" + port
}

func transheldPort(a ma.Multiaddr) (network, port string) {
	if port, err := a.ValueForProtocol(ma.P_TCP); err == nil {
		return "tcp", port
	}
	port, _ = a.ValueForProtocol(ma.P_UDP) //nolint:errcheck // it has no port then
	return "udp", port
}

// tryListen listens for a moment.
func tryListen(ctx context.Context, a ma.Multiaddr) error {
	ip, err := manet.ToIP(a)
	if err != nil {
		return nil //nolint:nilerr // it is a name, and not of this machine alone
	}
	network, port := transheldPort(a)
	host, family := ip.String(), "6"
	if ip.To4() != nil {
		family = "4"
	}
	if zone, err := a.ValueForProtocol(ma.P_IP6ZONE); err == nil {
		host += "%" + zone
	}
	at := net.JoinHostPort(host, port)
	if network == "udp" {
		c, err := new(net.ListenConfig).ListenPacket(ctx, network+family, at)
		if err != nil {
			return err
		}
		return c.Close()
	}
	l, err := (&net.ListenConfig{Control: reuseport.Control}).Listen(ctx, network+family, at)
	if err != nil {
		return err
	}
	return l.Close()
}
