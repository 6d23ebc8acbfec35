//go:build linux

package ipc

import (
	"errors"
	"fmt"

	"github.com/tenon-net/tenon/transport"
)

// The errors of those who mix calls that copy with memory that is lent.
var (
	errPeeked   = errors.New("Release must be called before the next read")
	errReserved = errors.New("Commit must be called before the next write")
)

// mayRead tells whether a read may begin. The caller holds in.mu.
func (l *link) mayRead() error {
	if err := l.check(&l.in.deadline); err != nil {
		return err
	}
	if l.in.lent {
		return errPeeked
	}
	return nil
}

// mayWrite tells whether a write may begin. The caller holds out.mu.
func (l *link) mayWrite() error {
	switch err := l.check(&l.out.deadline); {
	case err != nil:
		return err
	case l.out.lent:
		return errReserved
	case l.out.ended:
		return errPipe
	}
	return nil
}

// Reserve waits for room and returns a part of the ring to write to: at most n
// bytes and at least one, if n is not 0. The other side can see and change what is
// written there. Commit must follow, before the next write of any sort.
func (c *Conn) Reserve(n int) ([]byte, error) {
	c.out.mu.Lock()
	defer c.unlockOut()
	err := c.mayWrite()
	if err == nil && n > 0 && c.out.p.free() == 0 {
		err = c.awaitRoom(1)
	}
	if err != nil {
		return nil, c.opError("write", err)
	}
	return c.out.lend(c.out.p.space(max(n, 0))), nil
}

// Commit sends the first n bytes of what Reserve returned, which the caller must
// not use any more.
func (c *Conn) Commit(n int) error {
	c.out.mu.Lock()
	defer c.unlockOut()
	if err := c.out.back(n); err != nil {
		return c.opError("write", err)
	}
	if c.state.Load() != live {
		return c.opError("write", c.why())
	}
	c.out.p.tail += uint64(n)
	return c.opError("write", c.publishPut())
}

// Peek waits until there is something to read and returns it where it is, in the
// ring: not always all that is there, but at least one byte. The other side can
// change it at any time, so whoever decides about it copies it first. Release must
// follow, before the next read of any sort.
func (c *Conn) Peek() ([]byte, error) {
	c.in.mu.Lock()
	defer c.unlockIn()
	if err := c.mayRead(); err != nil {
		return nil, c.opError("read", err)
	}
	if c.in.c.filled() == 0 {
		if err := c.awaitData(); err != nil {
			return nil, c.opError("read", err)
		}
	}
	c.in.lent = true
	return c.in.c.front(), nil
}

// Release takes the first n bytes of what Peek returned, which the caller must not
// use any more, out of the ring.
func (c *Conn) Release(n int) error {
	c.in.mu.Lock()
	defer c.unlockIn()
	switch {
	case !c.in.lent:
		return c.opError("read", errors.New("Release without Peek"))
	case n < 0 || n > len(c.in.c.front()):
		return c.opError("read", fmt.Errorf("Release of %d bytes where Peek returned %d", n, len(c.in.c.front())))
	}
	c.in.lent = false
	if c.state.Load() == closed {
		return c.opError("read", c.why())
	}
	c.in.c.head += uint64(n)
	if c.in.c.due() {
		c.publishTaken()
	}
	return nil
}

// Reserve waits for room for a message of n bytes and returns it, to be written to.
// The other side can see and change what is written there. Commit must follow,
// before the next write of any sort.
func (c *MsgConn) Reserve(n int) ([]byte, error) {
	c.out.mu.Lock()
	defer c.unlockOut()
	if err := c.mayWrite(); err != nil {
		return nil, c.opError("write", err)
	}
	body, err := c.room(max(n, 0))
	if err != nil {
		return nil, c.opError("write", err)
	}
	return c.out.lend(body), nil
}

// Commit sends the first n bytes of what Reserve returned, which the caller must
// not use any more, as one message. A negative n sends nothing.
func (c *MsgConn) Commit(n int, m transport.Meta) error {
	c.out.mu.Lock()
	defer c.unlockOut()
	if err := c.out.back(max(n, 0)); err != nil {
		return c.opError("write", err)
	}
	if c.state.Load() != live {
		return c.opError("write", c.why())
	}
	if n < 0 {
		return nil
	}
	c.out.p.seal(n, m.Text)
	return c.opError("write", c.publishPut())
}

// Peek waits for a message and returns it where it is, in the ring. The other side
// can change it at any time, so whoever decides about it copies it first. Release
// must follow, before the next read of any sort.
func (c *MsgConn) Peek() ([]byte, transport.Meta, error) {
	c.in.mu.Lock()
	defer c.unlockIn()
	r, err := c.nextRecord()
	if err != nil {
		return nil, transport.Meta{}, c.opError("read", err)
	}
	c.in.lent, c.in.peeked = true, len(r.body)
	return r.body, transport.Meta{Text: r.text}, nil
}

// Release takes the message that Peek returned, which the caller must not use any
// more, out of the ring.
func (c *MsgConn) Release() error {
	c.in.mu.Lock()
	defer c.unlockIn()
	if !c.in.lent {
		return c.opError("read", errors.New("Release without Peek"))
	}
	c.in.lent = false
	if c.state.Load() == closed {
		return c.opError("read", c.why())
	}
	c.drop(c.in.peeked)
	return nil
}

// lend notes that p is with the caller.
func (o *outlet) lend(p []byte) []byte {
	o.lent, o.booked = true, len(p)
	return p
}

// back notes that what was lent has come back, of which n bytes are to be sent.
func (o *outlet) back(n int) error {
	switch {
	case !o.lent:
		return errors.New("Commit without Reserve")
	case n < 0 || n > o.booked:
		return fmt.Errorf("Commit of %d bytes where Reserve returned %d", n, o.booked)
	}
	o.lent = false
	return nil
}
