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
//	open --CloseWrite, Close, Abort with a status--> close sent --peer's close frame--> closed
//	  |                                                                               ^
//	  '---peer's close frame: io.EOF or *CloseError--> close received --our reply-----'
//
// Reading goes on after our close frame: the peer may finish what it is sending. Close
// waits for the peer's close frame, and a client then for the server to close TCP, for
// CloseTimeout in all.

// minCloseTimeout bounds the write of the close frame where CloseTimeout is negative.
const minCloseTimeout = 100 * time.Millisecond

// Ended returns a channel that is closed when the peer's close frame has been read. It
// ends both directions (section 5.5.1).
func (c *Conn) Ended() <-chan struct{} { return c.ended }

// CloseProtocol returns "websocket".
func (c *Conn) CloseProtocol() string { return "websocket" }

// CloseStatus returns the status and the reason in the peer's close frame. The code of
// one without a status is [StatusNone].
func (c *Conn) CloseStatus() (transport.CloseStatus, bool) {
	if s := c.peerClose.Load(); s != nil {
		return *s, true
	}
	return transport.CloseStatus{}, false
}

// SetCloseStatus sets the status and the reason of our close frame; the default is
// [StatusNormal]. It makes CloseWrite possible, and Abort send a close frame. A code
// that must not be sent (section 7.4) becomes [StatusInternal], except 1005, which means
// a close frame without status. The reason is cut to 123 bytes.
func (c *Conn) SetCloseStatus(s transport.CloseStatus) {
	c.cmu.Lock()
	defer c.cmu.Unlock()
	c.chosen = &s
}

// status returns the status for our close frame. The caller holds cmu.
func (c *Conn) status() transport.CloseStatus {
	if c.chosen != nil {
		return *c.chosen
	}
	return transport.CloseStatus{Code: uint64(StatusNormal)}
}

// CloseWrite sends a close frame, if SetCloseStatus has set its status. The peer
// answers with its own, and what it sends before that can still be read. Without a
// status it is unsupported: a WebSocket has no half-close.
func (c *Conn) CloseWrite() error {
	c.cmu.Lock()
	sent, chosen, s := c.closeCode != nil, c.chosen != nil, c.status()
	c.cmu.Unlock()
	switch {
	case c.done.Load() != 0:
		return net.ErrClosed
	case sent:
		return nil
	case !chosen:
		return &net.OpError{Op: "close", Net: "ws", Err: errors.ErrUnsupported}
	}
	c.queueClose(s)
	return nil
}

// Close sends a close frame and waits for the peer's, if that has not come yet, for at
// most CloseTimeout. What arrives meanwhile is dropped. A write in progress is cut off,
// and then no close frame can be sent.
func (c *Conn) Close() error {
	c.close.Do(func() {
		c.done.CompareAndSwap(0, doneClosed)
		c.pinger.stop()
		c.share.close()
		c.closeHandshake()
		c.err = c.inner.Close()
	})
	return c.err
}

// Abort ends the connection beneath without a close frame, by its own Abort if it has
// one: the peer sees a failure (status 1006). If SetCloseStatus has set a status, or a
// close frame has been sent or received, that tells the peer more than a reset would,
// and Abort does what Close does.
func (c *Conn) Abort(cause error) error { return c.abort(cause, doneAborted) }

func (c *Conn) abort(cause error, why int32) error {
	c.close.Do(func() {
		c.done.CompareAndSwap(0, why)
		c.pinger.stop()
		c.share.close()
		if why == doneAborted && c.hasStatus() && c.closeHandshake() {
			c.err = c.inner.Close()
		} else {
			c.err = transport.Abort(c.inner, cause)
		}
	})
	return c.err
}

// hasStatus tells whether a close frame has been sent, or is to be.
func (c *Conn) hasStatus() bool {
	c.cmu.Lock()
	defer c.cmu.Unlock()
	return c.chosen != nil || c.closeCode != nil
}

// closeHandshake does what is left of the closing handshake, up to the point where the
// connection beneath is to be closed, and tells whether our close frame was sent.
func (c *Conn) closeHandshake() (sent bool) {
	timer := time.AfterFunc(c.closeLimit(), func() { c.inner.Close() })
	defer timer.Stop()
	canRead := true
	if err := c.inner.SetDeadline(time.Unix(1, 0)); err == nil { // ends the calls in progress
		c.rmu.Lock()
	} else {
		canRead = c.rmu.TryLock()
	}
	if canRead {
		c.closing = true
		c.rmu.Unlock()
	}
	c.wmu.Lock()
	_ = c.inner.SetDeadline(time.Time{}) // the timer is enough
	if p, ok := c.pendingClose(); ok && c.writeErr == nil {
		c.writeClose(p)
	}
	sent = c.closeSent
	c.wmu.Unlock()
	if canRead && sent && c.closeTimeout >= 0 {
		c.awaitPeer()
	}
	return sent
}

// closeLimit returns how long all of the closing may take.
func (c *Conn) closeLimit() time.Duration {
	if c.closeTimeout < 0 {
		return minCloseTimeout
	}
	return c.closeTimeout
}

// pendingClose returns the payload of our close frame, if that has not been written yet.
func (c *Conn) pendingClose() (payload []byte, ok bool) {
	p := c.takePending()
	c.cmu.Lock()
	defer c.cmu.Unlock()
	if c.closeCode == nil {
		return c.makeClose(c.status()), true
	}
	return p.close, p.hasClose
}

// awaitPeer reads on after our close frame until the peer's, and then until the
// connection beneath may be closed. Nobody else reads.
func (c *Conn) awaitPeer() {
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
		// If TCP were closed now, what the peer goes on sending would be answered by
		// a reset, which may destroy our close frame.
		if c.inner.CloseWrite() != nil {
			return
		}
	case c.peerClose.Load() == nil || !c.client:
		return
	}
	_, _ = c.br.WriteTo(io.Discard) // to the end of TCP, or of closeLimit
}

// receiveClose records the peer's close frame and replies to it. It returns how reading
// ends: [io.EOF], a [CloseError] or a failure.
func (c *Conn) receiveClose(payload []byte) error {
	status, reason, err := parseClose(payload)
	if err == nil {
		c.cmu.Lock()
		c.peerClose.Store(&transport.CloseStatus{Code: uint64(status), Reason: reason})
		reply := c.closeCode != nil && *c.closeCode == status
		c.cmu.Unlock()
		c.queueClose(transport.CloseStatus{Code: uint64(status)}) // section 5.5.1: with the same status
		if err = io.EOF; !status.clean() && !reply {
			err = &CloseError{status, reason}
		}
	}
	close(c.ended)
	return err
}
