package proxy

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/transport"
)

// maxName is the length in bytes of the longest host name that a SOCKS request
// can hold (RFC 1928, section 5), and more than DNS allows.
const maxName = 255

// A target is where a client of a proxy wants to go: a name or an address, and a
// port.
type target struct {
	name string     // as in the target, without brackets; never empty
	addr netip.Addr // what name says, if it is an address
	port uint16
}

// parseTarget reads "host:port". Names and ports are checked only for what could
// harm those who read them later.
func parseTarget(text string) (target, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return target{}, fmt.Errorf("target %.300q is not HOST:PORT", text)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || port[0] == '+' {
		return target{}, fmt.Errorf("port %.20q is not a number from 1 to 65535", port)
	}
	return newTarget(host, uint16(n))
}

func newTarget(host string, port uint16) (target, error) {
	t := target{name: host, port: port}
	if port == 0 {
		return t, errors.New("port 0 cannot be reached")
	}
	if addr, err := netip.ParseAddr(host); err == nil && (addr.Zone() == "" || address.IsZone(addr.Zone())) {
		t.addr = addr
		return t, nil
	}
	if !isName(host) {
		return t, fmt.Errorf("%.64q is not the name of a host", host)
	}
	return t, nil
}

// isName tells whether text can be the name of a host.
func isName(text string) bool {
	return text != "" && len(text) <= maxName && !strings.ContainsFunc(text, notInName)
}

// notInName tells whether r cannot be part of a host name: names of today have an
// underscore now and then, and those beyond ASCII are written in Punycode.
func notInName(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return false
	}
	return r != '-' && r != '.' && r != '_'
}

func (t target) String() string {
	return net.JoinHostPort(t.name, strconv.Itoa(int(t.port)))
}

// authority returns the target as a server is told of it: without a zone, which only
// the machine that connects knows (RFC 6874, section 4).
func (t target) authority() string {
	if t.addr.Zone() != "" {
		t.name = t.addr.WithZone("").String()
	}
	return t.String()
}

// plain returns the name as it is compared: in lower case, without the dot that
// ends a complete name.
func (t target) plain() string {
	return strings.TrimSuffix(strings.ToLower(t.name), ".")
}

// netAddr returns the target as the address of a connection.
func (t target) netAddr() net.Addr {
	if t.addr.IsValid() {
		return net.TCPAddrFromAddrPort(netip.AddrPortFrom(t.addr, t.port))
	}
	return transport.Addr{Net: "tcp", Name: t.String()}
}

// clientTarget reads the Target field of a layer, in which the port may be the
// name of a service. Its errors match [transport.ErrUsage].
func clientTarget(ctx context.Context, text string) (target, error) {
	host, port, err := net.SplitHostPort(text)
	if err == nil && port != "" {
		var n int
		if n, err = net.DefaultResolver.LookupPort(ctx, "tcp", port); err == nil {
			text = net.JoinHostPort(host, strconv.Itoa(n))
		}
	}
	t, err := parseTarget(text)
	if err == nil && t.addr.Zone() != "" {
		err = errors.New("an address with a zone means nothing to a proxy")
	}
	return t, transport.Mark(err, transport.ErrUsage)
}

// appendPort appends port as SOCKS has it: two bytes, the high one first.
func appendPort(b []byte, port uint16) []byte { return binary.BigEndian.AppendUint16(b, port) }

// addrPort returns the IP address in a, or false if there is none: the path of a unix
// socket may look like one.
func addrPort(a net.Addr) (netip.AddrPort, bool) {
	if a == nil || !strings.HasPrefix(a.Network(), "tcp") && !strings.HasPrefix(a.Network(), "udp") {
		return netip.AddrPort{}, false
	}
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil || !ap.Addr().IsValid() {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), true
}
