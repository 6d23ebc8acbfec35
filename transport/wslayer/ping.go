package wslayer

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// A pinger sends pings and gives the connection up when nothing is heard after
// one. It counts only while somebody waits for the other side: a reader that is
// busy elsewhere does not hear its pongs. A nil pinger does nothing.
type pinger struct {
	c              *Conn
	every, timeout time.Duration
	heard          atomic.Int64 // when something last arrived, in Unix nanoseconds
	waiting        atomic.Int64 // since when a reader waits; 0 if none does

	mu      sync.Mutex // guards what follows
	timer   *time.Timer
	sent    int64 // when the ping that is waited for was sent; 0 if none is
	stopped bool
}

// start begins with the first ping after p.every.
func (p *pinger) start() {
	p.mu.Lock()
	defer p.mu.Unlock()
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

// tick sends a ping, or looks whether one was answered.
func (p *pinger) tick() {
	p.mu.Lock()
	sent := p.sent
	p.mu.Unlock()
	if sent != 0 {
		if w := p.waiting.Load(); w != 0 && w <= sent && p.heard.Load() < sent {
			p.c.abort(errors.New("no answer to a ping"), doneSilent)
			return
		}
		p.again(0, max(p.every-p.timeout, time.Millisecond))
		return
	}
	now := time.Now().UnixNano()
	p.c.sendPing()
	if p.timeout < 0 {
		p.again(0, p.every)
	} else {
		p.again(now, p.timeout)
	}
}

// again sets the timer, unless the pinger was stopped meanwhile.
func (p *pinger) again(sent int64, after time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sent = sent; !p.stopped {
		p.timer.Reset(after)
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

// sendPing sends a ping, unless something is being written: then the other side
// has other proof that we are there.
func (c *Conn) sendPing() {
	if !c.wmu.TryLock() {
		return
	}
	if c.writeErr == nil {
		_ = c.writeFrame(header{fin: true, op: opPing}, nil)
	}
	c.unlockWrite()
}
