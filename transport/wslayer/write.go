package wslayer

import (
	"crypto/rand"
	"fmt"
	"net"
	"time"
	"unicode/utf8"

	"github.com/tenon-net/tenon/transport"
)

// WriteMsg sends p as one frame. A text that is not UTF-8 is refused with an error
// that matches [ErrNotText].
func (c *Conn) WriteMsg(p []byte, m transport.Meta) error {
	if int64(len(p)) > c.max {
		return fmt.Errorf("%d bytes: %w", len(p), transport.ErrMsgTooLong)
	}
	h := header{fin: true, op: opBinary}
	if m.Text {
		if h.op = opText; !utf8.Valid(p) {
			return ErrNotText
		}
	}
	if c.deflate && len(p) >= deflateMin {
		if small, ok := c.pack(p); ok {
			defer c.free(&small)
			p, h.rsv1 = small.b, true
		}
	}
	c.wmu.Lock()
	defer c.unlockWrite()
	if err := c.unwritable(); err != nil {
		return c.explain(err)
	}
	return c.explain(c.writeFrame(h, p))
}

// writeFrame writes a frame. If it fails in the middle of one, nothing more can be
// written. The caller holds wmu.
func (c *Conn) writeFrame(h header, p []byte) error {
	h.length = int64(len(p))
	if c.client {
		h.masked = true
		rand.Read(h.key[:])
	}
	pooled := takeBuffer()
	defer giveBuffer(pooled)
	b := h.appendTo(pooled)
	head, written, pos := len(b), 0, 0
	for first := true; first || len(p) > 0; first = false {
		if !first && !c.client {
			b, p = p, nil // no need to mask: write it from where it is
		} else {
			n := min(len(p), cap(b)-head)
			b = append(b[:head], p[:n]...)
			p = p[n:]
			if c.client {
				pos = mask(b[head:], h.key, pos)
			}
		}
		n, err := c.inner.Write(b)
		written += n
		if err != nil {
			if written > 0 || !isTimeout(err) {
				c.writeErr = err
			}
			return err
		}
		head = 0
		b = b[:0]
	}
	return nil
}

// unwritable returns why no message can be written, or nil. The caller holds wmu.
func (c *Conn) unwritable() error {
	c.omu.Lock()
	defer c.omu.Unlock()
	switch {
	case c.done.Load() != 0:
		return net.ErrClosed
	case c.heard.Load() != nil:
		return errEnded
	case c.told != nil:
		return errSaid
	}
	return c.writeErr
}

// writeClose writes a close frame, the last of all, and does not wait for ever for a
// side that does not read. The caller holds wmu.
func (c *Conn) writeClose(payload []byte) {
	_ = c.inner.SetWriteDeadline(time.Now().Add(c.closeLimit())) // without deadlines, Close ends it
	c.closeSent = c.writeFrame(header{fin: true, op: opClose}, payload) == nil
	c.writeErr = errSaid
}

// owed is what a reader wants to have written. It does not wait until it can be:
// with both sides stuck in a write, nobody would read any more.
type owed struct {
	pong, close             []byte
	hasPong, hasClose, ping bool
}

// owePong has a pong sent now, or after the frame that is being written. Of several
// pings, only the last need be answered (section 5.5.3).
func (c *Conn) owePong(payload []byte) {
	c.omu.Lock()
	c.owed.pong, c.owed.hasPong = payload, true
	c.omu.Unlock()
	c.payUp()
}

// owePing has a ping sent now, or after the frame that is being written.
func (c *Conn) owePing() {
	c.omu.Lock()
	c.owed.ping = true
	c.omu.Unlock()
	c.payUp()
}

// oweClose has a close frame sent now, or after the frame that is being written. Only
// the first one is.
func (c *Conn) oweClose(s transport.CloseStatus) {
	c.omu.Lock()
	if c.told == nil {
		c.owed.close, c.owed.hasClose = c.tell(s), true
	}
	c.omu.Unlock()
	c.payUp()
}

// tell notes that the Conn closes with s and returns the payload of the close frame.
// The caller holds omu.
func (c *Conn) tell(s transport.CloseStatus) []byte {
	status, reason := legal(s)
	c.told = &status
	return closePayload(status, reason)
}

// payUp sends what is owed, unless somebody is writing, who then does it.
func (c *Conn) payUp() {
	if c.wmu.TryLock() {
		c.unlockWrite()
	}
}

func (c *Conn) takeOwed() owed {
	c.omu.Lock()
	defer c.omu.Unlock()
	o := c.owed
	c.owed = owed{}
	return o
}

func (c *Conn) owes() bool {
	c.omu.Lock()
	defer c.omu.Unlock()
	return c.owed.hasPong || c.owed.hasClose || c.owed.ping
}

// unlockWrite sends what is owed and releases wmu. Somebody who could not get wmu
// meanwhile has left what they owe, so it looks again.
func (c *Conn) unlockWrite() {
	for {
		o := c.takeOwed()
		if o.hasPong && c.writeErr == nil {
			_ = c.writeFrame(header{fin: true, op: opPong}, o.pong)
		}
		if o.ping && c.writeErr == nil {
			c.pinger.pinged()
			_ = c.writeFrame(header{fin: true, op: opPing}, nil)
		}
		if o.hasClose && c.writeErr == nil {
			c.writeClose(o.close)
		}
		c.wmu.Unlock()
		if !c.owes() || !c.wmu.TryLock() {
			return
		}
	}
}
