package relay

import (
	"time"

	"golang.org/x/sys/unix"
)

const (
	// pollFor is how long a loop polls before it sleeps. A thread that sleeps on
	// an idle processor takes tens of microseconds to come back, in a virtual
	// machine most of all: more than relaying a message takes.
	pollFor = 40 * time.Microsecond
	// pollCredit is how many times in a row polling may be in vain before a loop
	// goes to sleep at once.
	pollCredit = 4
)

// poller decides whether polling is worth its time. Only traffic that comes in
// quicker than pollFor earns it; a quiet loop sleeps.
type poller struct{ credit int }

// polled takes note of whether polling brought events.
func (p *poller) polled(hit bool) {
	if hit {
		p.credit = pollCredit
	} else {
		p.credit--
	}
}

// slept takes note of a sleep: a short one should have been a poll.
func (p *poller) slept(d time.Duration) {
	if d < pollFor {
		p.credit = min(p.credit+1, pollCredit)
	}
}

// wait returns the next events: at once while there is work, after a short poll
// where that pays, and asleep otherwise.
func (l *loop) wait(evs []unix.EpollEvent) int {
	if len(l.ready) > 0 {
		return sysPoll(l.epfd, evs)
	}
	// Where joints come and go, the processor is better left to those who make
	// them: polling costs 4 to 10 % of the connections a second.
	begun := l.begun.Load()
	churn := begun != l.seen
	if l.seen = begun; churn {
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
		sysYield() // who waits for us may need this processor
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
