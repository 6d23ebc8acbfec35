//go:build linux

package ipc

import (
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// spinFor is how long at most somebody polls memory before it parks. A goroutine
	// that is parked takes several microseconds to come back, and whoever wakes it
	// as long again: more than most answers take.
	spinFor = 20 * time.Microsecond
	// spinLooks is how many looks there are to one at the clock.
	spinLooks = 64
	// spinAlone is how long it spins until it yields the processor, and spinCrowded
	// how many times it does so at once if that has helped.
	spinAlone   = 3 * time.Microsecond
	spinCrowded = 16
	// spinCredit is how many times in a row spinning may be in vain before it has to
	// pause.
	spinCredit = 4
	// spinPause is the longest pause, as a power of two: of 1024 waits, each of
	// which takes longer than spinFor, one spins. So a peer that never answers in
	// time costs less than a hundredth of a processor, and no connection pays more
	// for spinning than a small part of what its parking costs.
	spinPause = 10
	// spinLong is how long that one spins. Two sides that have parked once in a busy
	// moment, on a machine where waking takes longer than spinFor, would otherwise
	// find each other parked for ever: while one is being woken, the other gives up.
	spinLong = 200 * time.Microsecond
)

// spinning is how many goroutines of this process spin now. It is the one variable
// that connections share: what it counts, processors, is the process's.
var spinning atomic.Int32

// A spinner decides whether spinning is worth its time. Its zero value tries.
type spinner struct {
	limit  int32  // of spinning; 0 if unknown, -1 if nobody may
	skip   uint16 // waits until it tries again
	credit int8   // failures that it may have until it pauses
	hinted int8   // times that it has tried during a pause, on a hint, in vain
	pause  uint8  // how long the next pause is

	// crowded is how many spins yield the processor at once: what it waited for
	// had come when it did. The peer may be on the same one, where the system
	// leaves it while the others are busy.
	crowded uint8
}

// begin tells how long to spin now. If that is not 0, done must follow. The hint is
// that the peer was not parked when it was last sent something.
func (s *spinner) begin(peerRuns bool) (most time.Duration) {
	most = spinFor
	switch {
	case s.skip == 0 && s.pause == spinPause:
		most, s.hinted = spinLong, 0
	case s.skip == 0:
	case peerRuns && s.hinted < spinCredit:
		s.skip--
		s.hinted++
	default:
		s.skip--
		return 0
	}
	if s.limit == 0 {
		s.limit = spinLimit()
	}
	if s.limit < 0 {
		return 0
	}
	if spinning.Add(1) > s.limit {
		spinning.Add(-1)
		return 0
	}
	return most
}

// done takes note of whether spinning has paid.
func (s *spinner) done(hit bool) {
	spinning.Add(-1)
	if hit {
		s.credit, s.hinted, s.pause, s.skip = spinCredit, 0, 0, 0
		return
	}
	s.limit = 0 // parking follows: time enough to find out again
	switch {
	case s.skip > 0: // it was on a hint
	case s.credit > 0:
		s.credit--
	default:
		s.skip = 1<<s.pause - 1
		s.pause = min(s.pause+1, spinPause)
	}
}

// spinLimit is how many may spin at once: half of the processors that this process
// may use, so that the others are there for its other goroutines; and nobody if
// there is but one, for then the peer needs it.
func spinLimit() int32 {
	n := min(runtime.GOMAXPROCS(0), runtime.NumCPU()) / 2
	if n == 0 {
		return -1
	}
	return int32(n)
}

// spin polls until index is no longer what was seen, over is no longer open, or stop
// is no longer 0, and tells whether it was so in time.
func (s *spinner) spin(index *word64, seen uint64, over *word32, stop *atomic.Uint32, peerRuns bool) bool {
	most := s.begin(peerRuns)
	if most == 0 {
		return false
	}
	var (
		start   time.Time
		elapsed time.Duration
		yielded bool
	)
	for {
		for range spinLooks {
			if index.load() != seen || over.load() != open || stop.Load() != 0 {
				s.came(yielded)
				return true
			}
		}
		if now := time.Now(); start.IsZero() {
			start = now
		} else if elapsed = now.Sub(start); elapsed > most {
			s.done(false)
			return false
		}
		if s.crowded > 0 || elapsed > spinAlone {
			yield()
			yielded = true
		}
	}
}

// came takes note that a spin has paid, and whether it had yielded the processor.
func (s *spinner) came(yielded bool) {
	switch {
	case !yielded:
		s.crowded = 0
	case s.crowded == 0:
		s.crowded = spinCrowded
	default:
		s.crowded--
	}
	s.done(true)
}

// yield lets another thread have the processor, if one wants it.
func yield() { _, _, _ = unix.Syscall(unix.SYS_SCHED_YIELD, 0, 0, 0) }
