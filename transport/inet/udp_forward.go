package inet

import (
	"errors"
	"sync"

	"github.com/tenon-net/tenon/transport"
)

// A forward is a session whose messages the goroutine that receives for all
// sessions sends on by itself, to another socket, while the goroutine that asked
// for it waits. That goroutine only moves what is in the queue when it begins.
type forward struct {
	to    msgTrier
	moved func(msgs, bytes int)

	mu    sync.Mutex // held while writing; guards what follows
	err   error      // of writing
	ended bool
}

// A msgTrier is WriteMsgs that drops what would have to wait.
type msgTrier interface {
	tryMsgs(ms []transport.Msg) (n int, err error)
}

var (
	_ msgTrier               = (*udpConn)(nil)
	_ msgTrier               = (*udpSession)(nil)
	_ transport.MsgForwarder = (*udpSession)(nil)
)

// errFull is how a write ends that would have to wait.
var errFull = errors.New("the buffer is full")

func full() error { return errFull }

func (c *udpConn) tryMsgs(ms []transport.Msg) (int, error) { return c.s.writeMsgs(ms, c.to, full) }

func (c *udpSession) tryMsgs(ms []transport.Msg) (int, error) {
	if err := c.writable(); err != nil {
		return 0, err
	}
	return c.send(ms, full)
}

// ForwardMsgs implements [transport.MsgForwarder], to Conns of this package that
// have a socket to send with.
func (c *udpSession) ForwardMsgs(to transport.MsgConn, moved func(msgs, bytes int)) (read, write error) {
	dst, ok := transport.As[msgTrier](to)
	batch, isBatcher := transport.As[transport.MsgBatcher](to)
	if !ok || !isBatcher {
		return errors.ErrUnsupported, nil
	}
	f := &forward{to: dst, moved: moved}
	c.queue.setForward(f)
	defer c.queue.setForward(nil)
	defer f.end()
	for ms := make([]transport.Msg, transport.MaxBatch); ; {
		n, err := c.queue.readMsgs(ms)
		if werr := f.failed(); werr != nil {
			return nil, werr
		}
		if err != nil {
			return c.readError(err), nil
		}
		sent, err := batch.WriteMsgs(ms[:n])
		f.count(ms[:sent])
		if err != nil {
			return nil, err
		}
	}
}

// write sends what has been received for a session. It returns how many messages
// were dropped, and whether writing has ended.
func (f *forward) write(ms []transport.Msg) (dropped int, failed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended || f.err != nil {
		return len(ms), f.err != nil
	}
	n, err := f.to.tryMsgs(ms)
	f.count(ms[:n])
	switch {
	case err == errFull:
		return len(ms) - n, false
	case err != nil:
		f.err = err
		return len(ms) - n, true
	}
	return 0, false
}

func (f *forward) count(ms []transport.Msg) {
	if f.moved == nil || len(ms) == 0 {
		return
	}
	bytes := 0
	for i := range ms {
		bytes += len(ms[i].Buf)
	}
	f.moved(len(ms), bytes)
}

func (f *forward) failed() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

func (f *forward) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
}

// An outbox collects what one batch has brought for each session, so that each is
// woken once, and each forward writes once. It belongs to a receiving goroutine.
type outbox struct {
	wake    []*udpSession
	forward []*udpSession
}

// put hands d to its session, or keeps its messages until flush.
func (o *outbox) put(c *udpSession, d *datagram) {
	wake, to := c.queue.put(d, nil)
	switch {
	case wake:
		o.wake = append(o.wake, c)
	case to != nil:
		if len(c.out) == 0 {
			o.forward = append(o.forward, c)
		}
		c.outTo = to
		for more := true; more; {
			var msg []byte
			msg, more = d.next()
			c.out = append(c.out, transport.Msg{Buf: msg})
		}
	}
}

// flush wakes and writes.
func (o *outbox) flush() {
	for _, c := range o.wake {
		c.queue.wake()
	}
	for _, c := range o.forward {
		dropped, failed := c.outTo.write(c.out)
		if dropped > 0 {
			c.queue.drop(dropped)
		}
		if failed {
			c.queue.wake()
		}
		clear(c.out)
		c.out, c.outTo = c.out[:0], nil
	}
	clear(o.wake)
	clear(o.forward)
	o.wake, o.forward = o.wake[:0], o.forward[:0]
}
