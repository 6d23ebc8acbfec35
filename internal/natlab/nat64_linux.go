package natlab

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
)

// NAT64 is the prefix by which hosts with IPv6 only reach IPv4 (RFC 6052).
var NAT64 = netip.MustParsePrefix("64:ff9b::/96")

// Through64 returns the address by which a host behind NAT64 reaches an IPv4 address.
func Through64(a netip.Addr) netip.Addr {
	b, v4 := NAT64.Addr().As16(), a.As4()
	copy(b[12:], v4[:])
	return netip.AddrFrom16(b)
}

// nat64 has tayga give each IPv6 host a private IPv4 address, which the kernel translates as the router's kind says.
func (r *Router) nat64() {
	r.lab.t.Helper()
	ok := r.lab.ok
	tayga, err := exec.LookPath("tayga")
	if err != nil {
		r.lab.t.Skipf("no NAT64: %v (hint: apt-get install tayga)", err)
	}
	if f, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0); err != nil {
		r.lab.t.Skipf("no NAT64: %v", err)
	} else {
		f.Close()
	}
	dir := r.lab.t.TempDir()
	conf := filepath.Join(dir, "tayga.conf")
	pool := netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 168, byte(200 + r.n), 0}), 24)
	ok(os.WriteFile(conf, fmt.Appendf(nil, "tun-device nat64\nipv4-addr %s\nipv6-addr 2a0e:4242:64::%d\nprefix %s\ndynamic-pool %s\ndata-dir %s\n",
		pool.Addr().Next(), r.n, NAT64, pool, dir), 0o600))
	ok(r.s.run("", tayga, "--config", conf, "--mktun"))
	ok(r.s.linkUp("nat64", true))
	ok(r.s.route(pool, "nat64", netip.Addr{}, 0))
	ok(r.s.route(NAT64, "nat64", netip.Addr{}, 0))
	cmd := exec.Command(tayga, "--config", conf, "--nodetach")
	ok(r.s.start(cmd))
	r.lab.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}
