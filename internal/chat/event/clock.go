package event

import (
	"errors"
	"sync"
	"time"
)

// MaxAhead is how far the time of an event may be ahead of the clock of who takes it. What
// is further ahead is held until it is due.
const MaxAhead = 2 * time.Minute

// ErrAhead: an event would have to be stamped more than [MaxAhead] after the time of
// the clock: the clock is wrong.
var ErrAhead = errors.New("the clock is behind what has been seen by more than two minutes")

// Stamp returns the least time of an event in the millisecond of t: 48 bits of
// milliseconds since 1970, 16 bits that count within one.
func Stamp(t time.Time) uint64 { return uint64(max(t.UnixMilli(), 0)) << 16 }

// Time returns the wall-clock part of the time of an event.
func Time(stamp uint64) time.Time { return time.UnixMilli(int64(stamp >> 16)) }

// A Clock is a hybrid logical clock (Kulkarni et al., 2014): its stamps ascend, are
// greater than all that it has seen, and stay close to the time of day. The zero
// Clock is that of the system. It may be used by many at once.
type Clock struct {
	Now func() time.Time // nil: time.Now

	mu   sync.Mutex
	last uint64 // the greatest stamp given or seen
}

func (c *Clock) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}

// Next returns a stamp that is greater than all that were given or seen, and than
// after. The error is [ErrAhead].
func (c *Clock) Next(after uint64) (uint64, error) {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	limit, before := Stamp(now.Add(MaxAhead)), max(c.last, after)
	if before >= limit {
		return 0, ErrAhead
	}
	c.last = max(Stamp(now), before+1)
	return c.last, nil
}

// Least returns the least time that the next event can have.
func (c *Clock) Least() time.Time {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if last := Time(c.last); last.After(now) {
		return last
	}
	return now
}

// See takes notice of a stamp of somebody else. It returns how long the event has to
// be held: 0 if it can be taken now. One that is to be held moves no clock.
func (c *Clock) See(stamp uint64) time.Duration {
	now := c.now()
	if limit := Stamp(now.Add(MaxAhead)); stamp > limit {
		// The stamp may be anything: the wait is counted in milliseconds, and bounded.
		return time.Duration(min((stamp>>16)-(limit>>16)+1, uint64(24*time.Hour/time.Millisecond))) * time.Millisecond
	}
	c.mu.Lock()
	c.last = max(c.last, stamp)
	c.mu.Unlock()
	return 0
}
