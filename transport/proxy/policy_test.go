package proxy

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

func TestIsPrivate(t *testing.T) {
	for text, want := range map[bool]string{
		true: `127.0.0.1 127.255.255.255 0.0.0.0 0.1.2.3 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1
			169.254.169.254 100.64.0.1 100.127.255.255 100.100.100.200 168.63.129.16 192.0.0.192 198.18.0.1
			198.19.255.255 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
			:: ::1 fe80::1 febf::1 fec0::1 fc00::1 fd00:ec2::254 ff02::1 ff01::1 100::1 2001::1 64:ff9b:1::1
			::ffff:127.0.0.1 ::ffff:10.0.0.1 ::127.0.0.1 ::ffff:0:127.0.0.1 64:ff9b::127.0.0.1 64:ff9b::10.0.0.1
			64:ff9b::169.254.169.254 2002:7f00:1:: 2002:a00:1::1 2002:a9fe:a9fe::`,
		false: `1.1.1.1 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 172.15.255.255 172.32.0.0 192.0.1.1
			168.63.129.17 198.17.255.255 198.20.0.0 223.255.255.255 169.253.255.255
			2606:4700::1 2001:4860::8888 ::ffff:1.1.1.1 64:ff9b::1.1.1.1 2002:101:101::1 2a00::`,
	} {
		for _, addr := range strings.Fields(want) {
			if got := isPrivate(netip.MustParseAddr(addr)); got != text {
				t.Errorf("isPrivate(%s) is %v", addr, got)
			}
		}
	}
	if !isPrivate(netip.Addr{}) || !isPrivate(netip.MustParseAddr("fe80::1%eth0")) {
		t.Error("an invalid address or one with a zone is public")
	}
}

// A public address of this machine is no less this machine.
func TestOwnAddressesAreRefused(t *testing.T) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		own, _ := netip.AddrFromSlice(a.(*net.IPNet).IP)
		if ours, err := isOurs(own); !ours || err != nil {
			t.Errorf("isOurs(%s): %v, error %v", own, ours, err)
		}
	}
	if ours, err := isOurs(netip.MustParseAddr("192.0.2.77")); ours || err != nil {
		t.Errorf("an address that is not ours: %v, error %v", ours, err)
	}
}

func patterns(t testing.TB, text string) (ps []Pattern) {
	t.Helper()
	for _, f := range strings.Fields(text) {
		var p Pattern
		if err := p.UnmarshalText([]byte(f)); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		var again Pattern
		if err := again.UnmarshalText([]byte(p.String())); err != nil || again != p {
			t.Errorf("%s prints as %s, which reads as %v, error %v", f, p, again, err)
		}
		ps = append(ps, p)
	}
	return ps
}

func TestBadPatterns(t *testing.T) {
	for _, text := range []string{"", ":", "a:", "a:0", "a:x", "a:1-", "a:2-1", "a:70000", "a b", "*.", ".a", "a/b", "*x", "[::1", "[::1]x", "[::1]:", "10.0.0.0/33", "::ffff:0:0/90"} {
		var p Pattern
		if err := p.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken, as %s", text, p)
		}
	}
}

func TestPolicy(t *testing.T) {
	for _, c := range []struct {
		allow, deny     string
		private, local  bool
		target          string
		resolved        string // where the name leads; "" for an address
		early, resolves bool   // what is expected
	}{
		{target: "h.tld:80", resolved: "1.1.1.1", early: true, resolves: true},
		{target: "h.tld:80", resolved: "10.0.0.1", early: true},
		{target: "h.tld:80", resolved: "10.0.0.1", local: true, early: true, resolves: true},
		{target: "h.tld:80", resolved: "10.0.0.1", private: true, early: true, resolves: true},
		{target: "localhost:80", resolved: "127.0.0.1"},
		{target: "x.LocalHost.:80", resolved: "127.0.0.1"},
		{target: "localhost:80", resolved: "127.0.0.1", local: true, early: true, resolves: true},
		{target: "localhost:80", resolved: "127.0.0.1", allow: "127.0.0.1:80", early: true, resolves: true},
		{target: "localhost:80", resolved: "127.0.0.1", allow: "localhost"},
		{target: "2130706433:80", resolved: "127.0.0.1"},
		{target: "0x7f.1:80", resolved: "127.0.0.1"},
		{target: "1.1.1.1:80", early: true},
		{target: "10.0.0.1:80"},
		{target: "[::ffff:10.0.0.1]:80"},
		{target: "[::ffff:10.0.0.1]:80", allow: "10.0.0.0/8", early: true},
		{target: "10.0.0.1:81", allow: "10.0.0.0/8:80"},
		{target: "h.tld:443", resolved: "1.1.1.1", allow: "*.tld:443", early: true, resolves: true},
		{target: "H.TLD.:443", resolved: "1.1.1.1", allow: "h.tld", early: true, resolves: true},
		{target: "tld:443", resolved: "1.1.1.1", allow: "*.tld"},
		{target: "h.tld:80", resolved: "1.1.1.1", allow: "*.tld:443"},
		{target: "h.tld:443", resolved: "10.0.0.1", allow: "*.tld:443", early: true},
		{target: "h.tld:443", resolved: "10.0.0.1", allow: "*.tld:443", private: true, early: true, resolves: true},
		{target: "h.tld:443", resolved: "1.1.1.1", allow: "1.1.1.0/24", early: true, resolves: true},
		{target: "h.tld:443", resolved: "1.1.2.1", allow: "1.1.1.0/24", early: true},
		{target: "h.tld:443", resolved: "1.1.1.1", allow: "other.tld"},
		{target: "h.tld:25", resolved: "1.1.1.1", deny: "*:25"},
		{target: "1.1.1.1:25", deny: ":20-30"},
		{target: "1.1.1.1:31", deny: "*:20-30", early: true},
		{target: "h.tld:80", resolved: "1.1.1.1", deny: "*.tld"},
		{target: "h.tld:80", resolved: "1.1.1.1", deny: "1.0.0.0/8", early: true},
		{target: "h.tld:80", resolved: "1.1.1.1", allow: "h.tld", deny: "1.1.1.1", early: true},
		{target: "h.tld:80", resolved: "1.1.1.1", allow: "1.1.1.1", deny: "h.tld"},
		{target: "[2001:db8::1]:443", allow: "[2001:db8::/32]:443", early: true},
		{target: "[2001:db8::1]:444", allow: "[2001:db8::/32]:443"},
		{target: "[2001:db8::1]:444", deny: "2001:db8::1"},
		{target: "h.tld:80", resolved: "::ffff:1.1.1.1", deny: "1.1.1.1", private: true, early: true},
		{target: "h.tld:80", resolved: "::ffff:1.1.1.1", deny: "::ffff:1.1.1.0/120", private: true, early: true},
		{target: "h.tld:80", resolved: "fe80::1%eth0", early: true},
		{target: "h.tld:80", resolved: "fe80::1%eth0", deny: "fe80::/10", private: true, early: true},
		{target: "h.tld:80", resolved: "fe80::1%eth0", private: true, early: true, resolves: true},
		{target: "h.tld:80", resolved: "fe80::1%eth0", allow: "fe80::1", early: true, resolves: true},
		{target: "[fe80::1%eth0]:80"},
		{target: "[fe80::1%eth0]:80", local: true, early: true},
		{target: "[fe80::1%eth0]:80", local: true, deny: "fe80::/10"},
	} {
		to, err := parseTarget(c.target)
		if err != nil {
			t.Fatal(err)
		}
		p := policy{&Access{AllowTarget: patterns(t, c.allow), DenyTarget: patterns(t, c.deny), AllowPrivate: c.private}, to, c.local}
		early := p.check()
		if (early == nil) != c.early {
			t.Errorf("%+v: before resolving: %v", c, early)
		}
		if c.resolved == "" || early != nil {
			continue
		}
		err = p.permit(netip.AddrPortFrom(netip.MustParseAddr(c.resolved), to.port))
		if (err == nil) != c.resolves {
			t.Errorf("%+v: resolved: %v", c, err)
		}
	}
}

// A rule about an address of IPv4 is a rule about every address of IPv6 by which
// gateways and tunnels reach it; a permission is about the address as it is.
func TestRulesHoldForEmbeddedAddresses(t *testing.T) {
	for _, addr := range strings.Fields(`169.254.169.254 ::ffff:169.254.169.254 ::ffff:169.254.169.254%x ::169.254.169.254
		::ffff:0:169.254.169.254 64:ff9b::169.254.169.254 64:ff9b:1::169.254.169.254 64:ff9b:1:a9fe:a9:fe00:: 2002:a9fe:a9fe::1
		2001::5601:5601 2001:0:a9fe:a9fe::1 2606:4700::5efe:169.254.169.254 2606:4700::200:5efe:169.254.169.254 fe80::5efe:a9fe:a9fe%eth0`) {
		to := netip.AddrPortFrom(netip.MustParseAddr(addr), 80)
		denied := policy{access: &Access{DenyTarget: patterns(t, "169.254.0.0/16"), AllowPrivate: true}, to: target{name: "h", port: 80}}
		if err := denied.permit(to); err == nil {
			t.Errorf("deny-target=169.254.0.0/16 lets clients reach %s", addr)
		}
		public := policy{access: new(Access), to: target{name: "h", port: 80}}
		if err := public.permit(to); err == nil {
			t.Errorf("%s is taken for public", addr)
		}
		allowed := policy{access: &Access{AllowTarget: patterns(t, "169.254.0.0/16")}, to: target{name: "h", port: 80}}
		if err := allowed.permit(to); (err == nil) != to.Addr().Unmap().Is4() {
			t.Errorf("allow-target=169.254.0.0/16 for %s: %v", addr, err)
		}
	}
}

func TestIsLocal(t *testing.T) {
	unix := &net.UnixAddr{Net: "unix", Name: "/s"}
	for _, c := range []struct {
		remote, local net.Addr
		want          bool
	}{
		{tcp("127.0.0.1:1"), tcp("127.0.0.1:2"), true},
		{tcp("[::1]:1"), tcp("[::1]:2"), true},
		{tcp("[::ffff:127.0.0.1]:1"), tcp("[::ffff:127.0.0.1]:2"), true},
		{unix, unix, true},
		{tcp("10.0.0.1:1"), tcp("127.0.0.1:2"), false},
		{tcp("127.0.0.1:1"), tcp("10.0.0.1:2"), false},
		{transport.Addr{Net: "vsock", Name: "vm(3):4"}, transport.Addr{Net: "vsock", Name: "host(2):1"}, false},
	} {
		if got := isLocal(other(c.remote, c.local)); got != c.want {
			t.Errorf("from %s to %s: local %v", c.remote, c.local, got)
		}
	}
}

func TestGuard(t *testing.T) {
	for want, servers := range map[bool][]transport.Guard{
		false: {new(SOCKSServer), new(HTTPServer)},
		true:  {&SOCKSServer{Access{User: "u", Password: opt.Plain("p")}}, &HTTPServer{Access{Users: "file"}}},
	} {
		for _, s := range servers {
			if s.Authenticates() != want || !s.(interface{ NeedsAuth() bool }).NeedsAuth() {
				t.Errorf("%+v: Authenticates is %v", s, s.Authenticates())
			}
		}
	}
}
