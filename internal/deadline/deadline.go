// Package deadline has the deadlines of connections that wait on channels or on
// condition variables and not on descriptors.
package deadline

import (
	"sync"
	"time"
)

// A Deadline is a moment that can be waited for and moved. The zero Deadline never
// comes. Its methods may be called at the same time.
type Deadline struct {
	mu    sync.Mutex // guards what follows
	timer *time.Timer
	over  chan struct{} // closed when the moment has come; nil until somebody asks
}

// Wait returns a channel that is closed when the moment comes, also if it is moved
// closer meanwhile.
func (d *Deadline) Wait() (over <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over == nil {
		d.over = make(chan struct{})
	}
	return d.over
}

// Set moves the moment; the zero Time is never.
func (d *Deadline) Set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil && !d.timer.Stop() {
		<-d.over // it is being closed, or has been
	}
	d.timer = nil
	if d.over == nil || IsClosed(d.over) {
		d.over = make(chan struct{})
	}
	over := d.over
	switch left := time.Until(t); {
	case t.IsZero():
	case left <= 0:
		close(over)
	default:
		d.timer = time.AfterFunc(left, func() { close(over) })
	}
}

// IsClosed tells whether c is closed; nothing is ever sent through it.
func IsClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
