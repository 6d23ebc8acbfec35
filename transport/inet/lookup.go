package inet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/tenon-net/tenon/transport"
)

// maxAddrs is how many addresses of one name are used. A name with more is a
// mistake or an attack.
const maxAddrs = 64

// splitHostPort is [net.SplitHostPort] with errors for people.
func splitHostPort(text string) (host, port string, err error) {
	host, port, err = net.SplitHostPort(text)
	if err != nil || port == "" {
		return "", "", usage(fmt.Sprintf("%q is not HOST:PORT", text), portHint)
	}
	return host, port, nil
}

// lookup returns the addresses of host that belong to the family, IPv4 ones as
// such and not mapped into IPv6, with the port. There is at least one. The name
// localhost is not looked up (RFC 6761, section 6.3) unless there is a resolver
// of its own.
func lookup(ctx context.Context, r Resolver, family Family, host, service string) ([]netip.AddrPort, error) {
	asked := r != nil
	r = resolver(r)
	port, err := lookupPort(ctx, r, "tcp", service)
	if err != nil {
		return nil, err
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		if ip = ip.Unmap(); !family.has(ip.Is6()) {
			return nil, usage(fmt.Sprintf("%s is not an address of family %s", host, family), "")
		}
		if err := checkZone(ip.Zone()); err != nil {
			return nil, err
		}
		return []netip.AddrPort{netip.AddrPortFrom(ip, port)}, nil
	}
	if host == "localhost" && !asked {
		return loopbacks(family, port), nil
	}
	ips, err := r.LookupNetIP(ctx, family.network("ip"), host)
	switch {
	case ctx.Err() != nil:
		return nil, lookupError(host, contextError(ctx))
	case err != nil:
		return nil, lookupError(host, err)
	}
	var addrs []netip.AddrPort
	for _, ip := range ips[:min(len(ips), maxAddrs)] {
		a := netip.AddrPortFrom(ip.Unmap(), port)
		if family.has(a.Addr().Is6()) && !slices.Contains(addrs, a) {
			addrs = append(addrs, a)
		}
	}
	if len(addrs) == 0 {
		return nil, lookupError(host, &net.DNSError{Err: "no suitable address found", Name: host, IsNotFound: true})
	}
	return addrs, nil
}

// checkZone refuses the zone of an interface that is not there, which the system calls
// an invalid argument.
func checkZone(zone string) error {
	if _, err := strconv.Atoi(zone); zone == "" || err == nil {
		return nil
	}
	_, err := interfaceIndex(zone)
	return err
}

// resolver is r or, if it is nil, that of package net.
func resolver(r Resolver) Resolver {
	if r == nil {
		return net.DefaultResolver
	}
	return r
}

// lookupPort returns the port that a number or the name of a service stands for, for
// network "tcp" or "udp".
func lookupPort(ctx context.Context, r Resolver, network, service string) (uint16, error) {
	if n, err := strconv.ParseUint(service, 10, 16); err == nil {
		return uint16(n), nil
	}
	n, err := r.LookupPort(ctx, network, service)
	if err != nil || n < 0 || n > 65535 {
		return 0, usage(fmt.Sprintf("%q is not a port or a service of %s", service, strings.ToUpper(network)), "ports are numbers from 0 to 65535; services are in /etc/services")
	}
	return uint16(n), nil
}

func lookupError(host string, err error) error {
	var dns *net.DNSError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		err = transport.Mark(err, transport.ErrTimeout)
	case errors.As(err, &dns) && dns.IsNotFound:
		return transport.WithHint(err, "check the spelling of the name")
	}
	return err
}

// loopbacks returns the addresses of this machine for itself, of IPv4 first: there
// most of its programs are.
func loopbacks(family Family, port uint16) (addrs []netip.AddrPort) {
	for _, v6 := range [2]bool{false, true} {
		if family.has(v6) {
			addrs = append(addrs, netip.AddrPortFrom(loopback(v6), port))
		}
	}
	return addrs
}

func loopback(v6 bool) netip.Addr {
	if v6 {
		return netip.IPv6Loopback()
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

func unspecified(v6 bool) netip.Addr {
	if v6 {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// hint is what a person can do about an error of a socket; "" if there is nothing
// to add.
func hint(err error, port string) string {
	var call *os.SyscallError
	connecting := errors.As(err, &call) && call.Syscall == "connect"
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there on port " + port + ": is the program running, and does it listen on this address?"
	case errors.Is(err, syscall.EADDRNOTAVAIL) && connecting:
		return "there is no address or no free port here to connect from"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "the address is not one of this machine's; ip addr shows those"
	case errors.Is(err, syscall.EADDRINUSE):
		return "another program has the port; ss -tlnp shows which"
	case errors.Is(err, syscall.EACCES) && !connecting:
		return "ports below 1024 need more rights: run as root, or with the capability CAP_NET_BIND_SERVICE"
	}
	return ""
}
