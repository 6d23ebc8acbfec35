package join

import "time"

// A watch is the joint's inactivity timer: it expires when no byte has moved for as long
// as the joint may be silent. It belongs to the goroutine that called Join.
type watch struct {
	j     *joint
	timer *time.Timer
}

func newWatch(j *joint) *watch {
	w := &watch{j: j}
	w.reset()
	return w
}

// limit is how long the joint may be silent now, and what has happened then; 0 is
// for ever.
func (w *watch) limit() (limit time.Duration, why error) {
	o := &w.j.opt
	limit, why = max(o.Idle, 0), ErrIdle
	if w.j.halved && o.HalfClosed > 0 && (limit == 0 || o.HalfClosed < limit) {
		limit, why = o.HalfClosed, ErrHalfClosed
	}
	if w.j.linger && o.Linger > 0 && (limit == 0 || o.Linger < limit) {
		limit, why = o.Linger, ErrLinger
	}
	return limit, why
}

// left is how much of the limit is left.
func (w *watch) left() time.Duration {
	limit, _ := w.limit()
	return limit - (time.Since(w.j.start) - time.Duration(w.j.moved.Load()))
}

// reset restarts the timer, because the limit may have changed.
func (w *watch) reset() {
	limit, _ := w.limit()
	switch {
	case limit == 0:
		w.stop()
	case w.timer == nil:
		w.timer = time.NewTimer(max(w.left(), 0))
	default:
		w.timer.Reset(max(w.left(), 0))
	}
}

func (w *watch) c() <-chan time.Time {
	if w.timer == nil {
		return nil
	}
	return w.timer.C
}

// expired ends the joint if nothing has moved for the whole time.
func (w *watch) expired() {
	if w.left() > 0 {
		w.reset()
		return
	}
	if _, why := w.limit(); why == ErrLinger {
		w.j.stop(why)
	} else {
		w.j.cut(why)
	}
}

func (w *watch) stop() {
	if w.timer != nil {
		w.timer.Stop()
	}
}
