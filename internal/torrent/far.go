//go:build !notorrent

package torrent

import (
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// refuseNearer is for a net.Dialer: it knows what a name has become.
func refuseNearer(_, address string, _ syscall.RawConn) error {
	if ap, err := netip.ParseAddrPort(address); err != nil || near(ap.Addr()) {
		return fmt.Errorf("%s is an address of this machine, and was not named on the command line", address)
	}
	return nil
}

// listenFar opens a socket by which trackers are asked that speak UDP (BEP 15).
func listenFar(network, addr string) (net.PacketConn, error) {
	c, err := net.ListenPacket(network, addr)
	if err != nil {
		return nil, err
	}
	return farConn{c}, nil
}

// A farConn sends nothing to addresses that are near.
type farConn struct{ net.PacketConn }

func (c farConn) WriteTo(p []byte, to net.Addr) (int, error) {
	if err := refuseNearer("", to.String(), nil); err != nil {
		return 0, err
	}
	return c.PacketConn.WriteTo(p, to)
}
