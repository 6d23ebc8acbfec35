// Package sessions makes connections out of datagrams, for the families that have
// a socket that hears many senders: the first datagram of a sender opens a session,
// and a [Table] has it until it has been silent for too long or is closed.
//
// The package knows when sessions begin and end. What they carry, and how, is the
// families' own.
package sessions

import (
	"io"
	"net"
	"sync"
	"time"
)

// Limits bound a [Table].
type Limits struct {
	Idle    time.Duration // until a silent session ends; 0 or less is never
	Open    int           // sessions that are not closed
	Pending int           // of these, sessions that are not accepted
}

// A Session is what a Table asks of its sessions:
//
//	        Idle without a datagram
//	open ─────────────────────────────► ended: reads give io.EOF when all is
//	  │                                   │    read; writes work
//	  └───────────── Close ───────────────┴──► closed
type Session interface {
	// Close is the session's own, and calls [Entry.Close].
	io.Closer

	// End makes reads return [io.EOF] once all is read. It is called once at
	// the most, when the Table does not have the session any more.
	End()
}

// A Table has the sessions S of a socket, by the address K of their sender.
type Table[K comparable, S Session] struct {
	limits  Limits
	release func() error
	start   time.Time
	pending chan S
	done    chan struct{} // closed by Close

	closing  sync.Once
	closeErr error

	mu      sync.Mutex // guards what follows
	entries map[K]*Entry[K, S]
	open    int // sessions not yet closed: those in entries, and those that have ended
	closed  bool
}

// NewTable returns a Table without sessions. It calls release, which closes the
// socket, when it is closed and so are all its sessions.
func NewTable[K comparable, S Session](l Limits, release func() error) *Table[K, S] {
	return &Table[K, S]{limits: l, release: release, start: time.Now(), entries: map[K]*Entry[K, S]{},
		pending: make(chan S, l.Pending), done: make(chan struct{})}
}

// Get returns the session of the sender of a datagram that came at now. Without one
// it makes one, for Accept to return, of what open returns: a session that has not
// begun, and its zero Entry. There may be no room for one; then ok is false. Get only
// reads *from, and wants no copy because it is called for every batch.
func (t *Table[K, S]) Get(from *K, now time.Time, open func() (S, *Entry[K, S])) (s S, ok bool) {
	t.mu.Lock()
	e := t.entries[*from]
	if e != nil {
		e.touch(now)
		t.mu.Unlock()
		return e.session, true
	}
	room := t.room()
	t.mu.Unlock()
	if room {
		e = t.add(*from, now, open)
	}
	if e == nil {
		return s, false
	}
	return e.session, true
}

// room tells whether one more session may be opened. It needs mu.
func (t *Table[K, S]) room() bool {
	return !t.closed && t.open < t.limits.Open && len(t.pending) < cap(t.pending)
}

// add puts a session that open returns in the Table, and returns its entry: nil, if
// there is no more room, or that of another goroutine that was faster.
func (t *Table[K, S]) add(key K, now time.Time, open func() (S, *Entry[K, S])) *Entry[K, S] {
	s, e := open()
	t.mu.Lock()
	defer t.mu.Unlock()
	if first := t.entries[key]; first != nil {
		return first
	}
	if !t.room() {
		return nil
	}
	e.begin(t, key, s, now)
	t.entries[key] = e
	t.open++
	t.pending <- s // there is room: nobody else sends, and mu is held
	return e
}

// Accept returns the next session. After Close its error is [net.ErrClosed].
func (t *Table[K, S]) Accept() (s S, err error) {
	select {
	case <-t.done:
		return s, net.ErrClosed
	default:
	}
	select {
	case s = <-t.pending:
		return s, nil
	case <-t.done:
		return s, net.ErrClosed
	}
}

// expire ends the session of e if it has been silent for too long, or looks again
// when it may have been.
func (t *Table[K, S]) expire(e *Entry[K, S]) {
	t.mu.Lock()
	here := t.entries[e.key] == e // and not closed meanwhile
	left := t.limits.Idle
	if e.held.Load() == 0 {
		left -= time.Since(t.start) - time.Duration(e.touched.Load())
	}
	switch {
	case here && left > 0:
		e.timer.Reset(left)
	case here:
		delete(t.entries, e.key) // out of the way of a new one
	}
	t.mu.Unlock()
	if here && left <= 0 {
		e.session.End()
	}
}

// leave is called once for each session, when it is closed.
func (t *Table[K, S]) leave(e *Entry[K, S]) {
	t.mu.Lock()
	if e.timer != nil {
		e.timer.Stop()
	}
	if t.entries[e.key] == e {
		delete(t.entries, e.key)
	}
	t.mu.Unlock()
	_ = t.gone() // the error is of the socket, which the Table answers for
}

// Close lets no new sender in, and closes the sessions that nobody has accepted.
// Those that were accepted live on. Every call returns what the first did.
func (t *Table[K, S]) Close() error {
	t.closing.Do(func() {
		t.mu.Lock()
		t.closed = true
		t.open++ // keeps the socket until all is done here
		close(t.done)
		t.mu.Unlock()
		for len(t.pending) > 0 {
			select {
			case s := <-t.pending:
				_ = s.Close() // nobody knows of it
			default: // an Accept was faster
			}
		}
		t.closeErr = t.gone()
	})
	return t.closeErr
}

// gone counts one session less, and releases the socket after the last one.
func (t *Table[K, S]) gone() error {
	t.mu.Lock()
	t.open--
	over := t.closed && t.open == 0
	t.mu.Unlock()
	if !over {
		return nil
	}
	return t.release()
}
