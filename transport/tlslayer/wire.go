package tlslayer

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/tlsconf"
	"github.com/tenon-net/tenon/transport"
)

// A wire stands between crypto/tls and the stream beneath it. It makes one write
// of many records, it lets a reader take what has arrived without waiting for
// more, and it keeps what a write with a deadline could not get rid of, so that
// the stream of records stays whole and may go on.
type wire struct {
	inner   transport.Stream
	noWait  bool // Read has nothing; set and read under Conn.rmu
	direct  bool // nobody uses the Conn: write as crypto/tls says; set before anybody writes
	takeEOF bool // an end of file between two records is a clean end; set before there is a Conn

	mu     sync.Mutex // guards what follows; held while writing, for records must not mix
	corked bool       // collect records in out
	out    []byte     // records that inner has not taken yet
	err    error      // a time-out of inner that nobody has been told about
}

// errNoWait is temporary in the eyes of crypto/tls, which may be asked again.
var errNoWait net.Error = noWaitError{}

type noWaitError struct{}

func (noWaitError) Error() string   { return "nothing has arrived" }
func (noWaitError) Timeout() bool   { return false }
func (noWaitError) Temporary() bool { return true }

// corkSize is how much is collected at most before it is written.
const corkSize = 128 << 10

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, corkSize); return &b }}

func (w *wire) Read(p []byte) (int, error) {
	if w.noWait {
		return 0, errNoWait
	}
	n, err := w.inner.Read(p)
	switch {
	case err == nil:
	case err == io.EOF:
		err = w.eof()
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = os.ErrDeadlineExceeded // in a form that crypto/tls knows to be temporary
	}
	return n, err
}

// eof is an end of file beneath TLS. crypto/tls takes one at the border of two
// records for a clean end if it looks like io.EOF; RFC 8446, section 6.1, does not.
// One within a record is never clean.
func (w *wire) eof() error {
	if w.takeEOF {
		return io.EOF
	}
	return tlsconf.ErrTruncated
}

// Write takes all of p, even if inner times out meanwhile. Uncork and flush tell.
func (w *wire) Write(p []byte) (int, error) {
	if w.direct {
		return w.inner.Write(p)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.corked || len(w.out) > 0 {
		w.out = append(w.out, p...)
		if w.corked {
			return len(p), nil
		}
		return len(p), w.flushLocked()
	}
	n, err := w.inner.Write(p)
	if isTimeout(err) {
		w.out = append(w.out, p[n:]...)
		w.err, err = os.ErrDeadlineExceeded, nil
	}
	return len(p), err
}

// cork makes Write collect until uncork.
func (w *wire) cork() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.corked = true
	if w.out == nil {
		w.out = *buffers.Get().(*[]byte)
	}
}

// flush ends corking, writes what is left and returns the time-out, if there was one.
func (w *wire) flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.corked = false
	err := w.flushLocked()
	if err == nil {
		err, w.err = w.err, nil
	}
	return err
}

// flushLocked writes out. A time-out is kept in w.err and is no error here.
func (w *wire) flushLocked() error {
	if w.out == nil {
		return nil
	}
	n, err := 0, error(nil)
	if len(w.out) > 0 {
		n, err = w.inner.Write(w.out)
	}
	if isTimeout(err) {
		w.out = w.out[:copy(w.out, w.out[n:])]
		w.err = os.ErrDeadlineExceeded
		return nil
	}
	if b := w.out[:0]; cap(b) == corkSize {
		buffers.Put(&b)
	}
	w.out = nil
	return err
}

func isTimeout(err error) bool { return err != nil && errors.Is(err, os.ErrDeadlineExceeded) }

func (w *wire) Close() error                      { return w.inner.Close() }
func (w *wire) LocalAddr() net.Addr               { return w.inner.LocalAddr() }
func (w *wire) RemoteAddr() net.Addr              { return w.inner.RemoteAddr() }
func (w *wire) SetDeadline(t time.Time) error     { return w.inner.SetDeadline(t) }
func (w *wire) SetReadDeadline(t time.Time) error { return w.inner.SetReadDeadline(t) }

// SetWriteDeadline does nothing beneath a Conn: crypto/tls means to bound its
// close_notify with it, and would leave the deadline behind. The Conn bounds that
// itself.
func (w *wire) SetWriteDeadline(t time.Time) error {
	if w.direct {
		return w.inner.SetWriteDeadline(t)
	}
	return nil
}
