package meet

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
)

const (
	degree    = 8           // members that a room wants to be connected with
	firstWait = time.Second // until somebody is tried again,
	lastWait  = 5 * time.Minute
	shunTime  = 10 * time.Minute // or if it has sent what nobody honest sends
	stayed    = time.Minute      // a session that lasted so long was good
	yield     = time.Second      // until one opens who would rather be asked
	settled   = 10 * time.Second // until a session may have to give way to another one
)

// A trial is how it went with somebody.
type trial struct {
	busy  bool // a stream is opened, or is there
	tried time.Time
	next  time.Time
	wait  time.Duration

	hinted time.Time // when it was last tried soon because somebody has said where it is
}

// connect opens streams with members, those that there is a link to at once.
func (r *Room) connect() {
	for {
		changed := r.m.net.LinksChanged()
		timer := time.NewTimer(min(r.lookWhere(time.Now()), r.dial()))
		select {
		case <-changed:
		case <-r.look:
		case <-timer.C:
		case <-r.ctx.Done():
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// dial opens streams with some of those who are to be tried now, and returns when the next one is.
func (r *Room) dial() time.Duration {
	self, members := r.m.net.Self(), r.Members()
	links := map[peer.ID]time.Time{}
	for l := range r.m.net.Links() {
		links[l.Peer] = l.Since
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return time.Hour
	}
	now, soonest := time.Now(), lastWait
	count := len(r.sessions)
	for id, t := range r.trials {
		if t.busy && r.sessions[id] == nil {
			count++
		}
	}
	for _, i := range rand.Perm(len(members)) {
		id := members[i]
		if id == self {
			continue
		}
		t := r.trials[id]
		if t == nil {
			t = &trial{wait: firstWait}
			if _, linked := links[id]; linked || id.String() < self.String() {
				t.next = now.Add(yield) // the other one may be about to ask
			}
			r.trials[id] = t
		}
		if links[id].After(t.tried) && t.wait > firstWait && t.wait < shunTime {
			t.next, t.wait = now.Add(yield), firstWait
		}
		switch {
		case t.busy || r.sessions[id] != nil:
		case count >= degree:
		case t.next.After(now):
			soonest = min(soonest, t.next.Sub(now))
		default:
			count++
			t.busy, t.tried = true, now
			r.working.Go(func() { r.try(id, t) })
		}
	}
	return soonest
}

// try opens a stream, and waits for its end.
func (r *Room) try(id peer.ID, t *trial) {
	begin := time.Now()
	err := r.ask(r.ctx, id)
	if err != nil && !errors.Is(err, context.Canceled) && r.ctx.Err() == nil {
		r.tell(id, "could not be met", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	t.busy = false
	switch {
	case r.shunned(id):
		return
	case now.Sub(begin) > stayed:
		t.wait = firstWait
	default:
		t.wait = min(2*t.wait, lastWait)
	}
	t.next = now.Add(t.wait/2 + rand.N(t.wait))
	wake(r.look)
}

// shun has somebody not tried, nor let in, for a while. It is called with mu held.
func (r *Room) shun(id peer.ID) {
	t := r.trials[id]
	if t == nil {
		t = &trial{}
		r.trials[id] = t
	}
	t.wait, t.next = shunTime, time.Now().Add(shunTime)
}

func (r *Room) shunned(id peer.ID) bool {
	t := r.trials[id]
	return t != nil && t.wait == shunTime && time.Now().Before(t.next)
}
