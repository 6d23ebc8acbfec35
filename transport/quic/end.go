package quic

import (
	"context"
	"errors"
	"strings"

	quicgo "github.com/quic-go/quic-go"

	"github.com/tenon-net/tenon/transport"
)

// maxReason is the longest reason that is sent with a code, in bytes: it must fit
// into a packet beside the rest.
const maxReason = 512

// maxCode is the largest error code (RFC 9000, sections 16 and 20.2).
const maxCode = 1<<62 - 1

var (
	_ transport.Ender        = (*Conn)(nil)
	_ transport.StatusCloser = (*Conn)(nil)
)

// watch has Ended told of what arrives without anybody reading or writing. Both
// contexts are done when the connection is closed, at the latest.
func (c *Conn) watch() {
	context.AfterFunc(c.st.Context(), c.checkEnd)
	context.AfterFunc(c.qc.Context(), c.checkEnd)
}

// Ended is closed when the other side has closed the connection, or has finished
// its direction of the stream (FIN) and asked us to stop ours (STOP_SENDING). FIN
// alone ends one direction (RFC 9000, section 3.5).
func (c *Conn) Ended() <-chan struct{} { return c.ended }

func (c *Conn) checkEnd() {
	var app *quicgo.ApplicationError
	var stop *quicgo.StreamError
	closed := errors.As(context.Cause(c.qc.Context()), &app) && app.Remote && !(c.tenon && app.ErrorCode == codeAborted)
	stopped := c.readEOF.Load() && errors.As(context.Cause(c.st.Context()), &stop) && stop.Remote
	if closed || stopped {
		c.end.Do(func() { close(c.ended) })
	}
}

// CloseProtocol is QUIC with the protocol spoken over it, which gives the codes
// their meaning.
func (c *Conn) CloseProtocol() string { return "quic " + c.info.TLS.NegotiatedProtocol }

// CloseStatus returns the code with which the other side closed the connection,
// reset the stream or stopped reading. Between two Tenons the codes say what a joint
// says by Close and Abort, and there is nothing to hand on.
func (c *Conn) CloseStatus() (transport.CloseStatus, bool) {
	c.learn(context.Cause(c.qc.Context()))
	if s := c.theirs.Load(); s != nil && !c.tenon {
		return *s, true
	}
	return transport.CloseStatus{}, false
}

// learn keeps the status that err, if it comes from the other side, closes with.
func (c *Conn) learn(err error) {
	var app *quicgo.ApplicationError
	var stream *quicgo.StreamError
	switch {
	case errors.As(err, &app) && app.Remote:
		c.theirs.CompareAndSwap(nil, &transport.CloseStatus{Code: uint64(app.ErrorCode), Reason: app.ErrorMessage})
	case errors.As(err, &stream) && stream.Remote:
		c.theirs.CompareAndSwap(nil, &transport.CloseStatus{Code: uint64(stream.ErrorCode)})
	}
}

// SetCloseStatus sets the code and reason of Close and Abort. Between two Tenons it
// does nothing.
func (c *Conn) SetCloseStatus(s transport.CloseStatus) {
	s.Code = min(s.Code, maxCode)
	s.Reason = strings.ToValidUTF8(s.Reason[:min(len(s.Reason), maxReason)], "")
	c.ours.Store(&s)
}

// status returns what to close with, where code and reason are our own.
func (c *Conn) status(code uint64, reason string) (uint64, string) {
	if s := c.ours.Load(); s != nil && !c.tenon {
		return s.Code, s.Reason
	}
	return code, reason
}
