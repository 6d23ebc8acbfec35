package swarm

import (
	"io"
	"time"
)

// looks is in how many parts is waited.
const looks = 8

// A waiting is how long to wait for a sign of life, in time in which this process could
// have noticed one. On a machine that is busy timers are late, and what has arrived is read
// as late: so it is waited in parts, each of which counts for as long as it was to take,
// however long it took.
type waiting struct{ left, look time.Duration }

func newWaiting(d time.Duration) waiting { return waiting{d, d / looks} }

// next is how long to wait for the next part.
func (w *waiting) next() time.Duration { return min(w.left, w.look) }

// over notes that the next part has passed, and tells whether it was the last.
func (w *waiting) over() bool {
	w.left -= w.next()
	return w.left <= 0
}

// A deadlineReader is a stream with deadlines.
type deadlineReader interface {
	io.Reader
	SetReadDeadline(time.Time) error
}

// awaitAnswer reads the answer to what was just sent. The error is that of the stream, or
// errDead: nothing has moved for as long as pingMisses times each gives, or, whatever else
// moves, there is no answer for pingMostTry.
func awaitAnswer(s deadlineReader, answer []byte, each func() time.Duration, moved func() uint64) error {
	sent, before := time.Now(), moved()
	wait, misses, have := newWaiting(each()), 0, 0
	for have < len(answer) {
		s.SetReadDeadline(time.Now().Add(wait.next())) //nolint:errcheck // the streams of libp2p have deadlines
		m, err := io.ReadFull(s, answer[have:])
		have += m
		if err != nil && !isTimeoutError(err) {
			return err
		}
		late := time.Since(sent) >= pingMostTry
		switch is := moved(); {
		case have == len(answer):
		case late:
			return errDead
		case is != before || m > 0:
			before, wait, misses = is, newWaiting(each()), 0
		case wait.over():
			if misses++; misses == pingMisses {
				return errDead
			}
			wait = newWaiting(each())
		}
	}
	return nil
}
