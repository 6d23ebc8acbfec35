package file

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/tenon-net/tenon/internal/deadline"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// Echo gives back what is written to it: messages as messages, text as text, if the
// end that it is opened for carries messages ([transport.Other]), else bytes. CloseWrite
// is what ends reading.
type Echo struct{}

var _ transport.Dialer = (*Echo)(nil)

// Bind binds nothing.
func (*Echo) Bind(*opt.Set) {}

// Dial opens the end. What is written waits in a pipe of the system until it is
// read; of messages as much waits, or one.
func (*Echo) Dial(ctx context.Context) (transport.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if m, ok := transport.Other(ctx).(transport.MsgConn); ok {
		return newEchoMsgs(m.MaxMsg()), nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	return newStream("echo", "echo", r, fileOut{File: w}), nil
}

// The bounds of what waits in an echo of messages: the capacity of a pipe, and a
// number of messages that may all be empty.
const (
	echoBytes = 64 << 10
	echoMsgs  = 256
)

// echoConn gives messages back. A writer waits while the queue is full; a message that
// is longer than the queue may be waits until it is alone.
type echoConn struct {
	info    transport.Info
	addr    transport.Addr
	max     int
	rd, wd  deadline.Deadline
	mu      sync.Mutex // guards what follows
	queue   []transport.Msg
	held    int           // bytes in queue
	changed chan struct{} // closed, and replaced, when something below or above changes
	eof     bool          // CloseWrite was called
	closed  bool
}

var _ transport.MsgConn = (*echoConn)(nil)

func newEchoMsgs(max int) *echoConn {
	return &echoConn{info: transport.Info{Kind: "echo"}, addr: transport.Addr{Net: "echo", Name: "echo"}, max: max, changed: make(chan struct{})}
}

// wait returns, with mu held, when ready does; or why it never will, or not in time.
func (e *echoConn) wait(d *deadline.Deadline, ready func() error) error {
	over := d.Wait()
	e.mu.Lock()
	for {
		if e.closed {
			return net.ErrClosed
		}
		if deadline.IsClosed(over) {
			return os.ErrDeadlineExceeded
		}
		if err := ready(); !errors.Is(err, errNotYet) {
			return err
		}
		changed := e.changed
		e.mu.Unlock()
		select {
		case <-changed:
		case <-over:
		}
		e.mu.Lock()
	}
}

// errNotYet says that there is nothing to do but to wait.
var errNotYet = errors.New("not yet")

// change wakes all who wait. It needs mu.
func (e *echoConn) change() {
	close(e.changed)
	e.changed = make(chan struct{})
}

func (e *echoConn) ReadMsg(p []byte) (int, transport.Meta, error) {
	err := e.wait(&e.rd, func() error {
		switch {
		case len(e.queue) > 0:
			return nil
		case e.eof:
			return io.EOF
		}
		return errNotYet
	})
	defer e.mu.Unlock()
	if err != nil {
		return 0, transport.Meta{}, err
	}
	m := e.queue[0]
	e.queue[0] = transport.Msg{}
	e.queue, e.held = e.queue[1:], e.held-len(m.Buf)
	e.change()
	n := copy(p, m.Buf)
	if n < len(m.Buf) {
		return n, m.Meta, io.ErrShortBuffer
	}
	return n, m.Meta, nil
}

func (e *echoConn) WriteMsg(p []byte, m transport.Meta) error {
	if len(p) > e.max {
		return transport.ErrMsgTooLong
	}
	err := e.wait(&e.wd, func() error {
		switch {
		case e.eof:
			return syscall.EPIPE
		case len(e.queue) == 0 || len(e.queue) < echoMsgs && e.held+len(p) <= echoBytes:
			return nil
		}
		return errNotYet
	})
	defer e.mu.Unlock()
	if err != nil {
		return err
	}
	e.queue = append(e.queue, transport.Msg{Buf: append([]byte(nil), p...), Meta: transport.Meta{Text: m.Text}})
	e.held += len(p)
	e.change()
	return nil
}

func (e *echoConn) MaxMsg() int { return e.max }

func (e *echoConn) CloseWrite() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return net.ErrClosed
	}
	e.eof = true
	e.change()
	return nil
}

func (e *echoConn) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed, e.queue, e.held = true, nil, 0
	e.change()
	return nil
}

func (e *echoConn) Info() *transport.Info { return &e.info }
func (e *echoConn) LocalAddr() net.Addr   { return e.addr }
func (e *echoConn) RemoteAddr() net.Addr  { return e.addr }

func (e *echoConn) SetDeadline(t time.Time) error      { return e.set(t, &e.rd, &e.wd) }
func (e *echoConn) SetReadDeadline(t time.Time) error  { return e.set(t, &e.rd) }
func (e *echoConn) SetWriteDeadline(t time.Time) error { return e.set(t, &e.wd) }

func (e *echoConn) set(t time.Time, deadlines ...*deadline.Deadline) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return net.ErrClosed
	}
	for _, d := range deadlines {
		d.Set(t)
	}
	return nil
}
