package wslayer

import (
	"net"
	"os"
	"slices"
	"sync"
	"time"
)

// budgetWait is how long a connection waits for memory.
const budgetWait = 30 * time.Second

// minMemory is how many messages of the greatest length a budget must have room for:
// a compressed one in a buffer that may grow, and the same decompressed.
const minMemory = 3

// A budget bounds the memory that all connections of a Layer use together for messages
// longer than a chunk. A bound for each connection alone is none: a small message can
// decompress to a large one, which stays in memory for as long as a peer that does not
// read keeps the joint waiting. A connection that finds no memory left waits in a queue,
// first come, first served, and does not read meanwhile, so that TCP slows its peer down.
type budget struct {
	mu    sync.Mutex // guards what follows, and the fields of the shares
	used  int64
	queue []*waiter
}

// A share is what one connection has reserved of a budget. Its methods may be called at
// the same time.
type share struct {
	budget *budget
	limit  int64 // of the whole budget
	held   int64
	closed bool
}

// A waiter is a reservation that has been asked for. Done is closed when it is granted,
// and when it never will be.
type waiter struct {
	share   *share
	size    int64
	done    chan struct{}
	granted bool
}

// request asks for n bytes, which may be granted at once.
func (a *share) request(n int64) *waiter {
	a.budget.mu.Lock()
	defer a.budget.mu.Unlock()
	l := &waiter{share: a, size: n, done: make(chan struct{})}
	if a.closed {
		close(l.done)
		return l
	}
	a.budget.queue = append(a.budget.queue, l)
	a.budget.serve()
	return l
}

// tryReserve reserves n bytes if they are there and nobody waits for them.
func (a *share) tryReserve(n int64) bool {
	a.budget.mu.Lock()
	defer a.budget.mu.Unlock()
	if a.closed || len(a.budget.queue) > 0 || a.budget.used+n > a.limit {
		return false
	}
	a.held, a.budget.used = a.held+n, a.budget.used+n
	return true
}

// release gives n bytes back.
func (a *share) release(n int64) {
	a.budget.mu.Lock()
	defer a.budget.mu.Unlock()
	if !a.closed {
		a.held, a.budget.used = a.held-n, a.budget.used-n
		a.budget.serve()
	}
}

// close gives everything back and ends the waiting. Nothing can be reserved any more.
func (a *share) close() {
	a.budget.mu.Lock()
	defer a.budget.mu.Unlock()
	a.budget.used -= a.held
	a.held, a.closed = 0, true
	a.budget.queue = slices.DeleteFunc(a.budget.queue, func(l *waiter) bool {
		if l.share == a {
			close(l.done)
		}
		return l.share == a
	})
	a.budget.serve()
}

// cancel takes l out of the queue, and tells whether it had been granted already.
func (l *waiter) cancel() (granted bool) {
	m := l.share.budget
	m.mu.Lock()
	defer m.mu.Unlock()
	m.queue = slices.DeleteFunc(m.queue, func(other *waiter) bool { return other == l })
	m.serve() // the next may ask for less
	return l.granted
}

// serve grants what there is room for, in order. The caller holds mu.
func (m *budget) serve() {
	for len(m.queue) > 0 {
		l := m.queue[0]
		if m.used+l.size > l.share.limit {
			return
		}
		l.granted = true
		l.share.held, m.used = l.share.held+l.size, m.used+l.size
		m.queue[0] = nil
		m.queue = m.queue[1:]
		close(l.done)
	}
}

// A readDeadline is the deadline for reading, for one who waits for memory.
type readDeadline struct {
	mu    sync.Mutex // guards at
	at    time.Time
	moved chan struct{} // with room for one: at has changed
}

func (m *readDeadline) set(t time.Time) {
	m.mu.Lock()
	m.at = t
	m.mu.Unlock()
	select {
	case m.moved <- struct{}{}:
	default:
	}
}

func (m *readDeadline) get() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.at
}

var errNoMemory error = &failure{StatusTryAgain, "there is no memory for a message of this length now"}

// reserve waits for n bytes of the Layer's budget, until the deadline for reading and for
// at most budgetWait.
func (c *Conn) reserve(n int64) error {
	l := c.share.request(n)
	giveUp := time.Now().Add(budgetWait)
	for {
		end, late := giveUp, errNoMemory
		if t := c.deadline.get(); !t.IsZero() && t.Before(giveUp) {
			end, late = t, os.ErrDeadlineExceeded
		}
		timer := time.NewTimer(time.Until(end))
		select {
		case <-l.done:
			timer.Stop()
			if !l.granted {
				return net.ErrClosed
			}
			return nil
		case <-c.deadline.moved:
			timer.Stop()
		case <-timer.C:
			if l.cancel() {
				return nil
			}
			return late
		}
	}
}

// A msgBuffer holds one message: in a chunk from the pool at first, and in memory that
// has been reserved when it grows.
type msgBuffer struct {
	b        []byte
	reserved int64
}

// resize gives h room for n bytes, all of which have been reserved.
func (c *Conn) resize(h *msgBuffer, n int64) {
	bigger := msgBuffer{make([]byte, len(h.b), n), n}
	copy(bigger.b, h.b)
	c.free(h)
	*h = bigger
}

// free releases what h has.
func (c *Conn) free(h *msgBuffer) {
	giveBuffer(h.b)
	if h.reserved > 0 {
		c.share.release(h.reserved)
	}
	*h = msgBuffer{}
}
