package serve

import "sync"

// endings are what is to be told of joints that have ended: a goroutine tells it, one
// after the other, because the threads that move the bytes must not wait for whoever
// listens to events. The zero value has no goroutine; start makes it.
type endings struct {
	mu      sync.Mutex // guards waiting and closed
	more    sync.Cond  // of mu: one of them has changed
	waiting []func()
	closed  bool

	worker sync.WaitGroup
}

func (e *endings) start() {
	e.more.L = &e.mu
	e.worker.Go(e.run)
}

func (e *endings) add(f func()) {
	e.mu.Lock()
	e.waiting = append(e.waiting, f)
	e.mu.Unlock()
	e.more.Signal()
}

// close waits until all has been told. Nothing may be added after it.
func (e *endings) close() {
	if e.more.L == nil {
		return
	}
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.more.Signal()
	e.worker.Wait()
}

func (e *endings) run() {
	var now []func()
	for {
		e.mu.Lock()
		for len(e.waiting) == 0 && !e.closed {
			e.more.Wait()
		}
		clear(now)
		now, e.waiting = e.waiting, now[:0]
		e.mu.Unlock()
		if len(now) == 0 {
			return
		}
		for _, f := range now {
			f()
		}
	}
}
