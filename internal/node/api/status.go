package api

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/closestatus"
	"github.com/tenon-net/tenon/transport"
)

// A close status goes in front of the frame that ends a direction, if the other side knows the
// frame. One that is empty goes there in place of one that is not known yet: then it follows
// that frame, once it is known.
//
// carried are the close statuses of the two sides.
type carried struct {
	mu       sync.Mutex // guards all
	known    bool       // the other side knows the frame
	may      bool       // and waits for one that follows
	ours     []byte     // as it is to be sent; nil if there is none, or it was sent
	sent     bool
	final    bool // the frame that ends our direction goes out, or has
	promise  bool // ours follows it
	promised bool // theirs follows
	heard    bool // theirs has come
	theirs   transport.CloseStatus
	protocol string // of theirs; "" if there is none
}

func (c *carried) receive(content []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(content) == 0 {
		c.promised = true
		return
	}
	c.heard = true
	if c.protocol == "" { // a second one, as one that cannot be read, is ignored
		c.protocol, c.theirs, _ = closestatus.Parse(content)
	}
}

// take returns what is to be sent, once.
func (c *carried) take() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.known || c.ours == nil {
		return nil
	}
	c.sent, c.promise = true, false
	b := c.ours
	c.ours = nil
	return b
}

// untake has b sent the next time: it was not.
func (c *carried) untake(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ours, c.sent = b, false
}

// waits tells whether there is something to send.
func (c *carried) waits() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known && c.ours != nil
}

// promises tells whether ours follows.
func (c *carried) promises() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.promise && !c.sent
}

// finishes notes that our direction ends, and tells whether ours follows.
func (c *carried) finishes() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.final = true
	return c.promise && !c.sent
}

// awaits tells whether theirs is to follow and has not come.
func (c *carried) awaits() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.promised && !c.heard
}

// KnowsStatus says that the other side knows the frame of a close status. It is called
// before anything is written. A side that offers a service may promise a status, for which the
// one that uses it waits.
func (e *end) KnowsStatus(offers bool) { e.status.known, e.status.may = true, offers }

// CarriedStatus implements [transport.StatusCarrier].
func (e *end) CarriedStatus() (protocol string, s transport.CloseStatus, ok bool) {
	c := &e.status
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.protocol, c.theirs, c.protocol != ""
}

// CarryStatus implements [transport.StatusCarrier].
func (e *end) CarryStatus(protocol string, s transport.CloseStatus) {
	c := &e.status
	c.mu.Lock()
	defer c.mu.Unlock()
	if b := closestatus.Marshal(protocol, s); b != nil && !c.sent {
		c.ours = b
	}
}

// PromiseStatus implements [transport.StatusPromiser].
func (e *end) PromiseStatus() bool {
	c := &e.status
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known && c.may && !c.final && !c.sent {
		c.promise = true
	}
	return c.promise && !c.sent
}

// ClosesLate implements [transport.LateCloser].
func (e *end) ClosesLate() bool {
	e.status.mu.Lock()
	defer e.status.mu.Unlock()
	return e.status.promised
}

// tellsStatus tells whether an Abort has a close status to carry.
func (e *end) tellsStatus() bool { return e.status.waits() }

// untoldTime is how long a peer is waited for that has promised a status. A node of ours knows
// itself how long.
const untoldTime = time.Minute

// BoundStatus has Close wait for a status that was promised no longer than a minute.
func (e *end) BoundStatus() { e.bounded = true }

// awaitStatus waits for a status that follows the end that was read.
func (e *end) awaitStatus() error {
	if !e.status.awaits() || !e.rmu.TryLock() { // who reads has not come to the end
		return nil
	}
	defer e.rmu.Unlock()
	if e.ended != io.EOF {
		return nil
	}
	if e.lockLast() { // the other side may wait for our end
		if !e.shut {
			accepted, _ := e.goodbye(frameEnd, nil) // if not, that shows below
			e.shut = accepted
		}
		e.wmu.Unlock()
	}
	late := time.Time{}
	if e.bounded {
		late = time.Now().Add(untoldTime)
	}
	e.conn.SetReadDeadline(late) //nolint:errcheck // then reading fails
	if err := e.afterEnd(); err != nil {
		return fmt.Errorf("the other side has not said how it has ended: %w", transport.Cause(err))
	}
	return nil
}

// afterEnd reads what follows the end of a direction, up to the status. It is called with rmu held.
func (f *framer) afterEnd() error {
	for f.status.awaits() {
		head, err := f.in.Peek(headSize)
		if err != nil {
			return f.lost(err)
		}
		typ, n := parseHead(head)
		if typ != frameStatus && typ != frameAbort && typ != frameWindow || n > maxAbort {
			return errFrame
		}
		all, err := f.in.Peek(headSize + n)
		switch {
		case err != nil:
			return f.lost(err)
		case typ == frameAbort:
			return abortError(string(all[headSize:]))
		case typ == frameStatus:
			f.status.receive(all[headSize:])
		}
		f.in.Discard(headSize + n) //nolint:errcheck // it is there
	}
	return nil
}

// sayLate sends the status that was promised, or that there is none, and waits until the other
// side has closed, as [transport.LingeringClose] does. It is called with wmu held.
func (f *framer) sayLate() {
	if !f.status.promises() {
		return
	}
	b := f.status.take()
	if b == nil {
		b = closestatus.None
	}
	f.write(frameStatus, b) //nolint:errcheck // then the other side finds that it is missing
	half, ok := f.conn.(interface{ CloseWrite() error })
	if ok && half.CloseWrite() == nil && f.conn.SetReadDeadline(time.Now().Add(transport.LingeringCloseTime)) == nil {
		io.Copy(io.Discard, io.LimitReader(f.conn, transport.LingeringCloseBytes)) //nolint:errcheck // it is of no interest
	}
}
