package chat

import (
	"context"
	"time"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/chat/meet"
)

// A pace counts what the user has made in the latest of the spans of time of which others take so many events at once. What is more
// they take ten minutes later, so it waits here, for some seconds, and who says it with it.
type pace struct {
	span int64 // in [meet.Span] since 1970
	n    int
}

// add counts what was made at a time.
func (p *pace) add(at time.Time, n int) {
	switch span := at.UnixNano() / int64(meet.Span); {
	case span > p.span:
		p.span, p.n = span, n
	case span == p.span:
		p.n += n
	}
}

// reserve counts what is about to be said, or returns how long that has to wait. At is the time that its event would have at least:
// it is ahead of now where others' clocks are.
func (p *pace) reserve(at, now time.Time, limit int) (wait time.Duration) {
	p.add(at, 0)
	if p.n >= limit {
		return time.Unix(0, (p.span+1)*int64(meet.Span)).Sub(now)
	}
	p.n++
	return 0
}

// paced waits until others would take at once what is about to be said: in the order in which it is called.
func (r *Room) paced(ctx context.Context) error {
	limit := r.chat.Rate
	if limit == 0 {
		limit = meet.DefaultRate
	}
	limit -= limit / 8 // for what is made beside it, such as epochs
	select {
	case r.pacing <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-r.ctx.Done():
		return ErrClosed
	}
	defer func() { <-r.pacing }()
	for {
		if len(r.now.Load().devices) < 2 {
			return nil // nobody else is there, and for who comes later it is history
		}
		now := time.Now()
		r.mu.Lock()
		wait := r.pace.reserve(r.chat.clock.Least(), now, limit)
		r.mu.Unlock()
		if wait <= 0 {
			return nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
		case <-r.ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if r.ctx.Err() != nil {
			return ErrClosed
		}
	}
}

// count notes what else is made on the user's account: by his other devices, and what is not said.
func (r *Room) count(items []item) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range items {
		if x := &items[i]; event.Identity(x.row.Author) == r.chat.me && (x.e.Device != r.chat.self || x.e.Kind.Control()) {
			r.pace.add(event.Time(x.e.Time), 1)
		}
	}
}
