package node_test

import (
	"strings"
	"testing"

	"github.com/tenon-net/tenon/internal/node/api"
)

// Who is reached and lets this node use nothing, as one who has forgotten it, is no matter of the
// network, whose steps have all gone well.
func TestDoctorOfWhoHasForgotten(t *testing.T) {
	w := new(world)
	alice, bob := w.node(t, "alice"), w.node(t, "bob")
	pairUp(t, alice, bob)
	if err := alice.Client().Forget(within(t), "bob"); err != nil {
		t.Fatal(err)
	}
	var last api.Step
	for step, err := range bob.Client().Doctor(within(t), "alice") {
		if err != nil {
			t.Fatal(err)
		}
		last = step
	}
	if last.OK || !strings.Contains(last.Error, "does not know this node") || !strings.Contains(last.Advice, "tenon pair") {
		t.Errorf("%+v", last)
	}
}
