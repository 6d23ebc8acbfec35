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
	c.cmu.Lock()
	defer c.cmu.Unlock()
	switch {
	case c.done.Load() != 0:
		return net.ErrClosed
	case c.peerClose.Load() != nil:
		return errPeerClosed
	case c.closeCode != nil:
		return errCloseSent
	}
	return c.writeErr
}

// writeClose writes a close frame, the last frame of all. The write is bounded, for the
// peer may not read. The caller holds wmu.
func (c *Conn) writeClose(payload []byte) {
	_ = c.inner.SetWriteDeadline(time.Now().Add(c.closeLimit())) // without deadlines, Close ends it
	c.closeSent = c.writeFrame(header{fin: true, op: opClose}, payload) == nil
	c.writeErr = errCloseSent
}

// pending is the control frames that are to be written. A reader does not wait until
// they can be: with both sides stuck in a write, nobody would read any more.
type pending struct {
	pong, close             []byte // payloads
	hasPong, hasClose, ping bool
}

// queuePong has a pong sent now, or after the frame that is being written. Of several
// pings, only the last need be answered (section 5.5.3).
func (c *Conn) queuePong(payload []byte) {
	c.cmu.Lock()
	c.pending.pong, c.pending.hasPong = payload, true
	c.cmu.Unlock()
	c.flush()
}

// queuePing has a ping sent now, or after the frame that is being written.
func (c *Conn) queuePing() {
	c.cmu.Lock()
	c.pending.ping = true
	c.cmu.Unlock()
	c.flush()
}

// queueClose has a close frame sent now, or after the frame that is being written. Only
// the first one is.
func (c *Conn) queueClose(s transport.CloseStatus) {
	c.cmu.Lock()
	if c.closeCode == nil {
		c.pending.close, c.pending.hasClose = c.makeClose(s), true
	}
	c.cmu.Unlock()
	c.flush()
}

// makeClose records that the Conn closes with s and returns the payload of the close
// frame. The caller holds cmu.
func (c *Conn) makeClose(s transport.CloseStatus) []byte {
	status, reason := legal(s)
	c.closeCode = &status
	return closePayload(status, reason)
}

// flush writes what is pending, unless somebody else is writing, who then does it.
func (c *Conn) flush() {
	if c.wmu.TryLock() {
		c.unlockWrite()
	}
}

func (c *Conn) takePending() pending {
	c.cmu.Lock()
	defer c.cmu.Unlock()
	p := c.pending
	c.pending = pending{}
	return p
}

func (c *Conn) hasPending() bool {
	c.cmu.Lock()
	defer c.cmu.Unlock()
	return c.pending.hasPong || c.pending.hasClose || c.pending.ping
}

// unlockWrite writes what is pending and releases wmu. Somebody who failed to lock it
// meanwhile has left a frame behind, so it looks again.
func (c *Conn) unlockWrite() {
	for {
		p := c.takePending()
		if p.hasPong && c.writeErr == nil {
			_ = c.writeFrame(header{fin: true, op: opPong}, p.pong)
		}
		if p.ping && c.writeErr == nil {
			c.pinger.pinged()
			_ = c.writeFrame(header{fin: true, op: opPing}, nil)
		}
		if p.hasClose && c.writeErr == nil {
			c.writeClose(p.close)
		}
		c.wmu.Unlock()
		if !c.hasPending() || !c.wmu.TryLock() {
			return
		}
	}
}
