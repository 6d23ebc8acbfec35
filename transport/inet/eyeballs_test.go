package inet

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestInterleave(t *testing.T) {
	for in, want := range map[string]string{
		"10.0.0.1:1":                               "10.0.0.1:1",
		"10.0.0.1:1 10.0.0.2:1":                    "10.0.0.1:1 10.0.0.2:1",
		"[::1]:1 [::2]:1 10.0.0.1:1 10.0.0.2:1":    "[::1]:1 10.0.0.1:1 [::2]:1 10.0.0.2:1",
		"10.0.0.1:1 [::1]:1 [::2]:1 [::3]:1":       "10.0.0.1:1 [::1]:1 [::2]:1 [::3]:1",
		"[::1]:1 [::2]:1 [::3]:1 10.0.0.1:1":       "[::1]:1 10.0.0.1:1 [::2]:1 [::3]:1",
		"10.0.0.1:1 10.0.0.2:1 [::1]:1 10.0.0.3:1": "10.0.0.1:1 [::1]:1 10.0.0.2:1 10.0.0.3:1",
	} {
		var addrs []netip.AddrPort
		for s := range strings.FieldsSeq(in) {
			addrs = append(addrs, netip.MustParseAddrPort(s))
		}
		before := slices.Clone(addrs)
		var got []string
		for _, a := range interleave(addrs) {
			got = append(got, a.String())
		}
		if g := strings.Join(got, " "); g != want {
			t.Errorf("%s: got %s, want %s", in, g, want)
		}
		if !slices.Equal(addrs, before) {
			t.Errorf("%s: the argument was changed", in)
		}
	}
}
