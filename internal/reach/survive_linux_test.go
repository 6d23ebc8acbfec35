package reach

import (
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/natlab"
)

// A scenario is something that happens to the network while a transfer and a conversation go on.
type scenario struct {
	name   string
	alice  natlab.RouterOptions
	bob    natlab.RouterOptions
	happen func(s *stage)
	outage time.Duration // of the conversation at most, behind what the scenario itself takes
}

// A stage is where a scenario happens.
type stage struct {
	*internet
	alice, bob *computer
	a, b       *natlab.Router
	wire       *natlab.Wire
}

// other makes a router to move to.
func (s *stage) other(k natlab.Kind, f natlab.Families) *natlab.Router {
	return s.RouterWith(natlab.RouterOptions{Kind: k, Families: f, Wire: s.wire})
}

func scenarios() []scenario {
	port := natlab.RouterOptions{Kind: natlab.Port, Families: natlab.V4}
	hard := natlab.RouterOptions{Kind: natlab.Symmetric, Families: natlab.V4}
	all := []scenario{
		{"alice roams", port, port, func(s *stage) { s.a.Roam() }, 0},
		{"bob roams", port, port, func(s *stage) { s.b.Roam() }, 0},
		{"mappings are forgotten", port, port, func(s *stage) { s.a.Forget(); s.b.Forget() }, 0},
		{"cut for a second", port, port, func(s *stage) { s.a.Cut(); time.Sleep(time.Second); s.a.Mend() }, time.Second},
		{"cut for 5 seconds", port, port, func(s *stage) { s.b.Cut(); time.Sleep(5 * time.Second); s.b.Mend() }, 5 * time.Second},
		{"cable out for 3 seconds", port, port, func(s *stage) { s.alice.host.Down(); time.Sleep(3 * time.Second); s.alice.host.Up() }, 3 * time.Second},
		{"the relay is started again", port, port, func(s *stage) { s.relay.down(); s.relay.start() }, 0},
		{"the relay is started again, relayed", hard, hard, func(s *stage) { s.relay.down(); s.relay.start() }, 0},
		{"relayed, then direct", hard, hard, func(s *stage) { s.alice.host.Plug(s.other(natlab.Port, natlab.V4)) }, 0},
		{"direct, then relayed", port, hard, func(s *stage) { s.alice.host.Plug(s.other(natlab.Symmetric, natlab.V4)) }, 0},
	}
	if *full || *long > 0 {
		all = append(all, scenario{"cut for 55 seconds", port, port, func(s *stage) { s.b.Cut(); time.Sleep(55 * time.Second); s.b.Mend() }, 55 * time.Second})
	}
	for _, from := range []natlab.Families{natlab.V4, natlab.V6, natlab.Dual} {
		for _, to := range []natlab.Families{natlab.V4, natlab.V6, natlab.Dual} {
			all = append(all,
				scenario{"alice switches " + from.String() + " to " + to.String(), natlab.RouterOptions{Kind: natlab.Port, Families: from},
					natlab.RouterOptions{Kind: natlab.Port}, func(s *stage) { s.alice.host.Plug(s.other(natlab.Port, to)) }, 0},
				scenario{"bob switches " + from.String() + " to " + to.String(), natlab.RouterOptions{Kind: natlab.Port},
					natlab.RouterOptions{Kind: natlab.Port, Families: from}, func(s *stage) { s.bob.host.Plug(s.other(natlab.Port, to)) }, 0})
		}
	}
	return all
}

// TestSurvival has a transfer and a conversation go on while something happens. Both come through, with
// every byte in its place.
func TestSurvival(t *testing.T) {
	wire := natlab.Wire{Delay: 10 * time.Millisecond, Rate: 40e6, Queue: 200}
	all, mib, runs := scenarios(), 24, 1
	switch {
	case *long > 0:
		// A relay of one's own, without limits, and lines that do not take hours.
		wire.Rate, wire.Queue = 1e9, 2000
		relayConfig += ownRelay
		mib, runs = 1024, *long
	case *full:
		mib, runs = 64, len(all)
	}
	i := newInternet(t)
	sum := i.makeBlob(mib)
	alice, bob := i.pair()
	for n := range runs {
		sc := all[n%len(all)]
		t.Run(sc.name, func(t *testing.T) { survive(t, i, alice, bob, sc, wire, sum) })
	}
}

func survive(t *testing.T, i *internet, alice, bob *computer, sc scenario, wire natlab.Wire, sum string) {
	sc.alice.Wire, sc.bob.Wire = &wire, &wire
	s := &stage{internet: i, alice: alice, bob: bob, a: i.RouterWith(sc.alice), b: i.RouterWith(sc.bob), wire: &wire}
	i.move(alice, bob, s.a, s.b)
	v, _, err := firstTalk(bob)
	if err != nil {
		t.Fatal(err)
	}
	if canPunch(sc.alice.Kind, sc.bob.Kind) {
		if _, ok := awaitState(bob, "direct", 8*time.Second); !ok {
			t.Error("not direct at the beginning")
		}
	}
	v.keepOn()
	x := bob.fetch()
	<-x.begun
	v.pause()
	sc.happen(s)
	select {
	case <-x.done:
	case <-time.After(10 * time.Minute):
		t.Error("the transfer does not end")
		_ = x.cmd.Process.Kill()
		<-x.done
	}
	if x.err != nil || x.sum != sum {
		t.Errorf("the transfer ends with %d bytes and another sum: %v", x.n, x.err)
	}
	gap := v.pause()
	if _, err := v.end(); err != nil {
		t.Errorf("the conversation: %v", err)
	}
	state := "unknown"
	for _, p := range bob.peers() {
		state = p.State
	}
	t.Logf("outage %v, transfer %v, at the end %s", (gap - sc.outage).Round(time.Millisecond), x.took.Round(time.Millisecond), state)
}
