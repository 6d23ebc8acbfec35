package main

import "sync"

// A latest holds the newest of a value. Whoever is slow misses some values in
// between and never the newest, so that nothing queues up. The zero latest holds
// the zero value.
type latest[T any] struct {
	mu      sync.Mutex    // guards what follows
	value   T             // what the others see is a copy: T must not share what changes
	changed chan struct{} // closed when value is replaced; nil until somebody asks
}

// get returns the newest value, and a channel that is closed when there is another.
func (l *latest[T]) get() (T, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return l.value, l.changed
}

// change replaces the value by what next makes of it.
func (l *latest[T]) change(next func(T) T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.value = next(l.value)
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}
