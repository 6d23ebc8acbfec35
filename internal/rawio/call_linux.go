package rawio

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// calls is what a Conn has for its calls to the kernel.
type calls struct {
	conn          syscall.RawConn
	reads, writes streak
}

func newCalls(s Socket) calls {
	conn, err := s.SyscallConn()
	if err != nil {
		conn = closed{err}
	}
	return calls{conn: conn}
}

// closed is in place of the descriptor of a socket that has none any more.
type closed struct{ err error }

func (c closed) Control(func(uintptr)) error    { return c.err }
func (c closed) Read(func(uintptr) bool) error  { return c.err }
func (c closed) Write(func(uintptr) bool) error { return c.err }

// A streak is how many calls in a row did not have to wait.
type streak struct{ n atomic.Uint32 }

// maxStreak is after how many of them one goes through package net.
const maxStreak = 64

// raw tells whether the next one is to go straight to the kernel.
func (s *streak) raw() bool {
	if s.n.Load() < maxStreak {
		return true
	}
	s.n.Store(0)
	return false
}

func (s *streak) made(c *call) {
	if c.waited {
		s.n.Store(0)
	} else {
		s.n.Add(1)
	}
}

func (h *calls) read(s Socket, p []byte) (int, error) {
	c := newCall(p)
	err := h.conn.Read(c.read)
	h.reads.made(c)
	n, errno := c.done, c.err
	c.free()
	switch {
	case err != nil || errno != nil:
		return 0, failed("read", s, err, errno)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

func (h *calls) write(s Socket, p []byte) (int, error) {
	c := newCall(p)
	defer c.free()
	err := h.conn.Write(c.write)
	h.writes.made(c)
	if err != nil || c.err != nil {
		return c.done, failed("write", s, err, c.err)
	}
	return c.done, nil
}

// failed returns an error as package net does: of the RawConn, or else of the call.
func failed(op string, s Socket, err, errno error) error {
	e := &net.OpError{Op: op, Source: s.LocalAddr(), Addr: s.RemoteAddr(), Err: err}
	if err == nil {
		e.Err = os.NewSyscallError(op, errno)
	}
	var raw *net.OpError
	if errors.As(err, &raw) {
		e.Err = raw.Err
	}
	if e.Source != nil {
		e.Net = e.Source.Network()
	}
	return e
}

// A call is one read or write, which takes as many calls to the kernel as it does.
type call struct {
	p           []byte
	done        int
	waited      bool
	err         error
	read, write func(fd uintptr) bool // tryRead and tryWrite
}

var pool = sync.Pool{New: func() any {
	c := &call{}
	c.read, c.write = c.tryRead, c.tryWrite
	return c
}}

func newCall(p []byte) *call {
	c := pool.Get().(*call) //nolint:forcetypeassert // there is nothing else in it
	c.p = p
	return c
}

func (c *call) free() {
	c.p, c.done, c.waited, c.err = nil, 0, false, nil
	pool.Put(c)
}

// tryRead and tryWrite tell whether they are done; else they have to wait.

func (c *call) tryRead(fd uintptr) (done bool) {
	n, errno := transfer(unix.SYS_RECVFROM, fd, c.p)
	return c.note(n, errno)
}

func (c *call) tryWrite(fd uintptr) (done bool) {
	for c.done < len(c.p) {
		n, errno := transfer(unix.SYS_SENDTO, fd, c.p[c.done:])
		if !c.note(n, errno) {
			return false
		}
		if c.err != nil {
			return true
		}
	}
	return true
}

func (c *call) note(n int, errno syscall.Errno) (done bool) {
	switch errno {
	case 0:
		c.done += n
	case unix.EAGAIN:
		c.waited = true
		return false
	default:
		c.err = errno
	}
	return true
}

// transfer is recv(2) or send(2). It must not wait, for the scheduler thinks that the
// goroutine runs: whether the socket itself waits is not ours alone to say, for another
// process may have it, too.
func transfer(trap, fd uintptr, p []byte) (int, syscall.Errno) {
	for {
		n, _, errno := unix.RawSyscall6(trap, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)),
			unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}
