package natlab

import "strings"

// A Kind is how a router treats what passes through it.
type Kind string

// The kinds. What is said of ports holds for UDP and TCP.
const (
	Public      Kind = "public"      // no translation, no filter
	Firewall    Kind = "firewall"    // no translation; only answers come in
	FullCone    Kind = "cone"        // a port kept, and open to everyone
	AddressCone Kind = "address"     // a port kept, and open to addresses that were sent to
	Port        Kind = "port"        // a port kept, and open to ports that were sent to: most homes
	Symmetric   Kind = "symmetric"   // another random port for each one that is sent to
	UDPBlocked  Kind = "udp-blocked" // as Port, and no UDP at all
	TCPOnly     Kind = "tcp-only"    // as UDPBlocked, and TCP to ports 80 and 443 only
	CarrierPort Kind = "carrier"     // Port at home, and Port again at the carrier
	CarrierSym  Kind = "carrier-sym" // Port at home, and Symmetric at the carrier
)

// Kinds are all of them.
var Kinds = []Kind{Public, Firewall, FullCone, AddressCone, Port, Symmetric, UDPBlocked, TCPOnly, CarrierPort, CarrierSym}

// Translates says whether hosts behind the router have private IPv4 addresses.
func (k Kind) Translates() bool { return k != Public && k != Firewall }

// Carried says whether there is a second router behind the first.
func (k Kind) Carried() bool { return k == CarrierPort || k == CarrierSym }

// Hard says whether the port that a host gets is another one for each destination.
func (k Kind) Hard() bool { return k == Symmetric || k == CarrierSym }

// Families are the versions of IP that a network has.
type Families int

// The families.
const (
	Dual Families = iota // both
	V4
	V6
)

func (f Families) has4() bool { return f != V6 }
func (f Families) has6() bool { return f != V4 }

func (f Families) String() string { return [...]string{"dual", "v4", "v6"}[f] }

// rules are what nft has to do for a router between wan0 and lan0. The translation of IPv6
// is left out, as routers leave it out, unless nat6 asks for it: then IPv6 is only filtered.
func rules(k Kind, nat6 bool, client4, client6 string) string {
	var b strings.Builder
	line := func(s string) { b.WriteString(s + "\n") }
	line("table inet lab {")
	line(" set known4 { type ipv4_addr; flags dynamic,timeout; timeout 120s; }")
	line(" set known6 { type ipv6_addr; flags dynamic,timeout; timeout 120s; }")

	// A packet for the router itself must leave no trace. Else one that comes too early,
	// from a peer that punches, would take the port that the host's own answer wants.
	line(` chain input { type filter hook input priority 0; iifname "wan0" meta l4proto { tcp, udp } ct state new drop; }`)
	line(" chain forward { type filter hook forward priority 0;")
	switch k {
	case UDPBlocked:
		line("  meta l4proto udp drop")
	case TCPOnly:
		line("  meta l4proto udp drop")
		line(`  oifname "wan0" ct state new tcp dport != { 80, 443 } drop`)
	}
	if k != Public {
		line(`  iifname "wan0" ct state established,related accept`)
		line(`  iifname "wan0" ct status dnat accept`)
		line(`  iifname "wan0" meta l4proto != ipv6-icmp drop`)
	}
	line(" }")
	for _, fam := range []struct{ nf, set, client string }{{"ipv4", "known4", client4}, {"ipv6", "known6", client6}} {
		if !k.Translates() || fam.nf == "ipv6" && !nat6 {
			continue
		}
		ip := map[string]string{"ipv4": "ip", "ipv6": "ip6"}[fam.nf]
		source := "masquerade"
		if k.Hard() {
			source += " random,fully-random"
		}
		line(" chain src_" + ip + " { type nat hook postrouting priority 100; oifname \"wan0\" meta nfproto " + fam.nf + " " + source + "; }")
		everyPort := `iifname "wan0" meta nfproto ` + fam.nf + " meta l4proto { tcp, udp } th dport 1024-65535 "
		dnat := "dnat " + ip + " to " + fam.client
		switch k {
		case FullCone:
			line(" chain dst_" + ip + " { type nat hook prerouting priority -100; " + everyPort + dnat + "; }")
		case AddressCone:
			line(" chain mark_" + ip + " { type filter hook postrouting priority 0; oifname \"wan0\" meta nfproto " + fam.nf + " meta l4proto { tcp, udp } update @" + fam.set + " { " + ip + " daddr timeout 120s }; }")
			line(" chain dst_" + ip + " { type nat hook prerouting priority -100; " + everyPort + ip + " saddr @" + fam.set + " " + dnat + "; }")
		}
	}
	line("}")
	return b.String()
}
