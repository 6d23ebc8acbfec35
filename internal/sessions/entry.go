package sessions

import (
	"container/list"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// An Entry is what a session has to do with its [Table], and the part of writing
// that does not ask the socket, which is not the session's own. The zero Entry is
// ready for [Table.Get], and begins there.
type Entry[K comparable, S Session] struct {
	table   *Table[K, S]
	key     K
	session S
	timer   *time.Timer // nil if the session never ends by itself
	ended   chan struct{}
	done    chan struct{}
	closing sync.Once

	touched  atomic.Int64 // when a datagram last came or went, in ns since table.start
	held     atomic.Int32 // datagrams that forbid to end
	known    atomic.Bool  // it has been heard again
	deadline atomic.Int64 // of writing, in Unix nanoseconds; 0 is none

	// Guarded by the mutex of the table.
	waiting *list.Element // in table.pending; nil once it is accepted
	fresh   *list.Element // in table.once; nil once it has been heard again
	stamp   int64         // touched, when it got its place in table.once
	over    bool          // it has ended by itself, for want of datagrams
	leaving bool          // it has made room for another
	unknown bool          // it had to before it was accepted
}

// begin needs the mutex of the table, which makes expire wait until it is done.
func (e *Entry[K, S]) begin(t *Table[K, S], key K, s S, now time.Time) {
	e.table, e.key, e.session, e.ended, e.done = t, key, s, make(chan struct{}), make(chan struct{})
	e.touch(now)
	e.stamp = e.touched.Load()
	if t.limits.Idle > 0 {
		e.timer = time.AfterFunc(t.limits.Idle, func() { t.expire(e) })
	}
}

// list is the list in table.once that e is in, if it is in one. It needs the mutex of
// the table.
func (e *Entry[K, S]) list() int {
	if e.waiting != nil {
		return oncePending
	}
	return onceAccepted
}

// evict ends the session after it has been taken out of the table to make room.
func (e *Entry[K, S]) evict() {
	if e.unknown {
		_ = e.session.Close() // it was never accepted
		return
	}
	e.end()
}

// end is called once at the most.
func (e *Entry[K, S]) end() {
	e.session.End()
	close(e.ended)
}

// Ended is closed when the session has ended by itself; the other side is not heard any more, and a session that
// ends so has ended both directions.
func (e *Entry[K, S]) Ended() <-chan struct{} { return e.ended }

// Again notes another datagram of the same sender, where it did not take a [Table.Get]
// to find the session.
func (e *Entry[K, S]) Again() {
	if e.known.Load() {
		return
	}
	e.table.mu.Lock()
	e.table.again(e)
	e.table.mu.Unlock()
}

// touch stores nothing for most datagrams of a batch, which have come at one time.
func (e *Entry[K, S]) touch(now time.Time) {
	if since := int64(now.Sub(e.table.start)); e.touched.Load() != since {
		e.touched.Store(since)
	}
}

// Touch notes that a datagram was sent.
func (e *Entry[K, S]) Touch() { e.touch(time.Now()) }

// Hold keeps the session from ending by itself while the sum of all n is not 0: so
// many datagrams have come and must not be lost.
func (e *Entry[K, S]) Hold(n int32) { e.held.Add(n) }

// Done is closed when the session is.
func (e *Entry[K, S]) Done() <-chan struct{} { return e.done }

// Writable tells whether a write may begin or go on: nil, [net.ErrClosed], or
// [os.ErrDeadlineExceeded].
func (e *Entry[K, S]) Writable() error {
	select {
	case <-e.done:
		return net.ErrClosed
	default:
	}
	if d := e.deadline.Load(); d != 0 && time.Now().UnixNano() >= d {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// Pause is what a write does when there is no room, instead of waiting for the
// socket, which the session's Close and deadline could not end. It returns what
// Writable does after d, or as soon as the session is closed.
func (e *Entry[K, S]) Pause(d time.Duration) error {
	pause := time.NewTimer(d)
	defer pause.Stop()
	select {
	case <-e.done:
	case <-pause.C:
	}
	return e.Writable()
}

// SetWriteDeadline sets what Writable looks at. It returns [net.ErrClosed] if the
// session is closed.
func (e *Entry[K, S]) SetWriteDeadline(t time.Time) error {
	select {
	case <-e.done:
		return net.ErrClosed
	default:
	}
	e.deadline.Store(0)
	if !t.IsZero() {
		e.deadline.Store(t.UnixNano())
	}
	return nil
}

// Close takes the session out of its Table. The next datagram of the same sender
// opens another one. It returns nil, also when it is called again.
func (e *Entry[K, S]) Close() error {
	e.closing.Do(func() {
		close(e.done)
		e.table.leave(e)
	})
	return nil
}
