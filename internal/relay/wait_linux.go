package relay

import (
	"time"

	"golang.org/x/sys/unix"
)

const (
	// pollFor is how long a loop polls before it blocks. Waking a thread on an idle
	// processor takes tens of microseconds, in a virtual machine most of all: more
	// than relaying a message takes.
	pollFor = 40 * time.Microsecond
	// pollCredit is how many times in a row polling may find nothing before the loop
	// stops polling.
	pollCredit = 4
)

// poller decides whether to poll before blocking. Only traffic that arrives within
// pollFor earns credit; a quiet loop blocks at once.
type poller struct{ credit int }

// polled records whether polling found events.
func (p *poller) polled(hit bool) {
	if hit {
		p.credit = pollCredit
	} else {
		p.credit--
	}
}

// slept records for how long the loop was blocked: a short wait should have been a poll.
func (p *poller) slept(d time.Duration) {
	if d < pollFor {
		p.credit = min(p.credit+1, pollCredit)
	}
}

// wait returns the next events. It does not block while there is work left, polls for a
// short time where that pays, and blocks otherwise.
func (l *loop) wait(evs []unix.EpollEvent) int {
	if len(l.ready) > 0 {
		return sysPoll(l.epfd, evs)
	}
	// While joints come and go, polling would take the processor from the programs
	// that make them: it costs 4 to 10 % of the connections a second. With many joints
	// it takes it from those that are joined: of 50 that ask and answer, the slowest
	// hundredth waits up to half as long again.
	begun := l.begun.Load()
	churn := begun != l.seen
	if l.seen = begun; churn || l.joints.Load() > fullLoop {
		l.poll.credit = 0
	}
	start := time.Now()
	for l.poll.credit > 0 {
		if n := sysPoll(l.epfd, evs); n > 0 {
			l.poll.polled(true)
			return n
		}
		if time.Since(start) > pollFor {
			l.poll.polled(false)
			start = time.Now()
			break
		}
		sysYield() // the peer may be runnable on this processor
	}
	n, err := unix.EpollWait(l.epfd, evs, l.timeout())
	if err != nil {
		return 0
	}
	if !churn {
		l.poll.slept(time.Since(start))
	}
	return n
}

// timeout is the time in milliseconds until a joint may have been idle too long.
func (l *loop) timeout() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.idle) == 0 {
		return -1
	}
	return int(max(0, time.Until(l.idle[0].due).Milliseconds())) + 1
}
