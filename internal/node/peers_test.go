package node_test

import (
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
)

// A peer that is gone was last seen when it went, and not when it came.
func TestLastSeen(t *testing.T) {
	w := new(world)
	alice, bob := w.node(t, "alice"), w.node(t, "bob")
	pairUp(t, alice, bob)
	serve(t, alice, api.ServeRequest{Name: "echo", Address: echo(t), To: []string{"bob"}})
	says(t, dial(t, bob, "alice/echo"), "x", "X")
	eventually(t, func() bool { return alice.Peers()[0].State != api.Offline })
	here := time.Now()
	if err := bob.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return alice.Peers()[0].State == api.Offline && alice.Peers()[0].Seen.After(here) })
}
