// Package event keeps what has happened lately, numbered, for whoever asks. Events are
// hints: what is true is told by what they are about. To publish one never waits for
// anybody; who reads too slowly misses some, and is told so.
package event

import (
	"errors"
	"sync"
)

// ErrGap: events behind the number that was asked for are not kept any more, or the
// number is of another log.
var ErrGap = errors.New("some events are lost")

// A Log keeps the latest events. It must not be copied.
type Log[T any] struct {
	mu      sync.Mutex // guards what follows
	ring    []T        // the event with the number n is at n % keep
	keep    uint64
	next    uint64 // the number of the next one
	held    uint64 // how many are kept
	changed chan struct{}
}

// New returns a Log of the latest keep events. The first has the number first: whoever
// starts a log anew with a higher one than ever before, such as the time, makes numbers
// of the old one known as such.
func New[T any](first uint64, keep int) *Log[T] {
	return &Log[T]{ring: make([]T, keep), keep: uint64(keep), next: max(first, 1), changed: make(chan struct{})}
}

// Publish adds an event, which it gets from with, called with the event's number. With
// must not use the Log.
func (l *Log[T]) Publish(with func(seq uint64) T) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	seq := l.next
	l.ring[seq%l.keep] = with(seq)
	l.next++
	l.held = min(l.held+1, l.keep)
	close(l.changed)
	l.changed = make(chan struct{})
	return seq
}

// Since returns the events with numbers above seq, at most limit, and the number of the
// last of them, or seq. The error is nil, or ErrGap if they do not follow upon seq; then
// they begin with the oldest that is kept. Since(0) has no gap.
func (l *Log[T]) Since(seq uint64, limit int) (events []T, last uint64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	oldest := l.next - l.held
	if seq+1 < oldest || seq >= l.next {
		if seq != 0 {
			err = ErrGap
		}
		seq = oldest - 1
	}
	for n := seq + 1; n < l.next && len(events) < limit; n++ {
		events = append(events, l.ring[n%l.keep])
		seq = n
	}
	return events, seq, err
}

// Last returns the number of the latest event: Since(Last()) has what is to come.
func (l *Log[T]) Last() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.next - 1
}

// Changed returns a channel that is closed at the next Publish.
func (l *Log[T]) Changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}
