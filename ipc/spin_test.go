//go:build linux

package ipc

import (
	"sync/atomic"
	"testing"
)

// TestSpinnerGivesUp: spinning in vain must become rare, and one success brings it
// back.
func TestSpinnerGivesUp(t *testing.T) {
	s := spinner{limit: 1}
	const waits = 100_000
	spins := 0
	for range waits {
		if s.limit = 1; s.begin(false) > 0 {
			spins++
			s.done(false)
		}
	}
	if spins > waits/800 || spins < waits/2000 {
		t.Errorf("%d of %d waits spun in vain", spins, waits)
	}
	for s.begin(false) == 0 {
	}
	s.done(true)
	for range spinCredit {
		if s.limit = 1; s.begin(false) == 0 {
			t.Fatal("it pauses at the first failure")
		}
		s.done(false)
	}
	if spinning.Load() != 0 {
		t.Errorf("%d are said to spin", spinning.Load())
	}
}

// TestSpinnerRecovers: two sides that have both given up, because waking takes longer
// than they spin, find each other again. Once in a long while one of them spins for
// longer; the other then sees that its peer runs, and spins too.
func TestSpinnerRecovers(t *testing.T) {
	a, b := spinner{limit: 1}, spinner{limit: 1}
	for _, s := range []*spinner{&a, &b} {
		for s.pause < spinPause {
			if s.limit = 1; s.begin(false) > 0 {
				s.done(false)
			}
		}
	}
	for n := 0; ; n++ {
		if n > 1<<spinPause {
			t.Fatal("it never spins for longer")
		}
		if a.limit = 1; a.begin(false) >= spinLong {
			break
		}
	}
	a.done(true)
	if b.limit = 1; b.begin(true) == 0 {
		t.Fatal("it does not spin although its peer does")
	}
	b.done(true)
	for _, s := range []*spinner{&a, &b} {
		if s.limit = 1; s.begin(false) == 0 {
			t.Error("it does not go on spinning")
		} else {
			s.done(true)
		}
	}
}

// TestHintsEnd: a peer that runs but does not answer is not waited for by spinning.
func TestHintsEnd(t *testing.T) {
	s := spinner{limit: 1}
	const waits = 100_000
	spins := 0
	for range waits {
		if s.limit = 1; s.begin(true) > 0 {
			spins++
			s.done(false)
		}
	}
	if spins > waits/100 {
		t.Errorf("%d of %d waits spun in vain", spins, waits)
	}
}

// TestSpinnersLeaveProcessors: no more spin than the limit, and none with one
// processor.
func TestSpinnersLeaveProcessors(t *testing.T) {
	a, b := spinner{limit: 1}, spinner{limit: 1}
	if a.begin(false) == 0 {
		t.Fatal("the first one may not spin")
	}
	if b.begin(false) > 0 {
		t.Error("a second one spins, where one may")
	}
	a.done(true)
	if b.begin(false) == 0 {
		t.Error("the place that was left is not taken")
	}
	b.done(true)
	alone := spinner{limit: -1}
	if alone.begin(true) > 0 {
		t.Error("it spins although nobody may")
	}
}

// TestSpinEnds: a spin ends when there is something to see, also a change of state,
// and else after its time.
func TestSpinEnds(t *testing.T) {
	var index word64
	var over word32
	var stop atomic.Uint32
	for name, change := range map[string]func(){
		"index": func() { index.publish(1) },
		"over":  func() { over.publish(1) },
		"stop":  func() { stop.Store(1) },
	} {
		index.publish(0)
		over.publish(0)
		stop.Store(0)
		s := spinner{limit: 1}
		if s.spin(&index, 0, &over, &stop, false) {
			t.Errorf("%s: a spin ends well though nothing happened", name)
		}
		change()
		s = spinner{limit: 1}
		if !s.spin(&index, 0, &over, &stop, false) {
			t.Errorf("%s: a spin does not see that it changed", name)
		}
	}
}
