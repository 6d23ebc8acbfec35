package quic

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	quicgo "github.com/quic-go/quic-go"

	"github.com/tenon-net/tenon/transport"
)

// strangerDrain is how long Close waits for a program that does not say when it
// has read everything: the most of DefaultDrain that is of use.
const strangerDrain = time.Second

// A Conn is a stream and the connection that it has to itself.
type Conn struct {
	qc      *quicgo.Conn
	st      *quicgo.Stream
	info    transport.Info
	tenon   bool          // the other side speaks Protocol
	drain   time.Duration // how long Close waits
	release func()        // gives the socket back

	wmu     sync.Mutex // held by Write and CloseWrite, which must not overlap
	wrote   atomic.Bool
	readEOF atomic.Bool

	ended  chan struct{} // closed by end
	end    sync.Once
	theirs atomic.Pointer[transport.CloseStatus] // what the other side closed with
	ours   atomic.Pointer[transport.CloseStatus] // what to close with, instead of our own

	notice sync.Once
	done   atomic.Int32 // 0, or what ended the Conn
	close  sync.Once
	err    error // what Close returns; written in close
}

// What ended a Conn.
const (
	doneClosed  = 1
	doneAborted = 2
)

var (
	_ transport.Stream  = (*Conn)(nil)
	_ transport.Aborter = (*Conn)(nil)
)

// errNotRead is what Close returns when it is not known that all has arrived.
var errNotRead = errors.New("the other side has not confirmed that it has read everything")

func newConn(qc *quicgo.Conn, st *quicgo.Stream, kind string, drain time.Duration) *Conn {
	state := qc.ConnectionState().TLS
	c := &Conn{qc: qc, st: st, drain: drain, tenon: state.NegotiatedProtocol == Protocol, ended: make(chan struct{})}
	c.info = transport.Info{Kind: kind, TLS: &state}
	if drain == 0 {
		c.drain = DefaultDrain
	}
	if !c.tenon {
		c.drain = min(c.drain, strangerDrain)
	}
	c.watch()
	return c
}

func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.st.Read(p)
	if err == io.EOF {
		c.readEOF.Store(true)
		c.needNothing()
		c.checkEnd()
		if n > 0 {
			err = nil // the next Read tells
		}
		return n, err
	}
	return n, c.explain(err)
}

func (c *Conn) Write(p []byte) (int, error) {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if len(p) > 0 {
		c.wrote.Store(true)
	}
	n, err := c.st.Write(p)
	return n, c.explain(err)
}

// CloseWrite ends the stream in this direction (RFC 9000, section 3.1).
func (c *Conn) CloseWrite() error {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if c.done.Load() != 0 {
		return c.explain(net.ErrClosed)
	}
	return c.explain(c.st.Close())
}

// needNothing tells the other side that it may close the connection.
func (c *Conn) needNothing() {
	if !c.tenon {
		return
	}
	c.notice.Do(func() {
		if u, err := c.qc.OpenUniStream(); err == nil {
			_ = u.Close()
		}
	})
}

// Close ends the stream, waits until the other side has read everything, for as
// long as Drain says, and closes the connection. Only a write that Close cuts off
// ends the stream with an error instead.
func (c *Conn) Close() error {
	c.close.Do(func() {
		c.done.CompareAndSwap(0, doneClosed)
		if !c.readEOF.Load() {
			c.st.CancelRead(codeClosed)
		}
		if c.wmu.TryLock() {
			_ = c.st.Close()
			c.wmu.Unlock()
		} else {
			c.st.CancelWrite(codeAborted)
		}
		c.needNothing()
		code, reason := c.status(codeClosed, "")
		if !c.drained() {
			code, reason = c.status(codeGaveUp, "")
			if c.tenon && c.wrote.Load() {
				c.err = errNotRead
			}
		}
		_ = c.qc.CloseWithError(quicgo.ApplicationErrorCode(code), reason)
		c.release()
	})
	return c.err
}

// drained waits until the other side needs nothing more, and tells whether it said
// so.
func (c *Conn) drained() bool {
	if c.drain < 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(c.qc.Context(), c.drain)
	defer cancel()
	if !c.tenon {
		<-ctx.Done()
		return true
	}
	_, err := c.qc.AcceptUniStream(ctx)
	return err == nil || confirms(err) || confirms(context.Cause(c.qc.Context()))
}

// confirms tells whether err, which ended the wait for the other side's notice or
// its connection, says as much as the notice does: who closes has given it before,
// and quic-go drops streams that nobody has accepted when a connection closes.
// Streams fail before the context of their connection has its cause, so either of
// the two may be the first to know.
func confirms(err error) bool {
	var app *quicgo.ApplicationError
	return errors.As(err, &app) && app.Remote && (app.ErrorCode == codeClosed || app.ErrorCode == codeGaveUp)
}

// Abort resets the stream in both directions and closes the connection with an
// error.
func (c *Conn) Abort(error) error {
	c.close.Do(func() {
		c.done.CompareAndSwap(0, doneAborted)
		code, reason := c.status(codeAborted, "aborted")
		c.st.CancelRead(quicgo.StreamErrorCode(code))
		c.st.CancelWrite(quicgo.StreamErrorCode(code))
		_ = c.qc.CloseWithError(quicgo.ApplicationErrorCode(code), reason)
		c.release()
	})
	return c.err
}

// explain turns what quic-go says into what the contract says.
func (c *Conn) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case c.done.Load() == doneAborted:
		return transport.ErrAborted
	case c.done.Load() == doneClosed:
		return net.ErrClosed
	}
	c.learn(err)
	return explain(err)
}

// Info tells about the connection, with the state of TLS after the handshake.
func (c *Conn) Info() *transport.Info { return &c.info }

// LocalAddr is the address of the UDP socket.
func (c *Conn) LocalAddr() net.Addr { return c.qc.LocalAddr() }

// RemoteAddr is the address that the other side's packets came from at first.
func (c *Conn) RemoteAddr() net.Addr { return c.qc.RemoteAddr() }

// SetDeadline is SetReadDeadline and SetWriteDeadline.
func (c *Conn) SetDeadline(t time.Time) error { return c.set(c.st.SetDeadline, t) }

// SetReadDeadline bounds reading.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.set(c.st.SetReadDeadline, t) }

// SetWriteDeadline bounds writing.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.set(c.st.SetWriteDeadline, t) }

// set sets a deadline of the stream, which takes them after its end as well.
func (c *Conn) set(deadline func(time.Time) error, t time.Time) error {
	if c.done.Load() != 0 {
		return c.explain(net.ErrClosed)
	}
	return deadline(t)
}
