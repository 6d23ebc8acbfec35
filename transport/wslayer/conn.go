package wslayer

import (
	"bufio"
	"cmp"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// bufferSize is how much is read ahead, which every open connection pays for.
// Larger payloads go past the buffer.
const bufferSize = 4096

// A Conn is one WebSocket after its handshake.
type Conn struct {
	inner        transport.Stream
	info         transport.Info
	client       bool // we mask, the other side does not (RFC 6455, section 5.1)
	max          int64
	deflate      bool
	window       int // of what we compress, in bytes
	protocol     string
	closeTimeout time.Duration
	pinger       *pinger // nil without pings
	share        share   // of the Layer's budget
	deadline     readDeadline

	rmu     sync.Mutex // held by readers: guards what follows
	br      *bufio.Reader
	in      incoming
	lent    msgBuffer // what LendMsg returned last
	readErr error     // why there will be no more messages; io.EOF after a clean close
	closing bool      // Close or Abort reads from now on, and nobody else

	wmu       sync.Mutex // held while a frame is written: guards what follows
	writeErr  error      // why nothing more can be written
	closeSent bool       // our close frame has been written

	cmu       sync.Mutex // guards what follows; held for a moment only
	pending   pending
	closeCode *Status                // of our close frame, pending or written; nil before
	chosen    *transport.CloseStatus // by SetCloseStatus, or nil

	ended     chan struct{}                         // closed when the peer's close frame has been read
	peerClose atomic.Pointer[transport.CloseStatus] // what it said

	done  atomic.Int32 // 0, or what ended the Conn
	close sync.Once
	err   error // what Close returns; written in close
}

// What ended a Conn.
const (
	doneClosed  = 1
	doneAborted = 2
	doneSilent  = 3 // no answer to a ping
)

var (
	_ transport.MsgConn      = (*Conn)(nil)
	_ transport.MsgLender    = (*Conn)(nil)
	_ transport.Aborter      = (*Conn)(nil)
	_ transport.Ender        = (*Conn)(nil)
	_ transport.StatusCloser = (*Conn)(nil)
)

// newConn makes a Conn that reads br, which reads src, which reads inner.
func newConn(l *Layer, inner transport.Stream, src *source, br *bufio.Reader, side transport.Side, a agreement) *Conn {
	c := &Conn{
		inner:        inner,
		info:         *inner.Info(),
		client:       side == transport.Dialed,
		max:          l.maxMessage(),
		deflate:      a.deflate != "",
		window:       1 << cmp.Or(a.window, maxWindowBits),
		protocol:     a.protocol,
		closeTimeout: l.CloseTimeout,
		br:           br,
		ended:        make(chan struct{}),
		share:        share{budget: &l.budget, limit: l.budgetLimit()},
		deadline:     readDeadline{moved: make(chan struct{}, 1)},
	}
	c.info.Kind = "ws+" + c.info.Kind
	if a.user != "" {
		c.info.Peer = a.user
	}
	if c.closeTimeout == 0 {
		c.closeTimeout = DefaultCloseTimeout
	}
	if l.Ping > 0 {
		c.pinger = &pinger{c: c, every: l.Ping, timeout: l.PingTimeout}
		if l.PingTimeout == 0 {
			c.pinger.timeout = DefaultPingTimeout
		}
		src.pinger = c.pinger
		c.pinger.start()
	}
	return c
}

func (l *Layer) maxMessage() int64 {
	return cmp.Or(l.MaxMessage, DefaultMaxMessage)
}

func (l *Layer) budgetLimit() int64 {
	return cmp.Or(l.Memory, max(DefaultMemory, minMemory*l.maxMessage()))
}

// Subprotocol returns the subprotocol that was agreed on; "" is none.
func (c *Conn) Subprotocol() string { return c.protocol }

// explain turns what the stream beneath says into what the contract says.
func (c *Conn) explain(err error) error {
	switch c.done.Load() {
	case doneClosed:
		return net.ErrClosed
	case doneAborted:
		return transport.ErrAborted
	case doneSilent:
		return transport.Mark(errors.New("the other side does not answer pings"), transport.ErrTimeout)
	}
	return err
}

// Info tells about the stream beneath, with Kind for the whole. Peer is the user
// that a listener asked the password of.
func (c *Conn) Info() *transport.Info { return &c.info }

// MaxMsg is the limit that the Layer set.
func (c *Conn) MaxMsg() int { return int(c.max) }

// LocalAddr is that of the stream beneath.
func (c *Conn) LocalAddr() net.Addr { return c.inner.LocalAddr() }

// RemoteAddr is that of the stream beneath.
func (c *Conn) RemoteAddr() net.Addr { return c.inner.RemoteAddr() }

// SetDeadline is SetReadDeadline and SetWriteDeadline.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline bounds reading. A message of which a part has arrived is
// returned whole by a later call.
func (c *Conn) SetReadDeadline(t time.Time) error {
	if c.done.Load() != 0 {
		return net.ErrClosed
	}
	c.deadline.set(t)
	return c.inner.SetReadDeadline(t)
}

// SetWriteDeadline bounds writing. If it passes in the middle of a message,
// nothing more can be written.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	if c.done.Load() != 0 {
		return net.ErrClosed
	}
	return c.inner.SetWriteDeadline(t)
}

func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// cut turns the end of the stream beneath, in the middle of a WebSocket, into the
// error that it is.
func cut(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errCut
	}
	return err
}
