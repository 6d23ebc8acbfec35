package wslayer

import (
	"net"
	"os"
	"slices"
	"sync"
	"time"
)

// memoryWait is how long a connection waits for memory.
const memoryWait = 30 * time.Second

// minMemory is how many messages of the greatest length a memory must have room for:
// one that comes compressed, in a buffer that may grow, and what it stands for.
const minMemory = 3

// A memory is shared by all connections of a Layer: what they hold together of
// messages that are longer than a chunk. A small message can become a large one, and
// a side that does not read has it kept, so a bound for each connection alone is
// none. Who finds none left waits, in order, and reads nothing meanwhile: TCP slows
// the other side down.
type memory struct {
	mu    sync.Mutex // guards what follows, and the accounts
	used  int64
	queue []*loan
}

// An account is what one connection has of a memory. It can be used by several
// goroutines.
type account struct {
	from   *memory
	limit  int64 // of the memory
	held   int64
	closed bool
}

// A loan that has been asked for. Done is closed when it is granted, or never will be.
type loan struct {
	to      *account
	size    int64
	done    chan struct{}
	granted bool
}

// ask asks for n bytes. The loan may be granted at once.
func (a *account) ask(n int64) *loan {
	a.from.mu.Lock()
	defer a.from.mu.Unlock()
	l := &loan{to: a, size: n, done: make(chan struct{})}
	if a.closed {
		close(l.done)
		return l
	}
	a.from.queue = append(a.from.queue, l)
	a.from.serve()
	return l
}

// try takes n bytes if nobody has to wait for that.
func (a *account) try(n int64) bool {
	a.from.mu.Lock()
	defer a.from.mu.Unlock()
	if a.closed || len(a.from.queue) > 0 || a.from.used+n > a.limit {
		return false
	}
	a.held, a.from.used = a.held+n, a.from.used+n
	return true
}

// give returns n bytes.
func (a *account) give(n int64) {
	a.from.mu.Lock()
	defer a.from.mu.Unlock()
	if !a.closed {
		a.held, a.from.used = a.held-n, a.from.used-n
		a.from.serve()
	}
}

// close returns all that the account has. There is nothing more for it.
func (a *account) close() {
	a.from.mu.Lock()
	defer a.from.mu.Unlock()
	a.from.used -= a.held
	a.held, a.closed = 0, true
	a.from.queue = slices.DeleteFunc(a.from.queue, func(l *loan) bool {
		if l.to == a {
			close(l.done)
		}
		return l.to == a
	})
	a.from.serve()
}

// cancel stops waiting for l, and tells whether it has been granted before.
func (l *loan) cancel() (granted bool) {
	m := l.to.from
	m.mu.Lock()
	defer m.mu.Unlock()
	m.queue = slices.DeleteFunc(m.queue, func(other *loan) bool { return other == l })
	m.serve() // the next may ask for less
	return l.granted
}

// serve grants what can be granted, in order. The caller holds mu.
func (m *memory) serve() {
	for len(m.queue) > 0 {
		l := m.queue[0]
		if m.used+l.size > l.to.limit {
			return
		}
		l.granted = true
		l.to.held, m.used = l.to.held+l.size, m.used+l.size
		m.queue[0] = nil
		m.queue = m.queue[1:]
		close(l.done)
	}
}

// A moment is the deadline for reading, as one who waits for memory sees it.
type moment struct {
	mu    sync.Mutex // guards at
	at    time.Time
	moved chan struct{} // has something in it when at has changed
}

func (m *moment) set(t time.Time) {
	m.mu.Lock()
	m.at = t
	m.mu.Unlock()
	select {
	case m.moved <- struct{}{}:
	default:
	}
}

func (m *moment) get() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.at
}

var errNoMemory error = &failure{StatusTryAgain, "there is no memory for a message of this length now"}

// borrow waits for n bytes of the Layer's memory, until the deadline for reading or
// for as long as memoryWait.
func (c *Conn) borrow(n int64) error {
	l := c.account.ask(n)
	giveUp := time.Now().Add(memoryWait)
	for {
		end, late := giveUp, errNoMemory
		if t := c.readBy.get(); !t.IsZero() && t.Before(giveUp) {
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
		case <-c.readBy.moved:
			timer.Stop()
		case <-timer.C:
			if l.cancel() {
				return nil
			}
			return late
		}
	}
}

// A hold is memory for one message: a chunk at first, which is free, and more that
// is charged to the account.
type hold struct {
	b       []byte
	charged int64
}

// resize gives h room for n bytes in all, which the account has been charged for.
func (c *Conn) resize(h *hold, n int64) {
	bigger := hold{make([]byte, len(h.b), n), n}
	copy(bigger.b, h.b)
	c.free(h)
	*h = bigger
}

// free gives up what h has.
func (c *Conn) free(h *hold) {
	giveBuffer(h.b)
	if h.charged > 0 {
		c.account.give(h.charged)
	}
	*h = hold{}
}
