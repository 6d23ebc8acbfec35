//go:build linux

package ipc

import (
	"io"

	"github.com/tenon-net/tenon/transport"
)

// A MsgConn carries messages.
type MsgConn struct{ link }

var (
	_ transport.MsgConn    = (*MsgConn)(nil)
	_ transport.MsgLender  = (*MsgConn)(nil)
	_ transport.MsgBatcher = (*MsgConn)(nil)
	_ transport.Aborter    = (*MsgConn)(nil)
	_ transport.FilePasser = (*MsgConn)(nil)
)

// MaxMsg is a quarter of a ring less 8 bytes.
func (c *MsgConn) MaxMsg() int { return maxMsg(c.region.size) }

// ReadMsg reads one message; see [transport.MsgConn].
func (c *MsgConn) ReadMsg(p []byte) (n int, m transport.Meta, err error) {
	c.in.mu.Lock()
	r, err := c.nextRecord()
	if err == nil {
		n = copy(p, r.body)
		m.Text = r.text
		if n < len(r.body) {
			err = io.ErrShortBuffer
		}
		c.drop(len(r.body))
	}
	c.unlockIn()
	return n, m, c.opError("read", err)
}

// nextRecord waits for a record and returns it where it is. The caller holds in.mu.
func (c *MsgConn) nextRecord() (r record, err error) {
	if err := c.mayRead(); err != nil {
		return r, err
	}
	for {
		r, ok, err := c.in.c.next()
		if err != nil {
			return r, c.breakOff(err)
		}
		if ok {
			return r, nil
		}
		if err := c.awaitData(); err != nil {
			return r, err
		}
	}
}

// drop takes the record with a message of n bytes out.
func (c *MsgConn) drop(n int) {
	c.in.c.drop(n)
	if c.in.c.due() {
		c.publishTaken()
	}
}

// WriteMsg sends p as one message; see [transport.MsgConn].
func (c *MsgConn) WriteMsg(p []byte, m transport.Meta) error {
	c.out.mu.Lock()
	err := c.mayWrite()
	if err == nil {
		err = c.putMsg(p, m)
	}
	if err == nil {
		err = c.publishPut()
	}
	c.unlockOut()
	return c.opError("write", err)
}

// putMsg puts a message into the ring and does not show it yet.
func (c *MsgConn) putMsg(p []byte, m transport.Meta) error {
	body, err := c.room(len(p))
	if err != nil {
		return err
	}
	c.takeTurn()
	copyOut(body, p)
	c.out.p.seal(len(p), m.Text)
	return nil
}

// room waits for room for a message of n bytes.
func (c *MsgConn) room(n int) ([]byte, error) {
	if n > maxMsg(uint64(len(c.out.p.data))) {
		return nil, transport.ErrMsgTooLong
	}
	if need := c.out.p.needs(n); c.out.p.free() < need {
		if err := c.awaitRoom(need); err != nil {
			return nil, err
		}
	}
	return c.out.p.body(n), nil
}
