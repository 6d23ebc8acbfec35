package natlab

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// RouterOptions are what a router is made of; the zero value is a public one of both families.
type RouterOptions struct {
	Kind     Kind
	Families Families
	NAT6     bool  // translate IPv6, too; else it is routed, and filtered as IPv4 is
	NAT64    bool  // hosts have IPv6 only, and reach IPv4 by 64:ff9b::/96
	Wire     *Wire // to the core; nil is a perfect one, which cannot be changed later
}

// A Router stands between hosts and the core.
type Router struct {
	lab   *Lab
	o     RouterOptions
	n     int    // its number
	roams int    // how often it has got other addresses
	s     *space // at home
	edge  *space // what the core sees: s, or a carrier's
	pump  *pump
	hosts []*Host
	ports int // how many have ever been plugged in
	lanes map[netip.Prefix]netip.Addr
}

// Router makes a router of a kind, for both families, with a perfect wire.
func (l *Lab) Router(k Kind) *Router { l.t.Helper(); return l.RouterWith(RouterOptions{Kind: k}) }

// RouterWith makes a router.
func (l *Lab) RouterWith(o RouterOptions) *Router {
	l.t.Helper()
	if o.Kind == "" {
		o.Kind = Public
	}
	l.n = nextRouter(l.n)
	if l.n > maxRouter {
		l.t.Fatalf("natlab: more than %d routers", maxRouter)
	}
	r := &Router{lab: l, o: o, n: l.n}
	name := fmt.Sprintf("router%d", r.n)
	r.s = l.space(name, true)
	r.edge = r.s
	l.ok(l.bridge(r.s, "lan0"))
	if o.Kind.Carried() {
		r.edge = l.space("carrier"+name, true)
		r.carry()
	}
	r.pump = l.connect(r.coreDev(), r.edge, "wan0", o.Wire)
	l.ok(r.s.addrAdd("lan0", netip.PrefixFrom(gate6, 64)))
	r.address()
	if o.NAT64 {
		r.nat64()
	}
	home, client := o.Kind, r.client(2)
	if o.Kind.Carried() {
		home = Port
		edge := Port
		if o.Kind.Hard() {
			edge = Symmetric
		}
		l.ok(r.edge.nft(rules(edge, o.NAT6, "", "")))
	}
	l.ok(r.s.nft(rules(home, o.NAT6, client[0].Addr().String(), client[1].Addr().String())))
	return r
}

// maxRouter is the number of the last router: it is a byte of addresses.
const maxRouter = 254

// nextRouter returns the number of the router that follows another one. Two numbers are
// left out, by which the addresses would be those of the relay.
func nextRouter(n int) int {
	if n == 99 {
		return 102
	}
	return n + 1
}

func (r *Router) coreDev() string { return fmt.Sprintf("w%d", r.n) }

// families are those that the hosts have.
func (r *Router) families() Families {
	if r.o.NAT64 {
		return V6
	}
	return r.o.Families
}

// uplink are the families of the side to the core.
func (r *Router) uplink() Families {
	if r.o.NAT64 {
		return Dual
	}
	return r.o.Families
}

// WAN returns the addresses that the core has for the router itself.
func (r *Router) WAN() []netip.Addr {
	var as []netip.Addr
	if r.uplink().has4() {
		as = append(as, netip.AddrFrom4([4]byte{20, 0, byte(113 + r.roams), byte(r.n)}))
	}
	if r.uplink().has6() {
		as = append(as, netip.MustParseAddr(fmt.Sprintf("2a0e:4242:113:%d::%d", r.roams, r.n)))
	}
	return as
}

// client returns the addresses, with their networks, of the host with a number.
func (r *Router) client(host int) [2]netip.Prefix {
	v4 := netip.AddrFrom4([4]byte{192, 168, byte(r.n), byte(host)})
	if !r.o.Kind.Translates() {
		v4 = netip.AddrFrom4([4]byte{21, byte(r.roams), byte(r.n), byte(host)})
	}
	v6 := fmt.Sprintf("2a0e:4242:%d:%d::%d", 1000+r.n, r.roams, host)
	if r.o.NAT6 && r.o.Kind.Translates() {
		v6 = fmt.Sprintf("fd42:0:%d::%d", r.n, host)
	}
	return [2]netip.Prefix{netip.PrefixFrom(v4, 24), netip.PrefixFrom(netip.MustParseAddr(v6), 64)}
}

// of leaves out what is not of the families.
func of(f Families, ps [2]netip.Prefix) (out []netip.Prefix) {
	if f.has4() {
		out = append(out, ps[0])
	}
	if f.has6() {
		out = append(out, ps[1])
	}
	return out
}

// carry connects the router at home with the carrier's.
func (r *Router) carry() {
	r.lab.t.Helper()
	ok := r.lab.ok
	ok(veth(r.lab.wires, r.s, "wan0", r.edge, "lan0"))
	net := r.between()
	ok(r.s.addrAdd("wan0", append(of(r.uplink(), net[1]), netip.PrefixFrom(home6, 64))...))
	ok(r.edge.addrAdd("lan0", append(of(r.uplink(), net[0]), netip.PrefixFrom(gate6, 64))...))
	if r.uplink().has4() {
		ok(r.s.route(defaultOf(core4), "wan0", net[0][0].Addr(), 0))
	}
	if r.uplink().has6() {
		ok(r.s.route(defaultOf(gate6), "wan0", gate6, 0))
	}
}

// between are the addresses between carrier and home, the carrier's first.
func (r *Router) between() (sides [2][2]netip.Prefix) {
	for i := range sides {
		sides[i] = [2]netip.Prefix{
			netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64, byte(r.n), byte(1 + i)}), 24),
			netip.MustParsePrefix(fmt.Sprintf("fd64:0:%d::%d/64", r.n, 1+i)),
		}
	}
	return sides
}

// address gives the router its addresses, and the core the ways to it and to its hosts.
func (r *Router) address() {
	r.lab.t.Helper()
	ok := r.lab.ok
	r.lanes = map[netip.Prefix]netip.Addr{}
	for _, a := range r.WAN() {
		ok(r.edge.addrAdd("wan0", one(a)))
		r.lanes[one(a)] = netip.Addr{}
	}
	ok(r.edge.defaults("wan0", r.uplink()))
	for _, p := range of(r.families(), r.client(1)) {
		ok(r.s.addrAdd("lan0", p))
		if p.Addr().IsPrivate() {
			continue
		}
		via := home6
		if p.Addr().Is4() {
			via = r.WAN()[0]
		}
		r.lanes[p.Masked()] = via
		if r.edge != r.s {
			ok(r.edge.route(p, "lan0", home6, 0))
		}
	}
	for p, via := range r.lanes {
		ok(r.lab.core.route(p, r.coreDev(), via, 0))
	}
}

// Roam gives the router, and hosts with public addresses, other public addresses. All mappings are
// forgotten, and the old addresses lead nowhere.
func (r *Router) Roam() {
	r.lab.t.Helper()
	ok := r.lab.ok
	old, oldNet := r.WAN(), r.client(1)
	for p := range r.lanes {
		ok(r.lab.core.unroute(p))
	}
	for _, h := range r.hosts {
		h.unaddress()
	}
	r.roams++
	for _, a := range old {
		ok(r.edge.addrDel("wan0", one(a)))
	}
	for i, p := range of(r.families(), oldNet) {
		if p != of(r.families(), r.client(1))[i] {
			ok(r.s.addrDel("lan0", p))
			if r.edge != r.s && p.Addr().Is6() {
				ok(r.edge.unroute(p))
			}
		}
	}
	r.address()
	for _, h := range r.hosts {
		h.address()
	}
	r.Forget()
}

// Forget drops all mappings, as a router does that is started again.
func (r *Router) Forget() {
	r.lab.t.Helper()
	r.lab.ok(r.s.forget())
	r.lab.ok(r.edge.forget())
}

// Cut drops every packet, in silence, until Mend.
func (r *Router) Cut() {
	r.lab.t.Helper()
	r.lab.ok(r.edge.nft("table inet cut { chain f { type filter hook forward priority -300; policy drop; }; }"))
}

// Mend ends what Cut began.
func (r *Router) Mend() {
	r.lab.t.Helper()
	r.lab.ok(r.edge.nft("delete table inet cut"))
}

// Timeouts sets for how long the router keeps a mapping for UDP that is not used.
func (r *Router) Timeouts(d time.Duration) {
	r.lab.t.Helper()
	secs := fmt.Sprint(max(1, int(d/time.Second)))
	r.lab.ok(r.edge.set("netfilter/nf_conntrack_udp_timeout="+secs, "netfilter/nf_conntrack_udp_timeout_stream="+secs))
}

// SetWire changes the wire to the core, which the router must have been made with.
func (r *Router) SetWire(w Wire) {
	if r.pump == nil {
		r.lab.t.Helper()
		r.lab.t.Fatal("natlab: the router was made without a wire")
	}
	r.pump.set(w)
}

func (r *Router) String() string {
	var as []string
	for _, a := range r.WAN() {
		as = append(as, a.String())
	}
	return fmt.Sprintf("%s router at %s", r.o.Kind, strings.Join(as, " "))
}
