package datagram

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenon-net/tenon/internal/account"
	"github.com/tenon-net/tenon/internal/deadline"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// A Conn is one end of messages that may be lost, over datagrams and a lane.
type Conn struct {
	mux     *Mux
	peer    peer.ID
	lane    Lane
	label   uint32 // of this side
	answers bool
	memory  account.Account

	sent, received, dropped atomic.Int64 // datagrams

	mu      sync.Mutex // guards what follows
	changed sync.Cond  // any of it has
	open    bool       // the other side is told the label
	to      uint32     // the label of the other side; 0 until it has told it
	queue   []message  // come, and not read
	end     error      // of what comes: io.EOF, or how the lane has failed
	shut    bool       // nothing more is written
	gone    error      // what calls return after Close or Abort
	read    deadline.Cond
	write   deadline.Cond
	long    []message // too long for datagrams, to go by the lane
	sending bool      // a goroutine sends those
}

// A message has come, or is to go.
type message struct {
	p    []byte
	meta transport.Meta
}

func (m message) size() int64 { return int64(len(m.p)) + perMessage }

var (
	_ transport.MsgConn     = (*Conn)(nil)
	_ transport.MsgLender   = (*Conn)(nil)
	_ transport.Aborter     = (*Conn)(nil)
	_ transport.Wrapper     = (*Conn)(nil)
	_ transport.DropCounter = (*Conn)(nil)
)

// begin has the lane read.
func (c *Conn) begin() {
	c.lane.OnLabel(c.told)
	if !c.mux.spawn(c.pump) {
		c.Abort(net.ErrClosed) //nolint:errcheck // nobody has seen it
	}
}

// told notes the label that the other side has told, once. Who answers tells his own then.
func (c *Conn) told(label uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.to != 0 || label == 0 || c.gone != nil {
		return
	}
	c.to = label
	if c.answers {
		c.mux.spawn(c.tellLabel)
	}
}

// tellLabel tells the other side the label of this one. It may have to wait for the lane,
// and so is never called by who reads.
func (c *Conn) tellLabel() {
	c.mu.Lock()
	c.open = true
	c.mu.Unlock()
	c.lane.WriteLabel(c.label) //nolint:errcheck // who reads the lane learns it
}

// Status is what is known of a Conn.
type Status struct {
	Datagrams               bool  // that is how messages go to the other side now
	Sent, Received, Dropped int64 // datagrams; those that were dropped found no room at this side
}

// Status returns what is known of it.
func (c *Conn) Status() Status {
	c.mu.Lock()
	told := c.to != 0
	c.mu.Unlock()
	return Status{told && c.mux.net.MaxDatagram(c.peer) > 0, c.sent.Load(), c.received.Load(), c.dropped.Load()}
}

// Dropped returns how many messages have found no room at this side.
func (c *Conn) Dropped() int64 { return c.dropped.Load() }

// over returns what a call fails with that is to go on only while deadline d has not passed.
// The mutex is held.
func (c *Conn) over(d *deadline.Cond) error {
	switch {
	case c.gone != nil:
		return c.gone
	case d.Passed():
		return os.ErrDeadlineExceeded
	}
	return nil
}

// WriteMsg sends a message: as a datagram, if that can be. Then it waits for nothing, and
// does not tell whether the message arrives.
func (c *Conn) WriteMsg(p []byte, meta transport.Meta) error {
	c.mu.Lock()
	err, to := c.over(&c.write), c.to
	switch {
	case err != nil:
	case c.shut:
		err = io.ErrClosedPipe
	case c.end != nil && c.end != io.EOF:
		err = c.end
	}
	c.mu.Unlock()
	if err != nil {
		return err
	}
	if to == 0 || meta.Text {
		return c.lane.WriteMsg(p, meta)
	}
	switch err := c.mux.net.SendDatagram(c.peer, to, p); {
	case err == nil:
		c.sent.Add(1)
		return nil
	case errors.Is(err, peer.ErrDropped):
		c.dropped.Add(1)
		return nil
	case errors.Is(err, transport.ErrMsgTooLong) && len(p) <= c.lane.MaxMsg():
		c.writeLong(message{append([]byte(nil), p...), meta})
		return nil
	}
	return c.lane.WriteMsg(p, meta)
}

// writeLong has a message go by the lane, without waiting for that: those behind it are to
// go at once.
func (c *Conn) writeLong(m message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone != nil || !c.memory.Take(m.size(), false) {
		c.dropped.Add(1)
		return
	}
	c.long = append(c.long, m)
	if !c.sending {
		c.sending = c.mux.spawn(c.sendLong)
	}
}

// sendLong sends what is too long for datagrams.
func (c *Conn) sendLong() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.long) > 0 && c.gone == nil {
		m := c.long[0]
		c.long = c.long[1:]
		c.mu.Unlock()
		c.lane.WriteMsg(m.p, m.meta) //nolint:errcheck // who reads the lane learns it
		c.mu.Lock()
		c.memory.Give(m.size())
	}
	c.sending = false
	c.changed.Broadcast()
}

// CloseWrite says, behind what goes by the lane, that nothing more will be written.
func (c *Conn) CloseWrite() error {
	c.mu.Lock()
	c.shut = true
	for c.sending && c.gone == nil {
		c.changed.Wait()
	}
	err := c.gone
	c.mu.Unlock()
	if err != nil {
		return err
	}
	return c.lane.CloseWrite()
}

// MaxMsg is that of the lane.
func (c *Conn) MaxMsg() int { return c.lane.MaxMsg() }

// Close ends the Conn and the lane.
func (c *Conn) Close() error {
	c.leave(net.ErrClosed)
	return c.lane.Close()
}

// Abort ends both so that the other side sees a failure.
func (c *Conn) Abort(cause error) error {
	c.leave(transport.ErrAborted)
	return transport.Abort(c.lane, cause)
}

// leave drops all that waits.
func (c *Conn) leave(why error) {
	c.mu.Lock()
	first := c.gone == nil
	if first || why == net.ErrClosed { //nolint:errorlint // Close after Abort
		c.gone = why
	}
	for _, m := range append(c.queue, c.long...) {
		c.memory.Give(m.size())
	}
	c.queue, c.long = nil, nil
	c.read.Stop()
	c.write.Stop()
	c.changed.Broadcast()
	c.mu.Unlock()
	if first {
		c.mux.forget(c)
	}
}

// Inner returns the lane.
func (c *Conn) Inner() transport.Conn { return c.lane }

// Info and the addresses are those of the lane.
func (c *Conn) Info() *transport.Info { return c.lane.Info() }
func (c *Conn) LocalAddr() net.Addr   { return c.lane.LocalAddr() }
func (c *Conn) RemoteAddr() net.Addr  { return c.lane.RemoteAddr() }

func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *Conn) SetReadDeadline(t time.Time) error { return c.set(&c.read, t) }

func (c *Conn) SetWriteDeadline(t time.Time) error {
	return errors.Join(c.set(&c.write, t), c.lane.SetWriteDeadline(t))
}

func (c *Conn) set(d *deadline.Cond, t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone != nil {
		return c.gone
	}
	d.Set(&c.changed, t)
	return nil
}
