package wslayer

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// A pinger sends pings, and gives the connection up when nothing is heard after one.
// The two have clocks of their own: a ping goes out every so often, whether the last
// one has been answered or not. What was heard counts only while somebody waits for
// the other side: a reader that is busy elsewhere does not hear its pongs. A nil
// pinger does nothing.
type pinger struct {
	c              *Conn
	every, timeout time.Duration // a negative timeout is never
	heard          atomic.Int64  // when something last arrived, in Unix nanoseconds
	waiting        atomic.Int64  // since when a reader waits; 0 if none does

	mu      sync.Mutex // guards what follows
	timer   *time.Timer
	next    time.Time // when to send the next ping
	sent    time.Time // when the first ping was sent that nothing has been heard since; zero if there is none
	stopped bool
}

// start begins with the first ping after p.every.
func (p *pinger) start() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = time.Now().Add(p.every)
	p.timer = time.AfterFunc(p.every, p.tick)
}

// read reads, and notes when it waited and when something came.
func (p *pinger) read(r io.Reader, b []byte) (int, error) {
	p.waiting.Store(time.Now().UnixNano())
	n, err := r.Read(b)
	p.waiting.Store(0)
	if n > 0 {
		p.heard.Store(time.Now().UnixNano())
	}
	return n, err
}

// tick does what is due, and sets the timer for what is next.
func (p *pinger) tick() {
	now := time.Now()
	if p.lost(now) {
		p.c.abort(errors.New("no answer to a ping"), doneSilent)
		return
	}
	p.mu.Lock()
	due := !now.Before(p.next)
	if due {
		p.next = now.Add(p.every)
	}
	p.mu.Unlock()
	if due {
		p.c.queuePing()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.stopped {
		p.timer.Reset(time.Until(p.event()))
	}
}

// event is when something is due. The caller holds mu.
func (p *pinger) event() time.Time {
	if !p.sent.IsZero() && p.timeout >= 0 {
		if t := p.sent.Add(p.timeout); t.Before(p.next) {
			return t
		}
	}
	return p.next
}

// lost tells whether a ping has waited too long. One that needs no answer any more is
// forgotten.
func (p *pinger) lost(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sent.IsZero() || p.timeout < 0 {
		return false
	}
	sent, since := p.sent.UnixNano(), p.waiting.Load()
	heard := p.heard.Load() >= sent
	late := now.Sub(p.sent) >= p.timeout
	if heard || late && (since == 0 || since > sent) {
		p.sent = time.Time{}
		return false
	}
	return late
}

// pinged notes that a ping goes out.
func (p *pinger) pinged() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sent.IsZero() {
		p.sent = time.Now()
		if !p.stopped {
			p.timer.Reset(time.Until(p.event()))
		}
	}
}

func (p *pinger) stop() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	p.timer.Stop()
}
