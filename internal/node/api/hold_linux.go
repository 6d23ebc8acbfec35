package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/transport"
)

// A holder is the connection over which a node holds ends for a Client.
type holder struct {
	client *Client
	conn   *net.UnixConn
	lost   chan struct{} // closed when the connection has ended
	all    sync.WaitGroup

	wmu sync.Mutex // held by who writes

	mu   sync.Mutex // guards what follows
	last uint64
	ends map[uint64]*Held
	err  error // why it is lost
}

// held returns the holder, or nil if there can be none.
func (c *Client) held(ctx context.Context) (*holder, error) {
	c.hmu.Lock()
	defer c.hmu.Unlock()
	if h := c.holder; c.plain || h != nil && !h.isLost() {
		return h, nil
	}
	conn, read, _, err := c.switchTo(ctx, HoldProtocol, "/v1/hold", struct{}{})
	var refused *Error
	switch {
	case errors.As(err, &refused), errors.Is(err, errAnswer): // the node is older, or in this process
		c.plain, c.holder = true, nil
		return nil, nil
	case err != nil:
		return nil, err
	}
	u, ok := conn.(*net.UnixConn)
	if !ok || read.Buffered() > 0 {
		conn.Close() //nolint:errcheck // it was not used
		return nil, errFrame
	}
	h := &holder{client: c, conn: u, lost: make(chan struct{}), ends: map[uint64]*Held{}}
	c.holder = h
	h.all.Go(h.listen)
	return h, nil
}

// letGo ends the holder, and with it all that the node holds.
func (c *Client) letGo() error {
	c.hmu.Lock()
	h := c.holder
	c.holder = nil
	c.hmu.Unlock()
	if h == nil {
		return nil
	}
	err := h.conn.Close()
	h.all.Wait()
	return err
}

func (h *holder) isLost() bool {
	select {
	case <-h.lost:
		return true
	default:
		return false
	}
}

// listen hands on what the node says.
func (h *holder) listen() {
	d := json.NewDecoder(h.conn)
	for {
		var m HoldMessage
		if err := d.Decode(&m); err != nil {
			h.conn.Close() //nolint:errcheck // it is lost
			h.mu.Lock()
			h.err = fmt.Errorf("the node is gone: %w", io.ErrUnexpectedEOF)
			h.mu.Unlock()
			close(h.lost)
			return
		}
		h.mu.Lock()
		e := h.ends[m.Number]
		if m.Ended != nil || m.Error != nil {
			delete(h.ends, m.Number)
		}
		h.mu.Unlock()
		if e != nil {
			e.hear(m)
		}
	}
}

// say sends a message, with a socket if fd is not negative.
func (h *holder) say(m HoldMessage, fd int) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	var rights []byte
	if fd >= 0 {
		rights = unix.UnixRights(fd)
	}
	h.wmu.Lock()
	defer h.wmu.Unlock()
	n, _, err := h.conn.WriteMsgUnix(b, rights, nil)
	if err == nil && n < len(b) {
		_, err = h.conn.Write(b[n:])
	}
	return err
}

// open has the node open a service, and waits for the answer.
func (h *holder) open(ctx context.Context, r DialRequest) (*Held, error) {
	d := &Held{holder: h, heard: make(chan HoldMessage, 2)}
	h.mu.Lock()
	h.last++
	d.number = h.last
	h.ends[d.number] = d
	h.mu.Unlock()
	if err := h.say(HoldMessage{Number: d.number, Dial: &r}, -1); err != nil {
		h.forget(d)
		return nil, err
	}
	select {
	case m := <-d.heard:
		if m.Error != nil {
			return nil, m.Error.hinted()
		}
		if m.Opened == nil {
			h.forget(d)
			return nil, errFrame
		}
		d.opened = *m.Opened
		d.info = transport.Info{Kind: "peer", Peer: d.opened.Peer}
		return d, nil
	case <-h.lost:
		return nil, h.err
	case <-ctx.Done():
		d.cut()
		return nil, context.Cause(ctx)
	}
}

func (h *holder) forget(d *Held) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.ends, d.number)
}

// cutTime is how long the node is waited for that is to cut a joint. Its sockets are reset in
// any case.
const cutTime = time.Second

// Adopt has the node join the end to fd, a socket of TCP, and returns when the joint has
// ended. Moved is told what has moved, now and then. It owns fd, unless the error is
// [ErrNotAdopted].
func (d *Held) Adopt(ctx context.Context, fd int, a Adoption, moved func(Moved)) (*JointEnd, error) {
	if p, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL); err != nil || p != unix.IPPROTO_TCP {
		return nil, ErrNotAdopted
	}
	if err := d.take(); err != nil {
		return nil, ErrNotAdopted
	}
	d.moved.Store(&moved)
	// The socket stays open here until the joint has ended, so that a node that dies does
	// not end it in silence.
	failed := true
	defer func() { closeSocket(fd, failed) }()
	if err := d.holder.say(HoldMessage{Number: d.number, Adopt: &a}, fd); err != nil {
		return nil, err
	}
	var cut error
	var late <-chan time.Time
	for done := ctx.Done(); ; {
		select {
		case m := <-d.heard:
			if m.Ended == nil {
				return nil, errFrame
			}
			failed = m.Ended.Error != nil
			return m.Ended, cut
		case <-d.holder.lost:
			return nil, d.holder.err
		case <-done:
			done, cut, late = nil, context.Cause(ctx), time.After(cutTime)
			if d.holder.say(HoldMessage{Number: d.number, Cut: true}, -1) != nil {
				return nil, cut
			}
		case <-late:
			d.holder.forget(d)
			return nil, cut
		}
	}
}

// closeSocket closes fd, on request with a reset: tcp(7), SO_LINGER of zero.
func closeSocket(fd int, reset bool) {
	if reset {
		unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}) //nolint:errcheck // a unix socket has none
	}
	unix.Close(fd) //nolint:errcheck // it is gone
}
