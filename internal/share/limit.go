package share

import (
	"cmp"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"github.com/tenon-net/tenon/internal/share/tree"
)

// What is sent is limited where it is written: all sessions wait in one line for a cut each,
// so that all get the same. What is got is limited where it is asked for, by as much as the
// answers will have: streams are never left unread, since the questions of the other side are
// behind its answers.

const (
	minCut  = 1 << 10 // bytes that are sent at once under a limit, at least,
	cutTime = 20      // and otherwise this part of what may be sent in a second
	askTime = 8       // the part of what may be got in a second that is asked for at once
	ahead   = 2       // and all that is asked for in advance
	turn    = time.Second / 4
	alive   = 5 * time.Second // after which something is sent while an answer waits
)

// limits are those of a Share. The fields are nil or 0 if there are none.
type limits struct {
	up  *rate.Limiter
	cut int // bytes that are sent at once

	down   *rate.Limiter
	due    int64      // bytes that were asked for and have not come
	line   []*session // who would ask
	called time.Time  // when the first of them was told that it may
}

func (s *Share) limit() {
	if s.Up > 0 {
		s.limits.cut = int(min(max(s.Up/cutTime, minCut), maxFrame))
		s.limits.up = rate.NewLimiter(rate.Limit(s.Up), s.limits.cut+frameHeadN)
	}
	if s.Down > 0 {
		s.limits.down = rate.NewLimiter(rate.Limit(s.Down), int(max(s.Down/ahead, minCut)))
		s.picker.most = min(max(s.Down/askTime/tree.Group, 1), maxRequest)
	}
}

// cut returns how many of n bytes are sent at once.
func (s *Share) cut(n int) int { return min(n, cmp.Or(s.limits.cut, n)) }

// await waits until so many bytes of an answer may be sent.
func (x *session) await(n int) error {
	up := x.share.limits.up
	if up == nil {
		return nil
	}
	r := up.ReserveN(time.Now(), n)
	for {
		d := r.Delay()
		if d <= 0 {
			return nil
		}
		timer := time.NewTimer(min(d, alive))
		select {
		case <-timer.C:
		case <-x.gone:
			timer.Stop()
			r.Cancel()
			return errClosed
		}
		if d > alive { // the other side shall not take us for silent
			if err := x.write(frameData, func(b []byte) []byte { return b }); err != nil {
				return err
			}
		}
	}
}

// pause returns how long a session must wait until it asks for more: for its turn, if there is
// something to be had. Whoever is called and does not come loses its turn.
func (s *Share) pause(x *session, now time.Time) time.Duration {
	l := &s.limits
	if l.down == nil {
		return 0
	}
	over := float64(l.due) - l.down.TokensAt(now)
	if over < 0 && (len(l.line) == 0 || l.line[0] == x) {
		return 0
	}
	if !slices.Contains(l.line, x) {
		l.line = append(l.line, x)
	}
	if over >= 0 {
		l.called = time.Time{}
		return max(time.Duration(over/float64(s.Down)*float64(time.Second)), time.Millisecond)
	}
	switch {
	case l.called.IsZero():
		l.called = now
		l.line[0].kick()
	case now.Sub(l.called) >= turn:
		s.served(l.line[0])
	}
	return turn
}

// served notes that a session has asked, or has nothing to ask, and calls the next one.
func (s *Share) served(x *session) {
	l := &s.limits
	l.line = slices.DeleteFunc(l.line, func(o *session) bool { return o == x })
	l.called = time.Time{}
	if len(l.line) > 0 {
		l.line[0].kick()
	}
}

// expect notes how many bytes the answer to a question will have.
func (s *Share) expect(q *asked) {
	switch {
	case s.limits.down == nil:
		return
	case q.manifest > 0:
		q.due = q.run.Len() * tree.Group
	case q.any:
		q.due = piece * tree.Group
	case q.least > 0:
		q.due = (q.run.Len()/q.least + 1) * tree.NodeSize
	default:
		for p := range s.layout.parts(q.run) {
			q.due += p.upTo(p.whole().To) - p.upTo(p.whole().From)
		}
	}
	s.limits.due += q.due
}

// came notes that bytes have come, and how many bytes of the answer they are.
func (x *session) came(n, answered int) {
	s := x.share
	if s.limits.down == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for now, rest := time.Now(), n; rest > 0; {
		part := min(rest, s.limits.down.Burst())
		s.limits.down.ReserveN(now, part)
		rest -= part
	}
	s.unexpect(&x.asks[0], int64(answered))
}

// unexpect notes that bytes of an answer do not have to be waited for.
func (s *Share) unexpect(q *asked, n int64) {
	n = min(n, q.due)
	q.due -= n
	s.limits.due -= n
}
