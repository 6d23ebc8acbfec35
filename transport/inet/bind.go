package inet

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// bindDialed binds the options that say where an end connects or sends from.
func bindDialed(s *opt.Set, local *string, port *int, verb string) {
	bindLocal(s, local, verb+" this address of this machine")
	s.Int(port, "sourceport", 0, 1, 65535, verb+" this port").Alias("sp")
}

// bindListener binds the option that says where an end listens, beside its target.
func bindListener(s *opt.Set, host *string) *opt.Def {
	return bindLocal(s, host, "listen on this address, as if it stood before the port")
}

func bindLocal(s *opt.Set, p *string, usage string) *opt.Def {
	return s.Text((*localText)(p), "bind", "[HOST][:PORT]", usage, func() string { return *p })
}

// localText is a text that [address.ParseLocal] reads.
type localText string

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *localText) UnmarshalText(text []byte) error {
	if _, err := address.ParseLocal(string(text)); err != nil {
		return &opt.ValueError{Msg: err.Error()}
	}
	*l = localText(text)
	return nil
}

// A localAddr is where an end is to be bound before it connects or sends: an address
// for each family, not valid where there is none. The zero localAddr is anywhere.
type localAddr struct{ v4, v6 netip.AddrPort }

// of returns the address of a family. It is not ok if the system is to choose.
func (l localAddr) of(v6 bool) (local netip.AddrPort, ok bool) {
	if local = l.v4; v6 {
		local = l.v6
	}
	return local, local.IsValid()
}

// family is the family to which l confines the other side.
func (l localAddr) family(asked Family) Family {
	switch {
	case l.v4.IsValid() == l.v6.IsValid():
		return asked
	case l.v4.IsValid():
		return IPv4
	}
	return IPv6
}

// parseLocal reads what bind= says, to which sourceport= may add a port.
func parseLocal(text string, sourcePort int) (h address.Host, err error) {
	if text != "" {
		if h, err = address.ParseLocal(text); err != nil {
			return h, usage(fmt.Sprintf("bind=%s: %v", text, err), "")
		}
	}
	if sourcePort == 0 {
		return h, nil
	}
	port := strconv.Itoa(sourcePort)
	if h.Port != "" && h.Port != port {
		return h, usage(fmt.Sprintf("bind=%s and sourceport=%s name two ports", text, port), "")
	}
	h.Port = port
	return h, nil
}

// findLocal finds the addresses that [parseLocal] has read: of a name the first of each
// family, and the unspecified ones where there is a port only, or "*".
func findLocal(ctx context.Context, r Resolver, network string, family Family, text string, sourcePort int) (l localAddr, err error) {
	h, err := parseLocal(text, sourcePort)
	if err != nil || h == (address.Host{}) {
		return l, err
	}
	port := uint16(0)
	if h.Port != "" {
		if port, err = lookupPort(ctx, resolver(r), network, h.Port); err != nil {
			return l, err
		}
	}
	var addrs []netip.AddrPort
	if h.Name == "" || h.Name == "*" {
		for _, v6 := range [2]bool{false, true} {
			addrs = append(addrs, netip.AddrPortFrom(unspecified(v6), port))
		}
	} else if addrs, err = lookup(ctx, r, family, h.Name, strconv.Itoa(int(port))); err != nil {
		if _, ierr := net.InterfaceByName(h.Name); ierr == nil {
			err = transport.WithHint(transport.Mark(err, transport.ErrUsage), "a network interface is given with interface="+h.Name)
		}
		return l, fmt.Errorf("bind=%s: %w", text, err)
	}
	for _, a := range addrs {
		switch {
		case a.Addr().Is4() && !l.v4.IsValid() && family.has(false):
			l.v4 = a
		case a.Addr().Is6() && !l.v6.IsValid() && family.has(true):
			l.v6 = a
		}
	}
	return l, nil
}

// listenHostPort takes apart what a listener is to listen on: its target, and what
// bind= says, which must not contradict it.
func listenHostPort(target, bind string) (host, port string, err error) {
	if host, port, err = splitHostPort(target); err != nil || bind == "" {
		return host, port, err
	}
	h, err := address.ParseLocal(bind)
	if err != nil {
		return "", "", usage(fmt.Sprintf("bind=%s: %v", bind, err), "")
	}
	if h.Port != "" && h.Port != port {
		return "", "", usage(fmt.Sprintf("bind=%s names another port than %s", bind, port), "")
	}
	if h.Name != "" && host != "" && h.Name != host {
		return "", "", usage(fmt.Sprintf("bind=%s names another host than %s", bind, host), "")
	}
	if h.Name != "" {
		host = h.Name
	}
	return host, port, nil
}
