package transport

// An Ender is a Conn whose other side can end both directions at once: a WebSocket
// by its close frame (RFC 6455 section 5.5.1), a program by exiting, a datagram
// session by running out.
//
// An end of file that Read or ReadMsg returns ends one direction, as TCP and pipes
// have it: writing goes on. Only an Ender whose channel is closed has ended both.
// A kind for which every end of file does so also says it in [Traits.EndsBoth].
type Ender interface {
	// Ended returns a channel that is closed once the other side has ended both
	// directions. What has arrived by then can still be read, up to the io.EOF
	// or the error that stands behind it; what is written from then on reaches
	// nobody. Every call returns the same channel. It may stay open for ever: a
	// connection that is lost, or closed by its own side, need not close it.
	Ended() <-chan struct{}
}

// A Leaver is a Conn of one among many who go on without it, as on a bus: its CloseWrite
// takes leave of them all, and ends what it reads, too.
type Leaver interface {
	Leaves() bool
}

// HasEnded tells whether the other side of c is known to have ended both directions.
func HasEnded(c Conn) bool {
	e, ok := About[Ender](c)
	if !ok {
		return false
	}
	select {
	case <-e.Ended():
		return true
	default:
		return false
	}
}

// A CloseStatus is what one side tells the other when it closes: a WebSocket's
// status code and reason (RFC 6455 section 7.4), a QUIC stream's error code.
type CloseStatus struct {
	Code   uint64
	Reason string // untrusted text, like all that the other side says
}

// A StatusCloser is a Conn that is closed with a [CloseStatus]. A joint of two of
// the same protocol hands the status on, so that neither side notices the joint.
type StatusCloser interface {
	// CloseStatus returns what the other side has closed with, and false as
	// long as it has not, or has said nothing.
	CloseStatus() (CloseStatus, bool)

	// SetCloseStatus says what CloseWrite, Close and Abort tell the other side
	// in place of their own. It does nothing once one of them has told. A status
	// that the protocol does not let a side send is replaced by the nearest
	// that it does.
	SetCloseStatus(CloseStatus)

	// CloseProtocol names what the codes mean, as in "websocket": a status is
	// handed on between equals only.
	CloseProtocol() string
}

// A StatusCarrier is a Conn that speaks no such protocol itself and carries the statuses of
// any, to another StatusCarrier at its other side: a connection between two nodes.
type StatusCarrier interface {
	// CarriedStatus returns what the other side has been given to carry, and false as
	// long as there is nothing. The protocol is what its CloseProtocol was.
	CarriedStatus() (protocol string, s CloseStatus, ok bool)

	// CarryStatus gives the other side a status, with the next CloseWrite, Close or
	// Abort. It does nothing once one of them has told.
	CarryStatus(protocol string, s CloseStatus)
}

// A LateCloser is a Conn whose other side may say only at the very end, when Close returns, with
// what it has closed: a program, whose exit status comes after the end of its output.
type LateCloser interface {
	// ClosesLate tells whether there is more to hear when an end of file has been read.
	ClosesLate() bool
}

// A StatusPromiser is a StatusCarrier that can end a direction now and carry a status later.
type StatusPromiser interface {
	StatusCarrier

	// PromiseStatus has the next CloseWrite say that a status follows, which is what
	// CarryStatus is told after it, or else that there is none, with Close. It returns false if
	// nothing can follow: CloseWrite has been called before, or the other side does not wait
	// for it.
	PromiseStatus() bool
}

// An exiter is an end that is a program.
type exiter interface {
	// ExitError returns what Close has returned, or nil.
	ExitError() *ExitError
}

// PromisesStatus tells whether how the other side of from has closed is known only when from is closed,
// and to has been told to wait for it.
func PromisesStatus(from, to Conn) bool {
	if l, ok := About[LateCloser](from); !ok || !l.ClosesLate() {
		return false
	}
	p, ok := About[StatusPromiser](to)
	return ok && p.PromiseStatus()
}

// PassCloseStatus hands what the other side of from has closed with on to the
// other side of to, where both speak of it in the same words, or carry it.
func PassCloseStatus(from, to Conn) {
	protocol, status, ok := closeStatus(from)
	if !ok {
		return
	}
	if c, ok := About[StatusCarrier](to); ok {
		c.CarryStatus(protocol, status)
	} else if t, ok := About[StatusCloser](to); ok && t.CloseProtocol() == protocol {
		t.SetCloseStatus(status)
	}
}

// closeStatus returns what the other side of c has closed with.
func closeStatus(c Conn) (protocol string, s CloseStatus, ok bool) {
	if c, ok := About[StatusCarrier](c); ok {
		return c.CarriedStatus()
	}
	if c, ok := About[StatusCloser](c); ok {
		s, ok = c.CloseStatus()
		return c.CloseProtocol(), s, ok
	}
	if c, ok := About[exiter](c); ok {
		if e := c.ExitError(); e != nil {
			protocol, s = e.CloseStatus()
			return protocol, s, true
		}
	}
	return "", s, false
}
