//go:build linux

package bus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/deadline"
	"github.com/tenon-net/tenon/transport"
)

// ErrSlow is how the reads of a member end that was removed because of its rule.
var ErrSlow = errors.New("too slow: what others published did not fit into the queue")

// errWritten answers a write after CloseWrite.
var errWritten = errors.New("nothing can be published after CloseWrite")

// farewell is how long Close tries to hand on what was published.
const farewell = time.Second

// A Conn is a member of a bus.
//
//	          meet                     the hub is gone
//	opening -------> member of a hub <-----------------> looking for the next one
//	   |              |            |                       |
//	   | nobody       | Close      | cut; CloseWrite is    | Close; nobody to
//	   | there, ctx   |            | acknowledged          | be found
//	   v              v            v                       v
//	 failed         closed       ended -- Close --> closed
//
// Two goroutines serve it, one that reads from the hub, and looks for the next one,
// and one that writes; and those of the hub, if it plays the hub.
type Conn struct {
	bus    Bus
	secret secret
	origin uint64
	info   *transport.Info
	remote net.Addr

	readBy, writeBy deadline.Deadline

	cancel context.CancelFunc // ends run
	done   chan struct{}      // closed when run has returned
	over   chan struct{}      // closed when CloseWrite has been acknowledged

	closing  sync.Once
	closeErr error

	mu        sync.Mutex // guards what follows
	journal   journal
	had       map[uint64]uint64 // what was received and lost its place again: the last number of each origin; nil if nothing
	in        inbox
	out       outbox
	skipFirst bool  // the next message is a last value, which is not wanted
	ending    bool  // CloseWrite has been called
	ended     bool  // and acknowledged
	closed    bool  // by the user
	failed    error // why this is no member any more
	hub       *hub  // if this one plays the hub

	readable signal // something for reads has changed
	writable signal // something for writes has changed
	taken    signal // the user has read a message
	work     signal // there is something to send
}

var (
	_ transport.MsgConn     = (*Conn)(nil)
	_ transport.MsgLender   = (*Conn)(nil)
	_ transport.DropCounter = (*Conn)(nil)
	_ transport.Ender       = (*Conn)(nil)
)

func newConn(b *Bus) *Conn {
	c := &Conn{
		bus: *b, secret: newSecret(),
		info:   &transport.Info{Kind: kindName},
		remote: transport.Addr{Net: kindName, Name: b.Name},
		in:     inbox{limits: b.limits()},
		done:   make(chan struct{}),
		over:   make(chan struct{}),
	}
	c.origin = c.secret.origin()
	return c
}

// ReadMsg reads the next message that another member has published. Meta.From is the
// [Member]. The error is io.EOF after CloseWrite, and [ErrSlow] once this member has
// been removed by its own rule.
func (c *Conn) ReadMsg(p []byte) (int, transport.Meta, error) {
	msg, m, err := c.LendMsg()
	n := copy(p, msg)
	if n < len(msg) {
		err = io.ErrShortBuffer
	}
	return n, m, err
}

// LendMsg is ReadMsg without copying. The caller does not write to the message.
func (c *Conn) LendMsg() ([]byte, transport.Meta, error) {
	for {
		over := c.readBy.Wait()
		c.mu.Lock()
		e, ok, err := c.next(deadline.IsClosed(over))
		more := c.readable.wait()
		c.mu.Unlock()
		switch {
		case ok:
			return e.data, transport.Meta{Text: e.text, From: Member(e.origin)}, nil
		case err != nil:
			return nil, transport.Meta{}, err
		}
		select {
		case <-more:
		case <-over:
		}
	}
}

// next takes what there is to read. It is called with mu held.
func (c *Conn) next(late bool) (e entry, ok bool, err error) {
	switch {
	case c.closed:
		return e, false, net.ErrClosed
	case late:
		return e, false, os.ErrDeadlineExceeded
	}
	if e, ok = c.in.take(); ok {
		c.taken.fire()
		return e, true, nil
	}
	if c.failed == nil && c.ended {
		return e, false, io.EOF
	}
	return e, false, c.failed
}

// WriteMsg publishes p. It returns when the message is kept for sending, which waits
// while 256 messages or 1 MiB have no place in the order yet, as while the hub
// changes; and is bound by the write deadline.
func (c *Conn) WriteMsg(p []byte, m transport.Meta) error {
	if len(p) > MaxMsg {
		return transport.Mark(fmt.Errorf("a message may have %d bytes, and this one has %d", MaxMsg, len(p)), transport.ErrMsgTooLong)
	}
	data := append([]byte(nil), p...)
	return c.await(func() (bool, error) {
		switch {
		case c.ending:
			return false, errWritten
		case !c.out.room(len(data)):
			return false, nil
		}
		c.out.put(data, m.Text)
		c.work.fire()
		return true, nil
	})
}

// CloseWrite says goodbye: it returns when every member that is there has what this
// one published, or has been skipped for being slow, and bound by the write deadline.
// From then on reads return what has arrived already, and then io.EOF: a bus has no
// other end, and who has nothing more to say has left.
func (c *Conn) CloseWrite() error {
	return c.await(func() (bool, error) {
		if !c.ending {
			c.ending = true
			c.work.fire()
		}
		return c.ended, nil
	})
}

// Ended implements [transport.Ender]. A bus has no end but a member's own: both
// directions end together, when CloseWrite has been acknowledged.
func (c *Conn) Ended() <-chan struct{} { return c.over }

// await calls try, with mu held, until it is done or fails, whenever something for
// writes has changed.
func (c *Conn) await(try func() (bool, error)) error {
	for {
		over := c.writeBy.Wait()
		c.mu.Lock()
		ok, err := false, error(nil)
		switch {
		case c.closed:
			err = net.ErrClosed
		case c.failed != nil:
			err = c.failed
		case deadline.IsClosed(over):
			err = os.ErrDeadlineExceeded
		default:
			ok, err = try()
		}
		free := c.writable.wait()
		c.mu.Unlock()
		if ok || err != nil {
			return err
		}
		select {
		case <-free:
		case <-over:
		}
	}
}

// Close leaves the bus. What was published is handed on first, for at most a second;
// the error says if that was not possible. If this member plays the hub, the others
// get what waits for them, for at most another second, and elect the next one.
func (c *Conn) Close() error {
	c.closing.Do(func() { c.closeErr = c.leave() })
	return c.closeErr
}

func (c *Conn) leave() error {
	c.mu.Lock()
	c.closed = true
	c.wake()
	c.mu.Unlock()
	c.readBy.Set(time.Time{})
	c.writeBy.Set(time.Time{})
	left := c.flush()
	c.cancel()
	<-c.done
	c.mu.Lock()
	h, err := c.hub, c.failed
	c.mu.Unlock()
	if h == nil || !h.close(c.origin) {
		tidy(&c.bus)
	}
	if left > 0 && err == nil {
		return fmt.Errorf("%d messages could not be handed on", left)
	}
	return nil
}

// flush waits until all that was published has a place in the order, and returns how
// much has none.
func (c *Conn) flush() int {
	late := time.NewTimer(farewell)
	defer late.Stop()
	for {
		c.mu.Lock()
		left, free := len(c.out.waiting), c.writable.wait()
		c.mu.Unlock()
		if left == 0 {
			return 0
		}
		select {
		case <-free:
		case <-c.done:
			return left
		case <-late.C:
			return left
		}
	}
}

// wake has everybody look again. It is called with mu held.
func (c *Conn) wake() {
	for _, s := range []*signal{&c.readable, &c.writable, &c.taken, &c.work} {
		s.fire()
	}
}

// fail ends the membership.
func (c *Conn) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed == nil {
		c.failed = err
	}
	c.wake()
}

// Lost returns how many messages of others this member has missed so far: those that
// were skipped because it was slow, and those that a change of the hub has cost it.
func (c *Conn) Lost() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.in.lost
}

// Dropped is Lost, for a [transport.DropCounter].
func (c *Conn) Dropped() int64 { return int64(c.Lost()) }

// Leaves implements [transport.Leaver].
func (*Conn) Leaves() bool { return true }

// MaxMsg is [MaxMsg].
func (c *Conn) MaxMsg() int { return MaxMsg }

// Info tells the kind.
func (c *Conn) Info() *transport.Info { return c.info }

// LocalAddr is the [Member]; RemoteAddr is the bus.
func (c *Conn) LocalAddr() net.Addr  { return Member(c.origin) }
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline, SetReadDeadline and SetWriteDeadline are those of [net.Conn].
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *Conn) SetReadDeadline(t time.Time) error  { return c.set(&c.readBy, t) }
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.set(&c.writeBy, t) }

func (c *Conn) set(d *deadline.Deadline, t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	d.Set(t)
	return nil
}
