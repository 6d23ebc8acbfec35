package natlab

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
)

// A Host is a computer. It is plugged into one router at a time.
type Host struct {
	Name string

	lab    *Lab
	s      *space
	router *Router // nil for the relay
	number int     // in the router's network
	port   string  // the router's interface that it is plugged into
	addrs  []netip.Addr
	dead   int
}

// Host makes a host and plugs it into a router; nil is none yet.
func (l *Lab) Host(name string, r *Router) *Host {
	l.t.Helper()
	h := &Host{lab: l, Name: name, s: l.space(name, false)}
	if r != nil {
		h.Plug(r)
	}
	return h
}

// Plug pulls the host out of the router that it is in, and plugs it into another one.
func (h *Host) Plug(r *Router) {
	h.lab.t.Helper()
	h.Unplug()
	r.ports++
	h.router, h.number, h.port = r, 1+r.ports, fmt.Sprintf("p%d", r.ports)
	if len(r.hosts) == 0 {
		h.number = 2 // the one that ports are open for
	}
	h.lab.ok(veth(h.lab.wires, h.s, "eth0", r.s, h.port))
	h.lab.ok(r.s.addToBridge(h.port, "lan0"))
	r.hosts = append(r.hosts, h)
	h.address()
}

// Unplug pulls the host out of the router that it is in.
func (h *Host) Unplug() {
	h.lab.t.Helper()
	r := h.router
	if r == nil {
		return
	}
	h.lab.ok(h.s.linkDel("eth0"))
	for i := range r.hosts {
		if r.hosts[i] == h {
			r.hosts = append(r.hosts[:i:i], r.hosts[i+1:]...)
			break
		}
	}
	h.router, h.addrs = nil, nil
}

func (h *Host) address() {
	h.lab.t.Helper()
	r := h.router
	h.addrs = nil
	gates := r.client(1)
	for _, p := range of(r.families(), r.client(h.number)) {
		h.lab.ok(h.s.addrAdd("eth0", p))
		h.addrs = append(h.addrs, p.Addr())
		via := gate6
		if p.Addr().Is4() {
			via = gates[0].Addr()
		}
		h.lab.ok(h.s.route(defaultOf(p.Addr()), "eth0", via, 100))
	}
}

func (h *Host) unaddress() {
	h.lab.t.Helper()
	h.lab.ok(h.s.addrDel("eth0", of(h.router.families(), h.router.client(h.number))...))
}

// Addrs returns the addresses of the host: IPv4 first. The relay has two of each family.
func (h *Host) Addrs() []netip.Addr { return h.addrs }

// Down takes the cable out, Up puts it in again: the host sees that there is no carrier, and keeps
// its addresses.
func (h *Host) Down() { h.lab.t.Helper(); h.lab.ok(h.router.s.linkUp(h.port, false)) }

// Up ends what Down began.
func (h *Host) Up() { h.lab.t.Helper(); h.lab.ok(h.router.s.linkUp(h.port, true)) }

// AddDead gives the host n more interfaces which look good and lead nowhere.
func (h *Host) AddDead(n int) {
	h.lab.t.Helper()
	ok := h.lab.ok
	for range n {
		h.dead++
		dev := fmt.Sprintf("dead%d", h.dead)
		h.lab.links++
		ok(veth(h.lab.wires, h.s, dev, h.lab.void, fmt.Sprintf("v%d", h.lab.links)))
		ok(h.s.addrAdd(dev, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(h.lab.links), byte(h.dead), 2}), 24),
			netip.MustParsePrefix(fmt.Sprintf("2a0e:4242:dead:%d::2/64", h.lab.links))))
		ok(h.s.route(defaultOf(core4), dev, netip.AddrFrom4([4]byte{10, byte(h.lab.links), byte(h.dead), 1}), 1000+h.dead))
		ok(h.s.route(defaultOf(gate6), dev, gate6, 2000+h.dead))
	}
}

// Start starts a program in the host. It is killed, at the latest, when the laboratory closes; to wait for it
// is the caller's business.
func (h *Host) Start(cmd *exec.Cmd) error { return h.s.start(cmd) }

// Do calls f in the host, for what is quick: sockets that it opens stay there, whoever uses them.
func (h *Host) Do(f func() error) error { return h.s.do(f) }

// Helper returns the command that runs a function of this test binary; see [Main].
func (h *Host) Helper(name string, args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), helperEnv+"="+name)
	cmd.Stderr = os.Stderr
	return cmd
}
