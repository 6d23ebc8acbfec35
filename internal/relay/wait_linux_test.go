package relay

import "testing"

// TestPollerGivesUp: a loop whose polling finds nothing must stop polling, and not
// begin again while nothing arrives quickly.
func TestPollerGivesUp(t *testing.T) {
	var p poller
	if p.credit > 0 {
		t.Error("a new loop polls")
	}
	p.slept(pollFor / 2)
	if p.credit <= 0 {
		t.Error("quick traffic does not make it poll")
	}
	p.polled(true)
	for range pollCredit {
		if p.credit <= 0 {
			t.Error("gave up too early")
		}
		p.polled(false)
	}
	for range 100 {
		p.slept(pollFor)
		if p.credit > 0 {
			t.Fatal("polls although traffic is slow")
		}
	}
}
