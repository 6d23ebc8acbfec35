//go:build linux

package ipc

import (
	"runtime"
	"testing"
	"time"
)

// A cell is a word of either width.
type cell struct {
	publish func(uint64)
	load    func() uint64
}

func cell64(w *word64) cell { return cell{w.publish, w.load} }

func cell32(w *word32) cell {
	return cell{func(v uint64) { w.publish(uint32(v)) }, func() uint64 { return uint64(w.load()) }}
}

// TestPublishThenLook is the store buffer litmus test, with the words that waiting
// rests on: two sides publish a word each and then look at the other's. One of them
// must see what the other has published, or a wake-up is lost: the one has not seen
// that there is a waiter, and the waiter has not seen that there is something to do.
// With atomic.Store in place of Swap, it fails in a build with -race: a wake-up was
// lost once in some hundred thousand messages.
func TestPublishThenLook(t *testing.T) {
	if runtime.GOMAXPROCS(0) < 2 || runtime.NumCPU() < 2 {
		t.Skip("it takes two processors")
	}
	a, _ := streams(t, MinSize) // memory that is not Go's, which is what makes the difference
	ctl := a.out.p.ctl
	for name, words := range map[string][2]cell{
		"tail, consumerWaits": {cell64(&ctl.tail), cell32(&ctl.consumerWaits)},
		"end, consumerWaits":  {cell32(&ctl.end), cell32(&ctl.consumerWaits)},
		"head, producerWaits": {cell64(&ctl.head), cell32(&ctl.producerWaits)},
		"gone, producerWaits": {cell32(&ctl.gone), cell32(&ctl.producerWaits)},
	} {
		t.Run(name, func(t *testing.T) {
			rounds, missed := litmus(words)
			if missed > 0 {
				t.Errorf("in %d of %d rounds neither side saw what the other had published", missed, rounds)
			}
			t.Logf("%d rounds", rounds)
		})
	}
}

// litmus has two threads publish and look at the same time, again and again for a
// while.
func litmus(words [2]cell) (rounds, missed int) {
	const most, over = 200_000, 1 << 40
	var at [2]word64 // the round that each side has come to
	saw := [2][]bool{make([]bool, most), make([]bool, most)}
	side := func(i int) int {
		runtime.LockOSThread()
		mine, theirs := words[i], words[1-i]
		before := max(mine.load(), theirs.load())
		meet := func(n int) bool { // waits for the other side, unless it is over
			at[i].publish(uint64(n))
			for tries := 1; at[1-i].load() < uint64(n); tries++ {
				if tries%1000 == 0 {
					runtime.Gosched()
				}
			}
			return at[1-i].load() < over
		}
		meet(1)
		begin := time.Now()
		for n := range most {
			if !meet(n + 2) {
				return n
			}
			mine.publish(before + uint64(n) + 1)
			saw[i][n] = theirs.load() > before+uint64(n)
			if i == 0 && n%1000 == 0 && time.Since(begin) > 500*time.Millisecond {
				break
			}
		}
		at[i].publish(over)
		return most
	}
	done := make(chan int)
	go func() { done <- side(1) }()
	go func() { done <- side(0) }()
	rounds = min(<-done, <-done)
	for n := range rounds {
		if !saw[0][n] && !saw[1][n] {
			missed++
		}
	}
	return rounds, missed
}
