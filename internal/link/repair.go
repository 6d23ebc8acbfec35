package link

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// How a session gets another stream.
const (
	firstBackoff = 100 * time.Millisecond
	maxBackoff   = 2 * time.Second
	hangBackoff  = 2 * time.Second       // while an attempt is under way
	linkBackoff  = 20 * time.Millisecond // after the links have changed
	turnDelay    = time.Second           // so long who has not opened the session leaves it to the other
	maxAttempts  = 3                     // at a time
)

// lost notes that a carrier is of no use any more.
func (s *Stream) lost(c *carrier, err error) {
	if s.cur != c || s.ended {
		return
	}
	s.cur = nil
	s.pause(time.Now())
	if !s.n.spawn(func() { c.release(err) }) {
		c.release(err)
	}
	s.changed.Broadcast()
	s.repair()
}

// pause begins the time that the session survives.
func (s *Stream) pause(since time.Time) {
	if s.pausedSince.IsZero() {
		s.pausedSince = since
		s.expiry = time.AfterFunc(time.Until(since.Add(s.survive)), s.expire)
	}
}

// unpause ends that time.
func (s *Stream) unpause() {
	if s.expiry != nil {
		s.expiry.Stop()
	}
	s.pausedSince, s.expiry = time.Time{}, nil
}

// expire gives the session up that has been paused for too long.
func (s *Stream) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.pausedSince.IsZero() {
		s.end(transport.Mark(fmt.Errorf("no connection to the peer for %v", s.survive), peer.ErrUnreachable), false, false)
	}
}

// repair has the session look for another stream.
func (s *Stream) repair() {
	if s.suspect {
		s.pause(s.beat.last)
	}
	if !s.repairing && !s.ended {
		s.repairing = s.n.spawn(s.repairs)
		return
	}
	select {
	case s.hurried <- struct{}{}:
	default:
	}
}

// repairs tries until the session has a stream that is good, or is over.
func (s *Stream) repairs() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	next, backoff := time.Now(), firstBackoff
	if !s.opener && !s.inHaste() {
		next = next.Add(turnDelay)
	}
	done := make(chan struct{}, maxAttempts)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for pending := 0; ; {
		changed := s.n.below.LinksChanged()
		more, try := s.wants(pending)
		if !more {
			return
		}
		if try && pending < maxAttempts && !time.Now().Before(next) {
			if s.n.spawn(func() {
				s.attempt(ctx)
				done <- struct{}{}
			}) {
				pending++
			}
			wait := backoff
			backoff = min(2*backoff, maxBackoff)
			if pending > 0 {
				wait = max(wait, hangBackoff)
			}
			next = time.Now().Add(wait)
		}
		timer.Reset(max(time.Until(next), linkBackoff))
		select {
		case <-done:
			pending--
			if soon := time.Now().Add(backoff / 2); pending == 0 && soon.Before(next) {
				next = soon
			}
		case <-changed:
			next, backoff = time.Now().Add(linkBackoff), firstBackoff
		case <-s.hurried:
			soon := firstBackoff
			if s.inHaste() {
				soon, backoff = linkBackoff, firstBackoff
			}
			if soon := time.Now().Add(soon); soon.Before(next) {
				next = soon
			}
		case <-timer.C:
		case <-s.over:
		}
	}
}

// hasteTime is for how long after a change of its addresses a side does not leave it to the other to
// resume: the other does not know of it.
const hasteTime = 3 * time.Second

// reconnectNow has a session that has lost its stream look for another at once.
func (s *Stream) reconnectNow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hasty = time.Now()
	if s.cur == nil {
		s.repair()
	}
}

func (s *Stream) inHaste() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Since(s.hasty) < hasteTime
}

// wants tells whether repairs is to go on, and to try.
func (s *Stream) wants(pending int) (more, try bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	try = s.needs()
	if more = !s.ended && (try || pending > 0); !more {
		s.repairing = false
	}
	return more, try
}

// needs tells whether the session needs another stream.
func (s *Stream) needs() bool { return s.cur == nil || s.suspect || s.better }

// attempt opens a stream below and resumes the session on it.
func (s *Stream) attempt(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	below, path, err := s.n.openBelow(ctx, s.id.peer)
	if err != nil {
		if errors.Is(err, peer.ErrNotAdmitted) {
			s.giveUp(err)
		}
		return
	}
	s.mu.Lock()
	if s.ended || !s.needs() {
		s.mu.Unlock()
		abort(below, errors.New("it is not needed any more"))
		return
	}
	s.better = false
	s.tried = max(s.tried, s.adopted.epoch) + 1
	a := attempt{s.tried, s.opener}
	r := resuming{id: s.id, key: &s.key, from: s.n.Self(), to: s.id.peer, epoch: a.epoch}
	at := s.standing()
	s.mu.Unlock()
	h, content, err := exchange(ctx, below, r.request(at), frameResumed)
	if err != nil {
		abort(below, err)
		return
	}
	if h.kind == frameRefused {
		below.Close() //nolint:errcheck // there is nothing in it
		s.refused(reason(h.number))
		return
	}
	at, ok := r.open(h, content)
	if !ok {
		abort(below, ErrProtocol)
		return
	}
	c := newCarrier(below, path)
	if s.adopt(c, a, at, nil) != 0 {
		c.release(ErrProtocol)
	}
}

// refused acts upon the answer of a side that does not resume the session.
func (s *Stream) refused(why reason) {
	switch why {
	case refusedStale, refusedBusy:
		return
	case refusedFinished:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.finAcked, s.closing.acked = true, true
		if s.shut && !s.awaitsStatus() || s.heardAll() {
			s.end(nil, true, false)
			return
		}
		s.end(ErrForgotten, false, false)
	default:
		s.giveUp(why.err())
	}
}

// adopt makes c carry the session, if no later attempt has been made. The other side
// stands at at. If this side has been asked, r makes the answer.
func (s *Stream) adopt(c *carrier, a attempt, at standing, r *resuming) reason {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || !a.after(s.adopted) {
		return refusedStale
	}
	s.adopted = a
	if old := s.cur; old != nil {
		if s.cur = nil; s.reading {
			old.poke()
		}
		wait := retireTime // the other side still reads from it, until it has the answer
		if r == nil || s.suspect {
			wait = 0
		}
		if !s.n.spawn(func() { s.retire(old, wait) }) {
			return refusedBusy
		}
	}
	for (s.reading || s.writing) && s.adopted == a && !s.ended {
		s.changed.Wait()
	}
	if s.adopted != a || s.ended {
		return refusedStale
	}
	s.sent, s.finSent, s.closing.sent = s.acked, false, false
	if s.err == nil {
		s.acknowledge(at)
	}
	if s.ended {
		return refusedProtocol
	}
	s.owed = owed{stop: s.shut && !s.finIn && s.err == nil, abort: s.aborting, aborted: s.err != nil && !s.aborting}
	s.unpause()
	s.suspect = false
	s.beat.heard(s)
	s.beat.noteActivity(s)
	s.cur = c
	s.resumed++
	s.awaiting = false
	s.leastTrip = 0
	if r != nil {
		c.greeting = r.answer(s.standing())
	}
	s.changed.Broadcast()
	s.listen()
	s.flushSoon()
	return 0
}

// retireTime is how long a stream below is kept of which the other side has not heard yet
// that it is not needed any more.
const retireTime = 2 * time.Second

// retire gives a stream below up, after some time, or soon if a write hangs in it.
func (s *Stream) retire(old *carrier, wait time.Duration) {
	defer old.release(errMoved)
	for _, t := range []time.Duration{min(wait, cutGrace), wait} {
		timer := time.NewTimer(t)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-s.over:
			return
		case <-s.n.life.Done():
			return
		}
		s.mu.Lock()
		hangs := s.cur == nil && s.writing
		s.mu.Unlock()
		if hangs {
			return
		}
	}
}

var errMoved = errors.New("the session has moved to another stream")

// linksChanged looks whether there is a better path now, and if the links to the peer
// have changed, whether it is still there.
func (s *Stream) linksChanged(best peer.Path, changed bool) {
	s.mu.Lock()
	better := s.opener && !s.ended && s.cur != nil && s.cur.path == peer.Relayed && best == peer.Direct
	if better {
		s.better = true
		s.repair()
	}
	s.mu.Unlock()
	if changed && !better {
		s.probe()
	}
}
