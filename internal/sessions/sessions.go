// Package sessions makes connections out of datagrams, for the families that have
// a socket that hears many senders: the first datagram of a sender opens a session,
// and a [Table] has it until it has been silent for too long, has to make room for
// another, or is closed.
//
// The package knows when sessions begin and end. What they carry, and how, is the
// families' own.
package sessions

import (
	"container/list"
	"io"
	"net"
	"sync"
	"time"
)

// Limits bound a [Table].
//
// The address of a sender may be forged, so a full Table must not keep new senders
// out. Where a limit is reached, the session that was heard once and has been idle
// longest makes room; one that has been heard again never does. (The connection
// tracking of Linux has the same rule: early drop takes no assured connection.)
// How much work that is does not depend on how many sessions there are.
type Limits struct {
	Idle    time.Duration // until a silent session ends; 0 or less is never
	Open    int           // sessions that are not closed; those that are being closed to make room do not count
	Pending int           // of these, sessions that are not accepted
}

// A Session is what a Table asks of its sessions:
//
//	        Idle without a datagram,
//	        or no room
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
	arrived chan struct{} // holds a token if pending may not be empty
	done    chan struct{} // closed by Close

	closing  sync.Once
	closeErr error

	mu      sync.Mutex // guards what follows
	entries map[K]*Entry[K, S]
	pending list.List    // entries that are not accepted, in order
	once    [2]list.List // entries heard once, idle longest first: accepted ones, and pending ones
	open    int          // sessions not yet closed
	evicted int          // of these, sessions that have made room and are being closed
	closed  bool
}

// The lists in Table.once.
const (
	onceAccepted = iota
	oncePending
)

// NewTable returns a Table without sessions. It calls release, which closes the
// socket, when it is closed and so are all its sessions.
func NewTable[K comparable, S Session](l Limits, release func() error) *Table[K, S] {
	return &Table[K, S]{limits: l, release: release, start: time.Now(), entries: map[K]*Entry[K, S]{},
		arrived: make(chan struct{}, 1), done: make(chan struct{})}
}

// LimitOpen lowers Limits.Open to n, because its caller will not have more accepted
// sessions at a time: then sessions make room as soon as that many are open.
func (t *Table[K, S]) LimitOpen(n int) {
	t.mu.Lock()
	t.limits.Open = min(t.limits.Open, n)
	t.mu.Unlock()
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
		t.again(e)
		t.mu.Unlock()
		return e.session, true
	}
	hope := t.room() || t.once[onceAccepted].Len()+t.once[oncePending].Len() > 0
	t.mu.Unlock()
	if hope {
		e = t.add(*from, now, open)
	}
	if e == nil {
		return s, false
	}
	return e.session, true
}

// add puts a session that open returns in the Table, and returns its entry: nil, if
// there is no room, or that of another goroutine that was faster.
func (t *Table[K, S]) add(key K, now time.Time, open func() (S, *Entry[K, S])) *Entry[K, S] {
	s, e := open()
	e, gone := t.insert(key, s, e, now)
	if gone != nil {
		gone.evict()
	}
	return e
}

// insert is the part of add that needs mu. Gone is the session that has made room, if
// one had to, which add is to end.
func (t *Table[K, S]) insert(key K, s S, e *Entry[K, S], now time.Time) (_, gone *Entry[K, S]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if first := t.entries[key]; first != nil {
		t.again(first)
		return first, nil
	}
	if t.closed {
		return nil, nil
	}
	gone, ok := t.makeRoom()
	if !ok {
		return nil, gone
	}
	e.begin(t, key, s, now)
	t.entries[key] = e
	t.open++
	e.waiting = t.pending.PushBack(e)
	e.fresh = t.once[oncePending].PushBack(e)
	t.notify()
	return e, gone
}

// notify wakes one Accept if there is something to accept. It needs mu.
func (t *Table[K, S]) notify() {
	if t.pending.Len() == 0 {
		return
	}
	select {
	case t.arrived <- struct{}{}:
	default:
	}
}

// Accept returns the next session. After Close its error is [net.ErrClosed].
func (t *Table[K, S]) Accept() (s S, err error) {
	for {
		select {
		case <-t.done:
			return s, net.ErrClosed
		default:
		}
		if e := t.next(); e != nil {
			return e.session, nil
		}
		select {
		case <-t.arrived:
		case <-t.done:
		}
	}
}

// next takes the session that has waited longest to be accepted, or returns nil.
func (t *Table[K, S]) next() *Entry[K, S] {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := t.pending.Front()
	if first == nil || t.closed {
		return nil
	}
	e := first.Value.(*Entry[K, S])
	listed := e.fresh != nil
	t.unlist(e)
	t.pending.Remove(first)
	e.waiting = nil
	if listed && !e.over {
		e.fresh = t.once[onceAccepted].PushBack(e)
	}
	t.notify() // for another Accept
	return e
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
		e.over = true
		switch {
		case e.waiting == nil:
			t.unlist(e)
		case e.fresh == nil: // it may make room, now
			e.fresh = t.once[oncePending].PushFront(e)
		}
	}
	t.mu.Unlock()
	if here && left <= 0 {
		e.end()
	}
}

// leave is called once for each session, when it is closed.
func (t *Table[K, S]) leave(e *Entry[K, S]) {
	t.mu.Lock()
	if e.timer != nil {
		e.timer.Stop()
	}
	t.forget(e)
	if e.leaving {
		t.evicted--
	}
	over := t.gone()
	t.mu.Unlock()
	if over {
		_ = t.release() // the error is of the socket, which the Table answers for
	}
}

// Close lets no new sender in, and closes the sessions that nobody has accepted.
// Those that were accepted live on. Every call returns what the first did.
func (t *Table[K, S]) Close() error {
	t.closing.Do(func() {
		t.mu.Lock()
		t.closed = true
		t.open++ // keeps the socket until all is done here
		close(t.done)
		var unknown []S
		for e := t.pending.Front(); e != nil; e = e.Next() {
			unknown = append(unknown, e.Value.(*Entry[K, S]).session)
		}
		t.mu.Unlock()
		for _, s := range unknown {
			_ = s.Close() // it was never accepted
		}
		t.mu.Lock()
		over := t.gone()
		t.mu.Unlock()
		if over {
			t.closeErr = t.release()
		}
	})
	return t.closeErr
}

// gone counts one session less, and tells whether that was the last one and the socket
// is to be released. It needs mu.
func (t *Table[K, S]) gone() (over bool) {
	t.open--
	return t.closed && t.open == 0
}
