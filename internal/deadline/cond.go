package deadline

import (
	"sync"
	"time"
)

// A Cond is a deadline for those who wait on a condition variable. The zero Cond never
// comes. The lock of the condition guards it: it is held for every call.
type Cond struct{ now *moment }

// A moment is one deadline that was set. A timer that fires late, after another was
// set, marks its own.
type moment struct {
	passed bool
	timer  *time.Timer
}

// Passed tells whether the deadline has come.
func (d *Cond) Passed() bool { return d.now != nil && d.now.passed }

// Stop has the deadline wake nobody any more. One that has passed stays so.
func (d *Cond) Stop() {
	if d.now != nil && d.now.timer != nil {
		d.now.timer.Stop()
	}
}

// Set moves the deadline; the zero Time is never. When it comes, all who wait on c are
// woken.
func (d *Cond) Set(c *sync.Cond, t time.Time) {
	d.Stop()
	d.now = nil
	if t.IsZero() {
		return
	}
	m := new(moment)
	d.now = m
	wait := time.Until(t)
	if wait <= 0 {
		m.passed = true
		c.Broadcast()
		return
	}
	m.timer = time.AfterFunc(wait, func() {
		c.L.Lock()
		defer c.L.Unlock()
		m.passed = true
		c.Broadcast()
	})
}
