package proxy

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"

	"github.com/tenon-net/tenon/address"
)

// A Pattern says which targets a rule is about: HOST[:PORT] or HOST[:LOW-HIGH].
// HOST is a name, *.example.org for the names below it, an address, a network such
// as 10.0.0.0/8, or * or nothing for all. An IPv6 address with a port is written
// in brackets: [2001:db8::/32]:443.
//
// A pattern with a name is compared with the name that the client wrote, one with
// an address with the address that was found for it.
type Pattern struct {
	prefix    netip.Prefix // valid for addresses and networks
	name      string       // in lower case; ".example.org" for those below it
	low, high uint16       // both 0: every port
}

// UnmarshalText reads a pattern.
func (p *Pattern) UnmarshalText(text []byte) error {
	host, ports, err := splitPattern(string(text))
	if err != nil {
		return err
	}
	var q Pattern
	if q.low, q.high, err = parsePorts(ports); err != nil {
		return err
	}
	if q.prefix, err = address.ParsePrefix(host); err == nil {
		*p = q
		return nil
	}
	switch name := strings.TrimSuffix(strings.ToLower(host), "."); {
	case host == "*" || host == "" && ports != "":
	case strings.HasPrefix(name, "*.") && isPatternName(name[2:]):
		q.name = name[1:]
	case isPatternName(name):
		q.name = name
	default:
		return errors.New("must be HOST, *.DOMAIN, an address or a network, with :PORT or :LOW-HIGH if not for every port")
	}
	*p = q
	return nil
}

// isPatternName is isName without those that no target has: with an empty label, or
// with a number at the end, which somebody may take for an address.
func isPatternName(name string) bool {
	return isName(name) && !strings.Contains("."+name+".", "..") && !endsInNumber(name)
}

// splitPattern splits off the ports, which are behind the last colon unless that
// is part of an IPv6 address.
func splitPattern(text string) (host, ports string, err error) {
	if strings.HasPrefix(text, "[") {
		host, rest, ok := strings.Cut(text[1:], "]")
		if !ok || rest != "" && rest[0] != ':' || rest == ":" {
			return "", "", errors.New("after the bracket of an IPv6 address come a colon and a port")
		}
		return host, strings.TrimPrefix(rest, ":"), nil
	}
	i := strings.LastIndexByte(text, ':')
	if i < 0 || strings.Count(text, ":") > 1 {
		return text, "", nil
	}
	if text[i+1:] == "" {
		return "", "", errors.New("there is no port after the colon")
	}
	return text[:i], text[i+1:], nil
}

func parsePorts(text string) (low, high uint16, err error) {
	if text == "" || text == "*" {
		return 0, 0, nil
	}
	first, last, isRange := strings.Cut(text, "-")
	if !isRange {
		last = first
	}
	l, err1 := strconv.ParseUint(first, 10, 16)
	h, err2 := strconv.ParseUint(last, 10, 16)
	if err1 != nil || err2 != nil || l == 0 || h < l {
		return 0, 0, errors.New("ports are a number from 1 to 65535, or two with a hyphen between them")
	}
	return uint16(l), uint16(h), nil
}

// String writes the pattern as UnmarshalText reads it.
func (p Pattern) String() string {
	host := p.name
	switch {
	case p.prefix.IsValid() && p.prefix.IsSingleIP():
		host = p.prefix.Addr().String()
	case p.prefix.IsValid():
		host = p.prefix.String()
	case p.name == "":
		host = "*"
	case p.name[0] == '.':
		host = "*" + p.name
	}
	if p.low == 0 {
		return host
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	ports := strconv.Itoa(int(p.low))
	if p.high != p.low {
		ports += "-" + strconv.Itoa(int(p.high))
	}
	return host + ":" + ports
}

func (p Pattern) hasPort(port uint16) bool {
	return p.low == 0 || p.low <= port && port <= p.high
}

// hasName tells whether the pattern is about a name, and about this one. "" is
// the name of a target that the client wrote as an address.
func (p Pattern) hasName(name string, port uint16) bool {
	switch {
	case p.prefix.IsValid() || !p.hasPort(port):
		return false
	case p.name == "":
		return true
	case p.name[0] == '.':
		return strings.HasSuffix(name, p.name) && name != p.name
	}
	return name == p.name
}

// hasAddr tells whether the pattern is about an address, and about this one.
func (p Pattern) hasAddr(addr netip.Addr, port uint16) bool {
	return p.prefix.IsValid() && p.hasPort(port) && p.prefix.Contains(addr)
}
