package node

import "testing"

// Addresses that are told are used only if they are no nearer to this node than who tells them.
func TestScopes(t *testing.T) {
	for addr, want := range map[string]scope{
		"/ip4/127.0.0.1/tcp/1":                   machine,
		"/ip6/::1/udp/1/quic-v1":                 machine,
		"/ip4/0.0.0.0/tcp/1":                     machine,
		"/ip6/::ffff:127.0.0.1/tcp/1":            machine,
		"/ip4/no/tcp/1":                          machine,
		"/ip4/10.1.2.3/tcp/1":                    network,
		"/ip4/192.168.1.1/udp/1/quic-v1":         network,
		"/ip4/169.254.1.1/tcp/1":                 network,
		"/ip4/100.64.0.1/tcp/1":                  network,
		"/ip6/fe80::1/tcp/1":                     network,
		"/ip6/fd00::1/tcp/1":                     network,
		"/ip4/198.51.100.7/tcp/1":                everybody,
		"/ip6/2001:db8::1/tcp/1":                 everybody,
		"/dns4/relay.example/tcp/1":              everybody,
		"/ip4/198.51.100.7/tcp/1/p2p-circuit":    everybody,
		"/ip4/127.0.0.1/tcp/1/p2p/x/p2p-circuit": machine,
	} {
		if got := scopeOf(addr); got != want {
			t.Errorf("%s is of scope %d, not %d", addr, got, want)
		}
	}
}
