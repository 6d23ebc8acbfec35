package mem

import (
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/deadline"
	"github.com/tenon-net/tenon/transport"
)

// A side is one of the two ends that a pipe joins.
type side int

const (
	reader side = iota
	writer
)

// A pipe is one direction: bytes in a ring or messages in a queue, never both.
// It blocks its writer when it is full and its reader when it is empty.
type pipe struct {
	mu      sync.Mutex // guards all below
	changed sync.Cond  // of mu: anything below changed

	limit int    // bytes that fit
	ring  []byte // grows to limit
	first int    // of the bytes in the ring
	held  int    // bytes in the ring or the queue
	queue []message

	eof     bool     // nothing more will be written
	gone    [2]error // what a side's own calls return once it has left
	failure [2]error // what a side's calls return once the other has left
	late    [2]deadline.Cond
}

type message struct {
	data []byte
	meta transport.Meta
}

func newPipe(limit int) *pipe {
	p := &pipe{limit: limit}
	p.changed.L = &p.mu
	return p
}

// blocked returns why side s may not go on, now or ever. It is called with mu held.
func (p *pipe) blocked(s side) error {
	switch {
	case p.gone[s] != nil:
		return p.gone[s]
	case p.late[s].Passed():
		return os.ErrDeadlineExceeded
	case p.failure[s] != nil:
		return p.failure[s]
	case s == writer && p.eof:
		return io.ErrClosedPipe
	}
	return nil
}

// await waits until ready returns true or side s may not go on. What is there to
// read is read before the end of file is. It is called with mu held.
func (p *pipe) await(s side, ready func() bool) error {
	for {
		if err := p.blocked(s); err != nil {
			return err
		}
		if ready() {
			return nil
		}
		if s == reader && p.eof {
			return io.EOF
		}
		p.changed.Wait()
	}
}

func (p *pipe) read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.await(reader, func() bool { return p.held > 0 }); err != nil {
		return 0, err
	}
	n := 0
	for n < len(b) && p.held > 0 {
		run := p.ring[p.first:min(p.first+p.held, len(p.ring))]
		m := copy(b[n:], run)
		n, p.held, p.first = n+m, p.held-m, (p.first+m)%len(p.ring)
	}
	p.changed.Broadcast()
	return n, nil
}

func (p *pipe) write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for {
		if err := p.await(writer, func() bool { return p.held < p.limit || n == len(b) }); err != nil {
			return n, err
		}
		if n == len(b) {
			return n, nil
		}
		p.grow(p.held + len(b) - n)
		for n < len(b) && p.held < len(p.ring) {
			at := (p.first + p.held) % len(p.ring)
			m := copy(p.ring[at:min(at+len(p.ring)-p.held, len(p.ring))], b[n:])
			n, p.held = n+m, p.held+m
		}
		p.changed.Broadcast()
	}
}

// grow makes the ring hold n bytes, within the limit.
func (p *pipe) grow(n int) {
	if n <= len(p.ring) || len(p.ring) == p.limit {
		return
	}
	bigger := make([]byte, min(max(n, 2*len(p.ring), 4096), p.limit))
	m := copy(bigger, p.ring[p.first:min(p.first+p.held, len(p.ring))])
	copy(bigger[m:], p.ring[:p.held-m])
	p.ring, p.first = bigger, 0
}

func (p *pipe) readMsg(b []byte) (int, transport.Meta, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.await(reader, func() bool { return len(p.queue) > 0 }); err != nil {
		return 0, transport.Meta{}, err
	}
	m := p.queue[0]
	p.queue[0] = message{}
	p.queue, p.held = p.queue[1:], p.held-len(m.data)
	p.changed.Broadcast()
	n := copy(b, m.data)
	if n < len(m.data) {
		return n, m.meta, io.ErrShortBuffer
	}
	return n, m.meta, nil
}

// writeMsg lets in a message that is longer than the limit when nothing else is
// there.
func (p *pipe) writeMsg(b []byte, meta transport.Meta) error {
	if len(b) > MaxMsg {
		return transport.ErrMsgTooLong
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	room := func() bool {
		return len(p.queue) == 0 || len(p.queue) < maxQueued && p.held+len(b) <= p.limit
	}
	if err := p.await(writer, room); err != nil {
		return err
	}
	p.queue = append(p.queue, message{append([]byte(nil), b...), meta})
	p.held += len(b)
	p.changed.Broadcast()
	return nil
}

func (p *pipe) closeWrite() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.gone[writer]; err != nil {
		return err
	}
	p.eof = true
	p.changed.Broadcast()
	return nil
}

// leave ends the pipe on side s, whose own calls return own from now on. The other
// side's return failure, if it is not nil; if it is, a reader reads what is left
// to the end of file, and a writer fails as one does whose reader is gone.
func (p *pipe) leave(s side, own, failure error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone[s] != nil {
		if own == net.ErrClosed { // Close after Abort
			p.gone[s] = own
		}
		return
	}
	p.gone[s] = own
	if s == writer {
		p.eof = true
	} else if failure == nil {
		failure = io.ErrClosedPipe
	}
	if failure != nil {
		p.failure[1-s] = failure
	}
	if s == reader || failure != nil {
		p.ring, p.queue, p.held, p.first = nil, nil, 0, 0
	}
	p.late[s].Stop()
	p.changed.Broadcast()
}

func (p *pipe) setDeadline(s side, t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone[s] != nil {
		return p.gone[s]
	}
	p.late[s].Set(&p.changed, t)
	return nil
}
