package node

import (
	"slices"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
)

// Who is announced on the local network under this node's own key is looked at: another
// machine that has the key is met, and whoever only says so is not.
func TestFoundUnderOurOwnKey(t *testing.T) {
	key := peer.NewKey()
	warned := make(chan string, 4)
	appear := func(key *peer.Key) *swarmPresence {
		t.Helper()
		p, err := Connect(t.Context(), Env{Key: key, Settings: Network{Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Discovery: []string{"none"}},
			Admit: func(peer.ID) peer.Admission { return peer.Known }, Known: func(peer.ID) []string { return nil },
			Tell: func(string) {}, Warn: func(text string) { warned <- text }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Close() })
		return p.(*swarmPresence)
	}
	alice, copied, mallory := appear(key), appear(key), appear(peer.NewKey())
	alice.found(key.ID(), append(mallory.Addrs(), copied.Addrs()...))
	for range 2 { // both warn
		select {
		case <-warned:
		case <-time.After(20 * time.Second):
			t.Fatal("one of the two notices nothing")
		}
	}
	for name, p := range map[string]*swarmPresence{"alice": alice, "the copy": copied} {
		if addr, when := p.Twin(); when.IsZero() || slices.Contains(mallory.Addrs(), addr) {
			t.Errorf("%s has met another at %q, %v", name, addr, when)
		}
	}
	if _, when := mallory.Twin(); !when.IsZero() {
		t.Error("mallory has met itself")
	}
}
