package address

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Canonical returns addr in the form in which addresses are compared with each other
// and with networks: IPv4 as such and not mapped into IPv6, and without a zone. A
// [netip.Prefix] contains no address that has a zone, so that a filter that forgot
// this would let in whom it was to keep out.
func Canonical(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }

// ParsePrefix reads a network such as 10.0.0.0/8, or an address, in the form in which
// [Canonical] addresses are compared with it. What socat's option range takes is read,
// too: 10.0.0.0:255.0.0.0, [fd00::/8] and [fd00::]/8.
func ParsePrefix(text string) (netip.Prefix, error) {
	if strings.Contains(text, "%") {
		return netip.Prefix{}, errors.New("a zone is not compared: write the address without what follows %")
	}
	if rest, ok := strings.CutPrefix(text, "["); ok && strings.Count(rest, "]") == 1 {
		text = strings.Replace(rest, "]", "", 1)
	}
	if addr, mask, ok := strings.Cut(text, ":"); ok {
		if bits, ok := maskBits(mask); ok {
			text = addr + "/" + strconv.Itoa(bits)
		}
	}
	if addr, err := netip.ParseAddr(text); err == nil {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, errors.New("must be an address or a network such as 10.0.0.0/8 or fd00::/8")
	}
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return netip.Prefix{}, errors.New("the network is larger than IPv4")
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), nil
}

// maskBits is the length of a mask such as 255.255.0.0.
func maskBits(text string) (bits int, ok bool) {
	mask, err := netip.ParseAddr(text)
	if err != nil || !mask.Is4() {
		return 0, false
	}
	b := mask.As4()
	bits, size := net.IPMask(b[:]).Size()
	return bits, size != 0
}

// Prefixes is a list of networks, as the value of an option or of several.
type Prefixes []netip.Prefix

// UnmarshalText adds a network, or several with spaces between them.
func (p *Prefixes) UnmarshalText(text []byte) error {
	words := strings.Fields(string(text))
	if len(words) == 0 {
		return errors.New("must be an address or a network such as 10.0.0.0/8 or fd00::/8")
	}
	for _, word := range words {
		prefix, err := ParsePrefix(word)
		if err != nil {
			return err
		}
		*p = append(*p, prefix)
	}
	return nil
}

// String returns the networks with spaces between them.
func (p Prefixes) String() string {
	words := make([]string, len(p))
	for i, prefix := range p {
		words[i] = prefix.String()
	}
	return strings.Join(words, " ")
}

// Contain tells whether addr is in one of the networks, whatever form it has.
func (p Prefixes) Contain(addr netip.Addr) bool {
	addr = Canonical(addr)
	for _, prefix := range p {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}
