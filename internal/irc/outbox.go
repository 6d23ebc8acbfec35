package irc

import (
	"errors"
	"io"
	"sync"
	"time"
)

// Limits of what waits for a client that reads slowly.
const (
	maxOutbox   = 2 << 20          // bytes; whoever has more waiting is cut off
	halfOutbox  = 256 << 10        // bytes; answers wait until there are fewer
	writeTime   = 30 * time.Second // for one write
	writeAtOnce = 64 << 10         // bytes
)

var errOutbox = errors.New("the client reads too slowly")

// An outbox is what waits to be written to a client. Adding never blocks.
type outbox struct {
	mu    sync.Mutex // guards what follows
	data  []byte
	err   error
	last  bool // nothing more comes, and the connection ends when all is written
	more  sync.Cond
	fewer sync.Cond
	cut   func() // has a write that goes on end; it does not block
}

func newOutbox(cut func()) *outbox {
	o := &outbox{cut: cut}
	o.more.L, o.fewer.L = &o.mu, &o.mu
	return o
}

// add has b written. It is false if the client is, or gets, cut off.
func (o *outbox) add(b []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil || o.last {
		return false
	}
	if len(o.data)+len(b) > maxOutbox {
		o.endLocked(errOutbox)
		return false
	}
	o.data = append(o.data, b...)
	o.more.Signal()
	return true
}

// room waits until little is waiting, or the outbox has ended.
func (o *outbox) room() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.data) > halfOutbox && o.err == nil {
		o.fewer.Wait()
	}
}

// finish ends the outbox when what is in it is written.
func (o *outbox) finish() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last = true
	o.more.Signal()
}

// end ends it now.
func (o *outbox) end(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.endLocked(err)
}

func (o *outbox) endLocked(err error) {
	if o.err == nil {
		o.err, o.data = err, nil
		o.cut()
	}
	o.more.Signal()
	o.fewer.Broadcast()
}

// A timedWriter is a net.Conn, as far as it is written to.
type timedWriter interface {
	io.Writer
	SetWriteDeadline(time.Time) error
}

// drain writes until the outbox ends, and returns why it has; nil = all was written.
func (o *outbox) drain(w timedWriter) error {
	for {
		b, err := o.take()
		if b == nil {
			return err
		}
		err = w.SetWriteDeadline(time.Now().Add(writeTime))
		if err == nil {
			_, err = w.Write(b)
		}
		if err != nil {
			o.end(err)
			return err
		}
	}
}

// take returns the next bytes to write; nil = none come any more.
func (o *outbox) take() ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.data) == 0 && o.err == nil && !o.last {
		o.more.Wait()
	}
	if o.err != nil || len(o.data) == 0 {
		return nil, o.err
	}
	b := o.data[:min(len(o.data), writeAtOnce)]
	if o.data = o.data[len(b):]; len(o.data) == 0 {
		o.data = nil
	}
	if len(o.data) <= halfOutbox {
		o.fewer.Broadcast()
	}
	return b, nil
}
