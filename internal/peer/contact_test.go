package peer

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"testing"
)

// What is read is written the same, and keeps within the limits.
func FuzzContacts(f *testing.F) {
	id := KeyFromSeed(sha256.Sum256([]byte("somebody"))).ID()
	f.Add(AppendContacts(nil, Contact{id, []string{"192.0.2.1:4001", "[2001:db8::1]:4001"}}, Contact{ID: id}))
	f.Add(AppendContacts(nil, Contact{id, slices.Repeat([]string{"a"}, MaxContactAddrs+1)}))
	f.Add(AppendContacts(nil, slices.Repeat([]Contact{{ID: id}}, MaxContacts+1)...))
	f.Fuzz(func(t *testing.T, p []byte) {
		all, err := ParseContacts(p)
		if err != nil {
			return
		}
		if len(all) > MaxContacts {
			t.Errorf("%d peers", len(all))
		}
		for _, c := range all {
			if some := ContactAddrs(c.Addrs); !slices.Equal(some, c.Addrs) {
				t.Errorf("%q", c.Addrs)
			}
		}
		if again := AppendContacts(nil, all...); !bytes.Equal(again, p) {
			t.Errorf("%x is written as %x", p, again)
		}
	})
}
