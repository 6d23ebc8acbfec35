package plan

import (
	"net/netip"
	"strings"

	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport/proxy"
)

// A Way is the proxies to an end, the nearest first.
type Way []proxy.Hop

// UnmarshalText adds a proxy.
func (w *Way) UnmarshalText(text []byte) error {
	hop, err := proxy.ParseVia(string(text))
	if err == nil {
		*w = append(*w, hop)
	}
	return err
}

// String names the proxies, without their passwords.
func (w *Way) String() string {
	var words []string
	for _, hop := range *w {
		words = append(words, hop.String())
	}
	return strings.Join(words, " ")
}

// Prefixes is a list of address ranges.
type Prefixes []netip.Prefix

// UnmarshalText adds a range, or several with spaces between.
func (p *Prefixes) UnmarshalText(text []byte) error {
	for word := range strings.FieldsSeq(string(text)) {
		prefix, err := netip.ParsePrefix(word)
		if err != nil {
			var ip netip.Addr
			if ip, err = netip.ParseAddr(word); err == nil {
				ip = ip.WithZone("")
				prefix = netip.PrefixFrom(ip, ip.BitLen())
			}
		}
		if err != nil {
			return &opt.ValueError{Msg: "must be an address or a range such as 10.0.0.0/8 or fd00::/8"}
		}
		if ip := prefix.Addr(); ip.Is4In6() && prefix.Bits() >= 96 {
			prefix = netip.PrefixFrom(ip.Unmap(), prefix.Bits()-96)
		}
		*p = append(*p, prefix.Masked())
	}
	return nil
}

// String writes the ranges as they are read.
func (p *Prefixes) String() string {
	var words []string
	for _, prefix := range *p {
		words = append(words, prefix.String())
	}
	return strings.Join(words, " ")
}

// Contain tells whether ip is in one of the ranges, whatever its zone, and whether
// or not it is an IPv4 address in the form of an IPv6 one (RFC 4291 section 2.5.5.2).
func (p Prefixes) Contain(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	for _, prefix := range p {
		if prefix.Contains(ip) {
			return true
		}
	}
	return false
}
