package inet

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tenon-net/tenon/opt"
)

// Socket is the options that the sockets of TCP and UDP share. The zero value
// leaves everything to the system.
type Socket struct {
	Family    Family // which addresses of a name count
	Interface string // the only network interface to use, such as "eth0"
	RcvBuf    int64  // bytes of the receive buffer; 0 lets the system adjust it
	SndBuf    int64  // bytes of the send buffer; 0 lets the system adjust it
	TTL       int    // hop limit of what is sent, 1 to 255; 0 is the system's
	TOS       uint8  // traffic class of what is sent (RFC 2474, section 3)
	Mark      uint32 // SO_MARK, for the routing rules of this machine
}

// Bind binds the options.
func (s *Socket) Bind(set *opt.Set) {
	set.Group("socket")
	d := set.Text(&s.Family, "family", "any|ipv4|ipv6", "use only addresses of this family", func() string { return string(s.Family) })
	d.Default, d.Values = "any", []string{"any", "ipv4", "ipv6"}
	d.Alias("pf", "protocol-family")
	set.String(&s.Interface, "interface", "name", "use only this network interface").Alias("so-bindtodevice", "bindtodevice", "if")
	set.Size(&s.RcvBuf, "rcvbuf", 0, "size of the receive buffer").Alias("so-rcvbuf")
	set.Size(&s.SndBuf, "sndbuf", 0, "size of the send buffer").Alias("so-sndbuf")
	set.Int(&s.TTL, "ttl", 0, 1, 255, "how many routers may pass on what is sent").Alias("ip-ttl", "ipv6-unicast-hops")
	bindNumber(set, &s.TOS, "tos", "traffic class of what is sent").Alias("ip-tos", "ipv6-tclass")
	bindNumber(set, &s.Mark, "mark", "mark for the routing rules of this machine").Alias("so-mark")
}

// A Family is a sort of IP address. The zero Family is both.
type Family string

// The families.
const (
	AnyFamily Family = ""
	IPv4      Family = "ipv4"
	IPv6      Family = "ipv6"
)

// UnmarshalText reads a family as people and socat write it.
func (f *Family) UnmarshalText(text []byte) error {
	switch strings.ToLower(string(text)) {
	case "any", "unspec":
		*f = AnyFamily
	case "ipv4", "ip4", "inet", "inet4", "4":
		*f = IPv4
	case "ipv6", "ip6", "inet6", "6":
		*f = IPv6
	default:
		return &opt.ValueError{Msg: "must be any, ipv4 or ipv6"}
	}
	return nil
}

// network adds the family to "tcp", "udp" or "ip", as package net wants it.
func (f Family) network(base string) string {
	switch f {
	case IPv4:
		return base + "4"
	case IPv6:
		return base + "6"
	}
	return base
}

// has tells whether addresses like this one, 4 or 6, belong to the family.
func (f Family) has(v6 bool) bool { return f == AnyFamily || v6 == (f == IPv6) }

// number is a whole number in decimal or hexadecimal, as headers and firewall
// rules show them.
type number[T uint8 | uint32] struct{ p *T }

func bindNumber[T uint8 | uint32](set *opt.Set, p *T, name, usage string) *opt.Def {
	return set.Text(number[T]{p}, name, "number", usage, func() string {
		if *p == 0 {
			return ""
		}
		return strconv.FormatUint(uint64(*p), 10)
	})
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (n number[T]) UnmarshalText(text []byte) error {
	limit := uint64(^T(0))
	v, err := strconv.ParseUint(string(text), 0, 64)
	if err != nil || v > limit {
		return &opt.ValueError{Msg: fmt.Sprintf("must be a whole number from 0 to %d, or 0x0 to %#x", limit, limit)}
	}
	*n.p = T(v)
	return nil
}
