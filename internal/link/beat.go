package link

import "time"

// How often a side asks whether the other is still there.
const (
	busyBeat = time.Second     // while something moves or is not acknowledged
	idleBeat = 5 * time.Second // otherwise; the side that has not opened the session waits longer
	idleLate = 2 * time.Second // by this

	misses = 2 // beats without an answer after which a way is suspect
)

// A beat is the pulse of a session. It belongs to a Stream, whose mutex guards it.
type beat struct {
	timer    *time.Timer
	epoch    time.Time // of the numbers of pings
	last     time.Time // when something was heard
	moved    time.Time // when the other side last acknowledged anything
	busy     bool      // something has moved since the last beat
	slow     bool      // the timer is set to the idle interval
	asked    bool
	missed   int
	question uint64
	probed   time.Time // when an answer was asked for that is to come soon; zero if it was not
}

func (b *beat) start(s *Stream) {
	now := time.Now()
	b.epoch, b.last, b.moved = now, now, now
	b.timer = time.AfterFunc(busyBeat, s.tick)
}

func (b *beat) stop() {
	if b.timer != nil {
		b.timer.Stop()
	}
}

// noteActivity notes that something moves.
func (b *beat) noteActivity(s *Stream) {
	b.busy = true
	if b.slow && !s.ended {
		b.slow = false
		b.timer.Reset(busyBeat)
	}
}

// heard notes that the other side is there.
func (b *beat) heard(s *Stream) {
	b.last = time.Now()
	b.asked, b.missed = false, 0
	if s.suspect && s.cur != nil {
		s.suspect = false
		s.unpause()
	}
}

// heardSince tells whether anything has come from the other side since.
func (s *Stream) heardSince(t time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.beat.last.After(t)
}

// progress notes that the other side takes what it is sent.
func (b *beat) progress() { b.moved = time.Now() }

// ask returns the number of a ping.
func (b *beat) ask() uint64 {
	b.question = uint64(time.Since(b.epoch)) + 1
	return b.question
}

// answered measures the round trip.
func (b *beat) answered(s *Stream, number uint64) {
	if number == b.question {
		s.measured(time.Since(b.epoch) + 1 - time.Duration(number))
	}
}

// measured notes a round trip.
func (s *Stream) measured(trip time.Duration) {
	s.roundTrip = max(trip, 1)
	if s.leastTrip == 0 || s.roundTrip < s.leastTrip {
		s.leastTrip = s.roundTrip
	}
}

// probeTime is how long the answer to a probe may take, or three round trips.
const probeTime = 300 * time.Millisecond

// probe asks whether the other side is there, and does not wait long.
func (s *Stream) probe() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || s.cur == nil || s.beat.timer == nil {
		return
	}
	s.beat.probed = time.Now()
	s.beat.slow = false
	s.beat.timer.Reset(max(probeTime, 3*s.roundTrip))
	s.beat.asked, s.owed.ping = true, true
	s.listen()
	s.flushSoon()
}

// tick is called at every beat.
func (s *Stream) tick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	b := &s.beat
	now := time.Now()
	waiting := s.out.length > 0 || s.fin && !s.finAcked || s.aborting || s.finEver && s.hasSay()
	if s.cur != nil && !s.reading && !s.listening {
		b.last, b.asked = now, false // nobody has listened
		s.listen()
	}
	interval := max(busyBeat, 2*s.roundTrip)
	expected := interval
	if b.slow && !s.opener {
		expected = idleBeat + idleLate/2 // the other side asks
	}
	silent := now.Sub(b.last) >= expected
	if silent && b.asked && s.cur != nil {
		b.missed++
	}
	if !b.probed.IsZero() && now.Sub(b.probed) >= probeTime {
		if b.last.Before(b.probed) {
			b.missed = misses
		}
		b.probed = time.Time{}
	}
	if b.missed >= misses && !s.suspect && s.cur != nil {
		s.suspect = true
		s.repair()
	}
	if s.cur != nil && (silent || waiting) {
		s.owed.ping, b.asked = true, true
		s.flushSoon()
	} else if s.cur != nil && s.cur.greeting != nil {
		s.flushSoon()
	}
	if (s.closed || s.aborting) && now.Sub(b.moved) > s.survive {
		if s.aborting {
			s.end(nil, false, false)
			return
		}
		if s.toldAll() {
			s.fail(errUntold)
		} else {
			s.fail(errNotTaken)
		}
	}
	if b.busy || waiting || b.asked || s.cur == nil {
		b.slow = false
		b.timer.Reset(interval)
	} else {
		b.slow = true
		idle := idleBeat
		if !s.opener {
			idle += idleLate
		}
		b.timer.Reset(max(idle, interval))
	}
	b.busy = false
}
