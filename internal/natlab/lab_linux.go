package natlab

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A Lab is a small Internet. Its methods, and those of its routers and hosts, stop the
// test if the kernel refuses something; they are for the goroutine of the test.
type Lab struct {
	// Relay is a host right in the core, with two addresses of each family.
	Relay *Host

	t      testing.TB
	core   *space
	wires  *space // where the wires' packets are taken up and put down
	void   *space // where interfaces lead that lead nowhere
	spaces []*space
	pumps  []*pump
	n      int // routers
	links  int
}

// Addresses must look public to the programs under test, so they are not those of documentation.
var (
	core4 = netip.MustParseAddr("20.0.0.1")
	gate6 = netip.MustParseAddr("fe80::1") // the side of a link that is nearer to the core
	home6 = netip.MustParseAddr("fe80::2")
)

// New builds a laboratory, which is gone when the test is. It skips the test on a machine
// where it cannot be built.
func New(t testing.TB) *Lab { return NewWith(t, nil) }

// NewWith is New with a wire to the relay.
func NewWith(t testing.TB, relay *Wire) *Lab {
	t.Helper()
	if _, err := findNFT(); err != nil {
		t.Skipf("no laboratory: %v (hint: apt-get install nftables)", err)
	}
	first, err := newSpace("core")
	if err != nil {
		t.Skipf("no laboratory: %v (hint: run as root, or allow user namespaces)", err)
	}
	l := &Lab{t: t, core: first, spaces: []*space{first}}
	t.Cleanup(l.close)
	l.ok(first.basics(true))
	l.ok(first.blackhole(defaultOf(core4)))
	l.ok(first.blackhole(defaultOf(gate6)))
	l.ok(first.addrAdd("lo", one(core4)))
	l.wires, l.void = l.space("wires", false), l.space("void", false)
	l.ok(l.wires.set("ipv6/conf/default/disable_ipv6=1"))

	l.Relay = &Host{lab: l, Name: "relay", s: l.space("relay", false)}
	l.connect("relay0", l.Relay.s, "eth0", relay)
	for _, a := range []string{"20.0.113.100", "20.0.113.101", "2a0e:4242:113::100", "2a0e:4242:113::101"} {
		l.Relay.addrs = append(l.Relay.addrs, netip.MustParseAddr(a))
	}
	for _, a := range l.Relay.addrs {
		l.ok(l.Relay.s.addrAdd("eth0", one(a)))
		l.ok(l.core.route(one(a), "relay0", netip.Addr{}, 0))
	}
	l.ok(l.Relay.s.defaults("eth0", Dual))
	return l
}

// findNFT returns where nft is, which is often not in the PATH of people.
func findNFT() (string, error) {
	if err := os.Setenv("PATH", os.Getenv("PATH")+string(filepath.ListSeparator)+"/usr/sbin:/sbin"); err != nil {
		return "", err
	}
	return exec.LookPath("nft")
}

func (l *Lab) ok(err error) {
	if err != nil {
		l.t.Helper()
		l.t.Fatalf("natlab: %v", err)
	}
}

func (l *Lab) space(name string, router bool) *space {
	l.t.Helper()
	s, err := newSpace(name)
	l.ok(err)
	l.spaces = append(l.spaces, s)
	l.ok(s.basics(router))
	return s
}

// basics makes the loopback interface work, and the kernel quick to use new addresses.
func (s *space) basics(router bool) error {
	if err := s.linkUp("lo", true); err != nil {
		return err
	}
	err := s.set("ipv4/conf/all/rp_filter=0", "ipv4/conf/default/rp_filter=0",
		"ipv6/conf/default/accept_dad=0", "ipv6/conf/default/accept_ra=0")
	if err == nil && router {
		err = s.set("ipv4/ip_forward=1", "ipv6/conf/all/forwarding=1")
	}
	return err
}

// connect puts a link between the core and a namespace, over a wire if there is one.
func (l *Lab) connect(coreDev string, s *space, dev string, w *Wire) *pump {
	l.t.Helper()
	var p *pump
	if w == nil {
		l.ok(veth(l.wires, l.core, coreDev, s, dev))
	} else {
		l.links++
		a, b := fmt.Sprintf("a%d", l.links), fmt.Sprintf("b%d", l.links)
		l.ok(veth(l.wires, l.core, coreDev, l.wires, a))
		l.ok(veth(l.wires, s, dev, l.wires, b))
		l.ok(l.core.plainFrames(coreDev))
		l.ok(s.plainFrames(dev))
		var err error
		p, err = newPump(l.wires, a, b, *w)
		l.ok(err)
		l.pumps = append(l.pumps, p)
	}
	l.ok(l.core.addrAdd(coreDev, netip.PrefixFrom(gate6, 64)))
	l.ok(s.addrAdd(dev, netip.PrefixFrom(home6, 64)))
	return p
}

// defaults sends everything through a link to the core.
func (s *space) defaults(dev string, f Families) error {
	if f.has4() {
		if err := s.route(one(core4), dev, netip.Addr{}, 0); err != nil {
			return err
		}
		if err := s.route(defaultOf(core4), dev, core4, 0); err != nil {
			return err
		}
	}
	if f.has6() {
		return s.route(defaultOf(gate6), dev, gate6, 0)
	}
	return nil
}

func (l *Lab) close() {
	for _, p := range l.pumps {
		p.close()
	}
	for i := range l.spaces {
		l.spaces[len(l.spaces)-1-i].close()
	}
}
