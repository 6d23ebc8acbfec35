//go:build linux

package bus

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// hangUpPause is how often a member that waits for its user looks whether the hub is
// still there.
const hangUpPause = 20 * time.Millisecond

// batchSize is about how many bytes are written at once.
const batchSize = 64 << 10

// errEnded ends run after the acknowledgement of CloseWrite.
var errEnded = errors.New("the member has left")

// run serves the membership until it ends.
func (c *Conn) run(ctx context.Context, l *link) {
	defer close(c.done)
	for {
		err := c.serve(ctx, l)
		if ctx.Err() != nil || err == errEnded {
			return
		}
		if errors.Is(err, ErrSlow) || errors.Is(err, errFrame) {
			c.fail(err)
			return
		}
		if l, err = c.meet(ctx); err != nil {
			if ctx.Err() == nil {
				c.fail(err)
			}
			return
		}
	}
}

// serve reads and writes until the link ends, and closes it. What a dead hub has
// written can still be read, and is.
func (c *Conn) serve(ctx context.Context, l *link) error {
	defer context.AfterFunc(ctx, func() { l.conn.Close() })()
	wrote := make(chan struct{})
	go c.send(l, wrote)
	err := c.receive(ctx, l)
	close(l.gone)
	l.conn.Close()
	<-wrote
	return err
}

// send hands over what is published, and the end of it, until the link is gone.
func (c *Conn) send(l *link, done chan<- struct{}) {
	defer close(done)
	var buf []byte
	said := false // that no more comes
	for {
		c.mu.Lock()
		ms, work := c.out.unsent(), c.work.wait()
		end := c.ending && !said && len(ms) == 0
		c.mu.Unlock()
		buf = buf[:0]
		for i := range ms {
			buf = append(openPublish(buf, &ms[i]), ms[i].data...)
		}
		if end {
			said = true
			buf = numbers(buf, frameEnd)
		}
		if len(buf) > 0 {
			if _, err := l.conn.Write(buf); err != nil {
				return // receive finds out by itself, when it has read all there is
			}
			if cap(buf) > 2*batchSize {
				buf = nil
			}
			continue
		}
		select {
		case <-work:
		case <-l.gone:
			return
		}
	}
}

// receive takes what the hub says until it says no more.
func (c *Conn) receive(ctx context.Context, l *link) error {
	for {
		s, body, err := readFrame(l.r)
		if err != nil {
			return err
		}
		if s == frameMessage {
			err = c.message(ctx, l, body)
		} else {
			err = c.control(s, body)
		}
		if err != nil {
			return err
		}
	}
}

// message takes a message of another member.
func (c *Conn) message(ctx context.Context, l *link, body []byte) error {
	e, stable, err := parseMessage(body)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.seq != c.journal.head+1 {
		return fmt.Errorf("%w: message %d after message %d", errFrame, e.seq, c.journal.head)
	}
	for c.in.rule == waitRule && c.in.full(&e) && !c.closed && !l.hungUp {
		taken := c.taken.wait()
		c.mu.Unlock()
		l.hold(ctx, taken)
		c.mu.Lock()
	}
	c.journal.add(e)
	c.journal.trim(c.journal.head, stable)
	skip := c.skipFirst || e.oseq <= c.had[e.origin] || c.closed
	c.skipFirst = false
	if skip {
		return nil
	}
	c.readable.fire()
	return c.in.add(e)
}

// hold waits for the user of a member with waitRule to take a message. It stops doing
// so when the hub is gone: what is left to read then is what a socket holds, and the
// next hub will not wait for long.
func (l *link) hold(ctx context.Context, taken <-chan struct{}) {
	t := time.NewTimer(hangUpPause)
	defer t.Stop()
	select {
	case <-taken:
	case <-ctx.Done():
	case <-t.C:
		l.hungUp = hungUp(l.conn)
	}
}

// control takes all else that a hub may say.
func (c *Conn) control(s sort, body []byte) error {
	want := 0
	switch s {
	case frameAck, frameSkip:
		want = 3
	case frameEnded:
	default:
		return fmt.Errorf("%w: a frame of sort %d", errFrame, s)
	}
	ns, err := parseNumbers(body, want)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch s {
	case frameAck:
		return c.acked(ns[0], ns[1], ns[2])
	case frameSkip:
		c.journal.restart(ns[0])
		c.in.lost += ns[1]
		c.out.acked(ns[2])
		c.writable.fire()
	case frameEnded:
		if !c.ending {
			return fmt.Errorf("%w: a farewell that nobody asked for", errFrame)
		}
		if !c.ended {
			c.ended = true
			close(c.over)
		}
		c.wake()
		return errEnded
	}
	return nil
}

// acked puts an own message in its place in the order. It is called with mu held.
func (c *Conn) acked(seq, stable, oseq uint64) error {
	if seq != c.journal.head+1 {
		return fmt.Errorf("%w: message %d after message %d", errFrame, seq, c.journal.head)
	}
	if m, ok := c.out.acked(oseq); ok {
		c.journal.add(entry{origin: c.origin, oseq: oseq, text: m.text, data: m.data})
		c.journal.trim(c.journal.head, stable)
	} else {
		c.journal.restart(seq)
	}
	c.writable.fire()
	return nil
}
