package proxy

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/transport"
)

// A policy decides about one client and the target that it asked for.
type policy struct {
	access *Access
	to     target
	local  bool // the client is on this machine
}

// check refuses what can be refused before a name is resolved, which keeps the
// name from being looked up for nothing.
func (p *policy) check() error {
	if p.to.addr.IsValid() {
		return p.permit(netip.AddrPortFrom(p.to.addr, p.to.port))
	}
	name, port := p.to.plain(), p.to.port
	byAddr := false // an address may be allowed whose name is not
	allowed := len(p.access.AllowTarget) == 0
	for _, a := range p.access.AllowTarget {
		byAddr = byAddr || a.prefix.IsValid() && a.hasPort(port)
		allowed = allowed || a.hasName(name, port)
	}
	switch {
	case endsInNumber(name) && !p.private():
		return p.refuse("is neither a name nor an address")
	case p.denies(name, port):
		return p.refuse("is denied by a rule")
	case !allowed && !byAddr:
		return p.refuse("is not among the targets that are allowed")
	case (name == "localhost" || strings.HasSuffix(name, ".localhost")) && !p.private() && !byAddr:
		return p.refuse("is this machine") // RFC 6761, section 6.3
	}
	return nil
}

// permit decides about an address that the target has been resolved to.
func (p *policy) permit(to netip.AddrPort) error {
	addr, port, name := address.Canonical(to.Addr()), to.Port(), ""
	if !p.to.addr.IsValid() {
		name = p.to.plain()
	}
	var byName, byAddr bool
	for _, a := range p.access.AllowTarget {
		byName = byName || a.hasName(name, port)
		byAddr = byAddr || a.hasAddr(addr, port)
	}
	inside := embedded(addr)
	for _, d := range p.access.DenyTarget {
		denies := func(a netip.Addr) bool { return d.hasAddr(a, port) }
		if d.hasName(name, port) || denies(addr) || slices.ContainsFunc(inside, denies) {
			return p.refuse("is denied by a rule")
		}
	}
	switch {
	case byAddr:
		return nil
	case !byName && len(p.access.AllowTarget) > 0:
		return p.refuse("is not among the targets that are allowed")
	case p.private():
		return nil
	case isPrivate(addr):
		return p.refuse("is in a private network")
	}
	ours, err := isOurs(append(inside, addr)...)
	if err != nil {
		return transport.Mark(err, transport.ErrDenied)
	}
	if ours {
		return p.refuse("is this machine")
	}
	return nil
}

// endsInNumber tells whether the last label is a number, as in 127.1 and 0x7f000001:
// no name of the public DNS is like that, and some resolvers read an address in it.
func endsInNumber(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	return strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x")
}

func (p *policy) denies(name string, port uint16) bool {
	for _, d := range p.access.DenyTarget {
		if d.hasName(name, port) {
			return true
		}
	}
	return false
}

// private tells whether the client may reach private targets.
func (p *policy) private() bool { return p.access.AllowPrivate || p.local }

func (p *policy) refuse(why string) error {
	err := transport.Mark(fmt.Errorf("the target %s %s", p.to, why), transport.ErrDenied)
	return transport.WithHint(err, "see the options allow-target, deny-target and allow-private of the proxy")
}

// isLocal tells whether the client came from this machine, and in a way that only
// this machine has. The socket must say so; what a relay on this machine announces can
// only take the right away.
func isLocal(c transport.Conn) bool {
	return isLocalAddr(transport.PeerAddr(c)) && isLocalAddr(c.RemoteAddr()) && isLocalAddr(c.LocalAddr())
}

func isLocalAddr(a net.Addr) bool {
	if strings.HasPrefix(a.Network(), "unix") {
		return true
	}
	ap, ok := addrPort(a)
	return ok && ap.Addr().IsLoopback()
}
