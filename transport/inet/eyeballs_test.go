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

func TestParseLocal(t *testing.T) {
	for in, want := range map[string]string{
		"10.0.0.1":        "10.0.0.1:0",
		"10.0.0.1:53":     "10.0.0.1:53",
		"::1":             "[::1]:0",
		"[::1]":           "[::1]:0",
		"[::1]:53":        "[::1]:53",
		"::ffff:10.0.0.1": "10.0.0.1:0",
		"localhost":       "",
		"10.0.0.1:http":   "",
		"[10.0.0.1":       "",
		"":                "",
	} {
		a, err := parseLocal(in)
		if got := a.String(); err == nil && got != want || err != nil && want != "" {
			t.Errorf("%q: got %s, error %v, want %q", in, got, err, want)
		}
	}
}
