//go:build linux

package ipc

import (
	"sync"

	"github.com/tenon-net/tenon/transport"
)

const (
	lentSize = 64 << 10 // of the buffers for what is lent
	showMsgs = 32       // messages that a batch puts in until it shows them
)

var lentBuffers = sync.Pool{New: func() any { return new([lentSize]byte) }}

// LendMsg reads a message into memory of this process: the other side cannot change
// it any more, and it stays when the Conn is closed. See [transport.MsgLender].
func (c *MsgConn) LendMsg() (p []byte, m transport.Meta, err error) {
	var one [1]transport.Msg
	_, err = c.readMsgs(one[:])
	return one[0].Buf, one[0].Meta, c.opError("read", err)
}

// ReadMsgs implements [transport.MsgBatcher], with copies as LendMsg makes them.
func (c *MsgConn) ReadMsgs(ms []transport.Msg) (n int, err error) {
	n, err = c.readMsgs(ms)
	return n, c.opError("read", err)
}

func (c *MsgConn) readMsgs(ms []transport.Msg) (n int, err error) {
	c.in.mu.Lock()
	defer c.unlockIn()
	if c.in.c.filled() == 0 {
		c.in.giveBack() // nobody holds a buffer while it waits
	}
	r, err := c.nextRecord()
	if err != nil {
		return 0, err
	}
	left := c.in.borrow(len(r.body))
	for {
		k := copy(left, r.body)
		ms[n] = transport.Msg{Buf: left[:k:k], Meta: transport.Meta{Text: r.text}}
		left = left[k:]
		n++
		c.in.c.drop(k)
		if n == len(ms) {
			break
		}
		var ok bool
		if r, ok, err = c.in.c.next(); err != nil || !ok || len(r.body) > len(left) {
			break // the next call meets the error again
		}
	}
	if c.in.c.due() {
		c.publishTaken()
	}
	return n, nil
}

// borrow returns a buffer of at least n bytes.
func (in *inlet) borrow(n int) []byte {
	if n > lentSize {
		in.giveBack()
		return make([]byte, n)
	}
	if in.buf == nil {
		in.buf = lentBuffers.Get().(*[lentSize]byte)
	}
	return in.buf[:]
}

// giveBack ends what was lent.
func (in *inlet) giveBack() {
	if in.buf != nil {
		lentBuffers.Put(in.buf)
		in.buf = nil
	}
}

// WriteMsgs implements [transport.MsgBatcher].
func (c *MsgConn) WriteMsgs(ms []transport.Msg) (n int, err error) {
	c.out.mu.Lock()
	defer c.unlockOut()
	if err = c.mayWrite(); err != nil {
		return 0, c.opError("write", err)
	}
	for n < len(ms) && err == nil {
		if need := c.out.p.needs(len(ms[n].Buf)); c.out.p.free() < need && n%showMsgs != 0 {
			if err = c.publishPut(); err != nil { // before it waits
				break
			}
		}
		if err = c.putMsg(ms[n].Buf, ms[n].Meta); err != nil {
			break
		}
		if n++; n%showMsgs == 0 {
			err = c.publishPut()
		}
	}
	if n%showMsgs != 0 {
		if serr := c.publishPut(); err == nil {
			err = serr
		}
	}
	return n, c.opError("write", err)
}
