package tlslayer

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenon-net/tenon/internal/tlsconf"
	"github.com/tenon-net/tenon/transport"
)

const (
	// writeStep is how much plaintext is encrypted before it is written.
	writeStep = 64 << 10

	// recordSize is the most plaintext in a record (RFC 8446, section 5.1).
	recordSize = 16 << 10

	// goodbye is how long Close tries to say that the end is clean.
	goodbye = 500 * time.Millisecond
)

// A Conn is one TLS connection after its handshake.
type Conn struct {
	tls  *tls.Conn
	wire *wire
	info transport.Info

	rmu sync.Mutex // held by Read: guards wire.noWait
	wmu sync.Mutex // held by Write and CloseWrite: guards the calls of tls.Write

	hasRead atomic.Bool  // Read has been called
	writeBy atomic.Int64 // the write deadline in Unix nanoseconds; 0 is none
	done    atomic.Int32 // 0, or one of the following
	close   sync.Once
	err     error         // what Close returns; written in close
	open    chan struct{} // never closed
}

// What ended a Conn.
const (
	doneClosed  = 1
	doneAborted = 2
)

var (
	_ transport.Stream  = (*Conn)(nil)
	_ transport.Aborter = (*Conn)(nil)
	_ transport.Ender   = (*Conn)(nil)
)

// Read fills p with the contents of as many records as have arrived. It waits for
// one only.
func (c *Conn) Read(p []byte) (int, error) {
	c.hasRead.Store(true)
	if c.done.Load() != 0 {
		return 0, c.explain(net.ErrClosed)
	}
	c.rmu.Lock()
	defer c.rmu.Unlock()
	n, err := c.tls.Read(p)
	if err != nil {
		return n, c.explain(err)
	}
	for 0 < n && n < len(p) {
		c.wire.noWait = true
		m, err := c.tls.Read(p[n:])
		c.wire.noWait = false
		n += m
		if err != nil {
			break // nothing more, or an error that the next Read will see again
		}
	}
	return n, nil
}

// Write encrypts and writes p. After a time-out, what the count covers is sent
// before anything else is.
func (c *Conn) Write(p []byte) (int, error) { return c.WriteAfter(nil, p) }

// WriteAfter is Write of head and p, a header and its contents say, without a copy of
// both: head goes out with the beginning of p. The count is that of p; if it is 0
// though there is something in p, head was not written either.
func (c *Conn) WriteAfter(head, p []byte) (int, error) {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if err := c.ready(); err != nil {
		return 0, c.explain(err)
	}
	done := 0
	if len(head) > 0 {
		c.wire.cork()
		if _, err := c.tls.Write(head); err != nil {
			return 0, c.explain(errors.Join(err, c.wire.flush()))
		}
	}
	for {
		step := p[done:]
		if len(step) > writeStep+recordSize { // else the short rest goes with it
			step = step[:writeStep]
		}
		if len(step) > recordSize {
			c.wire.cork()
		}
		n, err := c.tls.Write(step)
		done += n
		if ferr := c.wire.flush(); err == nil {
			err = ferr
		}
		if err != nil {
			return done, c.explain(err)
		}
		if done >= len(p) {
			return done, nil
		}
	}
}

// ready flushes what an earlier time-out left, and refuses to encrypt what could
// not be written in time anyway.
func (c *Conn) ready() error {
	if by := c.writeBy.Load(); by != 0 && time.Now().UnixNano() >= by {
		return os.ErrDeadlineExceeded
	}
	return c.wire.flush()
}

// CloseWrite sends a close_notify alert. Reading goes on: the alert ends one
// direction (RFC 8446, section 6.1). With TLS 1.2 it was to end both (RFC 5246,
// section 7.2.1), and a peer that obeys that answers with its own alert and closes;
// OpenSSL, GnuTLS and crypto/tls leave it to the program.
func (c *Conn) CloseWrite() error {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if c.done.Load() != 0 {
		return c.explain(net.ErrClosed)
	}
	if err := c.wire.flush(); err != nil {
		return c.explain(err)
	}
	if err := c.tls.CloseWrite(); err != nil {
		return c.explain(err)
	}
	return c.explain(c.wire.flush())
}

// Ended is that of the stream beneath, if it has one: TLS itself ends one direction
// at a time.
func (c *Conn) Ended() <-chan struct{} {
	if e, ok := transport.As[transport.Ender](c.wire.inner); ok {
		return e.Ended()
	}
	return c.open
}

// Close sends a close_notify alert, unless a write is in progress, and closes the
// connection. If nobody has ever read, there may be session tickets that a server
// sends after the handshake (RFC 8446, section 4.6.1): TCP would answer them with a
// reset, which destroys what is still on its way to the other side.
func (c *Conn) Close() error {
	c.close.Do(func() {
		c.done.CompareAndSwap(0, doneClosed)
		if c.wmu.TryLock() {
			c.sayGoodbye()
			c.wmu.Unlock()
		}
		if c.hasRead.Load() {
			c.err = c.wire.inner.Close()
		} else {
			c.err = transport.LingeringClose(c.wire.inner)
		}
	})
	return c.err
}

// sayGoodbye sends what is left and a close_notify alert, if that does not take
// long. The other side may be gone already, and that is all right.
func (c *Conn) sayGoodbye() {
	limit := time.AfterFunc(goodbye, func() { c.wire.inner.Close() })
	defer limit.Stop()
	_ = c.wire.inner.SetWriteDeadline(time.Time{})
	if c.wire.flush() == nil {
		_ = c.tls.CloseWrite()
	}
}

// Abort ends the connection beneath without a close_notify alert, by its own
// Abort if it has one.
func (c *Conn) Abort(cause error) error {
	c.close.Do(func() {
		c.done.CompareAndSwap(0, doneAborted)
		c.err = transport.Abort(c.wire.inner, cause)
	})
	return c.err
}

// errCutRecord is an end of file within a record, which is never a clean end.
var errCutRecord = fmt.Errorf("the connection was cut in the middle of a TLS record: %w", io.ErrUnexpectedEOF)

// explain turns what crypto/tls and the stream beneath say into what the contract
// says.
func (c *Conn) explain(err error) error {
	switch {
	case err == nil || err == io.EOF:
		return err
	case c.done.Load() == doneAborted:
		return transport.ErrAborted
	case c.done.Load() == doneClosed:
		return net.ErrClosed
	case err == io.ErrUnexpectedEOF:
		return errCutRecord
	}
	return tlsconf.Explain(err)
}

// TLS returns the connection as crypto/tls has it, for programs that insist on that
// type, such as net/http for HTTP/2. Whoever takes it does so before anything is
// read or written, uses it instead of the Conn, and closes it.
func (c *Conn) TLS() *tls.Conn {
	c.wire.direct = true
	return c.tls
}

// Info tells about the connection, with the state of TLS after the handshake.
func (c *Conn) Info() *transport.Info { return &c.info }

// LocalAddr is that of the stream beneath.
func (c *Conn) LocalAddr() net.Addr { return c.wire.inner.LocalAddr() }

// RemoteAddr is that of the stream beneath.
func (c *Conn) RemoteAddr() net.Addr { return c.wire.inner.RemoteAddr() }

// SetDeadline is SetReadDeadline and SetWriteDeadline.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline bounds reading.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.wire.inner.SetReadDeadline(t) }

// SetWriteDeadline bounds writing.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	by := int64(0)
	if !t.IsZero() {
		by = max(t.UnixNano(), 1)
	}
	c.writeBy.Store(by)
	return c.wire.inner.SetWriteDeadline(t)
}
