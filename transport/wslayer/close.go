package wslayer

import (
	"errors"
	"io"
	"net"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// A WebSocket is closed in both directions at once, by a close frame from each side
// (RFC 6455, sections 5.5.1 and 7.1), and then the server closes TCP:
//
//	open --CloseWrite, Close, Abort with a status--> told  --their close frame--> closed
//	  |                                                                             ^
//	  '----their close frame (io.EOF or *CloseError)--> heard --our answer, at once-'
//
// After told, reading goes on: the other side may finish what it is sending. Close
// waits in told, and a client in closed for the end of TCP, for CloseTimeout in all.

// lastWrite is how long the close frame of a Conn that waits for nothing may take.
const lastWrite = 100 * time.Millisecond

// Ended returns a channel that is closed when the other side's close frame has been
// read: it ends both directions (section 5.5.1).
func (c *Conn) Ended() <-chan struct{} { return c.ended }

// CloseProtocol returns "websocket".
func (c *Conn) CloseProtocol() string { return "websocket" }

// CloseStatus returns the status and the reason in the other side's close frame. The
// code of one without a status is [StatusNone].
func (c *Conn) CloseStatus() (transport.CloseStatus, bool) {
	if s := c.heard.Load(); s != nil {
		return *s, true
	}
	return transport.CloseStatus{}, false
}

// SetCloseStatus chooses what our close frame says, where nobody has chosen
// [StatusNormal]. It makes CloseWrite possible, and has Abort send a close frame. A
// code that must not be sent (section 7.4) becomes [StatusInternal], but 1005 becomes
// a close frame without status; the reason is cut to 123 bytes.
func (c *Conn) SetCloseStatus(s transport.CloseStatus) {
	c.omu.Lock()
	defer c.omu.Unlock()
	c.chosen = &s
}

// status is what our close frame is to say. The caller holds omu.
func (c *Conn) status() transport.CloseStatus {
	if c.chosen != nil {
		return *c.chosen
	}
	return transport.CloseStatus{Code: uint64(StatusNormal)}
}

// CloseWrite sends a close frame, if SetCloseStatus has chosen its status: that asks
// the other side to end, too, and what it sends until then can still be read. Without
// a status it is not possible: a WebSocket has no half-close.
func (c *Conn) CloseWrite() error {
	c.omu.Lock()
	told, chosen, s := c.told != nil, c.chosen != nil, c.status()
	c.omu.Unlock()
	switch {
	case c.done.Load() != 0:
		return net.ErrClosed
	case told:
		return nil
	case !chosen:
		return &net.OpError{Op: "close", Net: "ws", Err: errors.ErrUnsupported}
	}
	c.oweClose(s)
	return nil
}

// Close sends a close frame and waits a while for the other side's, if it has not
// come yet. What arrives until then is lost. A write in progress is cut off, and then
// there is no close frame.
func (c *Conn) Close() error {
	c.close.Do(func() {
		c.done.CompareAndSwap(0, doneClosed)
		c.pinger.stop()
		c.account.close()
		c.finish()
		c.err = c.inner.Close()
	})
	return c.err
}

// Abort ends the connection beneath without a close frame, by its own Abort if it
// has one: the other side sees a failure (status 1006). If SetCloseStatus has chosen
// a status or a close frame has passed, that says why, and Abort does what Close
// does.
func (c *Conn) Abort(cause error) error { return c.abort(cause, doneAborted) }

func (c *Conn) abort(cause error, why int32) error {
	c.close.Do(func() {
		c.done.CompareAndSwap(0, why)
		c.pinger.stop()
		c.account.close()
		if why == doneAborted && c.speaks() && c.finish() {
			c.err = c.inner.Close()
		} else {
			c.err = transport.Abort(c.inner, cause)
		}
	})
	return c.err
}

// speaks tells whether there is more to say at the end than that something failed.
func (c *Conn) speaks() bool {
	c.omu.Lock()
	defer c.omu.Unlock()
	return c.chosen != nil || c.told != nil
}

// finish does what is left of the closing handshake, up to the point where the
// connection beneath is to be closed, and tells whether our close frame was sent.
func (c *Conn) finish() (sent bool) {
	timer := time.AfterFunc(c.closeLimit(), func() { c.inner.Close() })
	defer timer.Stop()
	canRead := true
	if err := c.inner.SetDeadline(time.Unix(1, 0)); err == nil { // ends the calls in progress
		c.rmu.Lock()
	} else {
		canRead = c.rmu.TryLock()
	}
	if canRead {
		c.over = true
		c.rmu.Unlock()
	}
	c.wmu.Lock()
	_ = c.inner.SetDeadline(time.Time{}) // the limit is enough
	if p, owed := c.lastWords(); owed && c.writeErr == nil {
		c.writeClose(p)
	}
	sent = c.closeSent
	c.wmu.Unlock()
	if canRead && sent && c.closeTimeout >= 0 {
		c.awaitEnd()
	}
	return sent
}

// closeLimit is how long all of the closing may take.
func (c *Conn) closeLimit() time.Duration {
	if c.closeTimeout < 0 {
		return lastWrite
	}
	return c.closeTimeout
}

// lastWords returns the payload of the close frame that has not been written yet.
func (c *Conn) lastWords() (payload []byte, owed bool) {
	o := c.takeOwed()
	c.omu.Lock()
	defer c.omu.Unlock()
	if c.told == nil {
		return c.tell(c.status()), true
	}
	return o.close, o.hasClose
}

// awaitEnd reads on after our close frame, until the other side's, and then until
// the connection beneath may be closed. The reading is the caller's alone.
func (c *Conn) awaitEnd() {
	err := c.readErr
	for err == nil && !c.in.skip(c.br) {
		if c.in.whole() {
			c.in = incoming{}
		}
		err = c.nextFrame()
	}
	var f *failure
	switch {
	case errors.As(err, &f):
		// What the other side goes on sending would have TCP reset the connection,
		// and our close frame with it.
		if c.inner.CloseWrite() != nil {
			return
		}
	case c.heard.Load() == nil || !c.client:
		return
	}
	_, _ = c.br.WriteTo(io.Discard) // up to the end of TCP, or to the limit
}

// closed takes note of the other side's close frame and answers it. It returns how
// reading ends: [io.EOF], a [CloseError] or a failure.
func (c *Conn) closed(payload []byte) error {
	status, reason, err := parseClose(payload)
	if err == nil {
		c.omu.Lock()
		c.heard.Store(&transport.CloseStatus{Code: uint64(status), Reason: reason})
		answer := c.told != nil && *c.told == status
		c.omu.Unlock()
		c.oweClose(transport.CloseStatus{Code: uint64(status)}) // section 5.5.1: with the same status
		if err = io.EOF; !status.clean() && !answer {
			err = &CloseError{status, reason}
		}
	}
	close(c.ended)
	return err
}
