//go:build unix

package file

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/internal/term"
)

// A class says how a descriptor is read and written without waiting in the call.
type class uint8

const (
	direct class = iota // files: never waits for others
	device              // /dev/null and the like: nor does writing
	pipe                // pipes and FIFOs
	socket
	waits // whatever else: after poll(2) says so, a little at a time
)

const (
	// ttyChunk is how much a terminal that poll(2) calls writable takes at least.
	ttyChunk = 256
	// pipeChunk is the same for a pipe: PIPE_BUF (pipe(7)).
	pipeChunk = 4096
)

func classOf(fd int) (class, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFIFO:
		return pipe, nil
	case unix.S_IFSOCK:
		return socket, nil
	case unix.S_IFCHR:
		if term.IsTerminal(fd) {
			return waits, nil
		}
		return device, nil
	}
	return direct, nil
}

// A shared is one direction of a descriptor that others may use too, and whose
// blocking mode stays as it is. It does not own the descriptor: whoever does
// closes it after Close.
type shared struct {
	fd       int
	class    class
	nowait   atomic.Bool  // tryRead and tryWrite are known not to work
	deadline atomic.Int64 // UnixNano; 0 is none
	closed   atomic.Bool
	wakeR    *os.File // readable when deadline or closed have changed
	wakeW    *os.File
	wakeFD   int32
	mu       sync.Mutex // one call at a time uses fd
}

func newShared(fd int) (*shared, error) {
	c, err := classOf(fd)
	if err != nil {
		return nil, err
	}
	h := &shared{fd: fd, class: c}
	h.wakeR, h.wakeW, err = os.Pipe()
	if err != nil {
		return nil, err
	}
	err = term.Control(h.wakeR, func(fd int) error { h.wakeFD = int32(fd); return nil })
	return h, err
}

func (h *shared) Read(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		if err := h.expired(); err != nil {
			return 0, err
		}
		n, err := h.read(p)
		switch {
		case n > 0:
			return n, nil
		case err == nil:
			return 0, io.EOF
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			if err := h.wait(unix.POLLIN); err != nil {
				return 0, err
			}
		default:
			return 0, err
		}
	}
}

// read reads once, after waiting if it must. EAGAIN says that it would wait.
func (h *shared) read(p []byte) (int, error) {
	switch {
	case h.class == direct:
		return unix.Read(h.fd, p)
	case h.class == socket:
		n, _, err := unix.Recvfrom(h.fd, p, unix.MSG_DONTWAIT)
		return n, err
	case h.class == pipe && !h.nowait.Load():
		n, err := tryRead(h.fd, p)
		if err == nil || err == unix.EAGAIN || err == unix.EINTR {
			return n, err
		}
		h.nowait.Store(true)
	}
	if err := h.wait(unix.POLLIN); err != nil {
		return 0, err
	}
	return unix.Read(h.fd, p)
}

func (h *shared) Write(p []byte) (done int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for done < len(p) {
		if err := h.expired(); err != nil {
			return done, err
		}
		n, err := h.write(p[done:])
		done += max(n, 0)
		switch err {
		case nil, unix.EINTR:
		case unix.EAGAIN:
			if err := h.wait(unix.POLLOUT); err != nil {
				return done, err
			}
		default:
			return done, err
		}
	}
	return done, nil
}

// write is like read. A descriptor that poll(2) calls writable takes a little
// without waiting, and no more than that is written at once.
func (h *shared) write(p []byte) (int, error) {
	chunk := ttyChunk
	switch {
	case h.class == direct || h.class == device:
		return unix.Write(h.fd, p)
	case h.class == socket:
		return unix.SendmsgN(h.fd, p, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	case h.class == pipe && !h.nowait.Load():
		n, err := tryWrite(h.fd, p)
		if err == nil || err == unix.EAGAIN || err == unix.EINTR || err == unix.EPIPE {
			return n, err
		}
		h.nowait.Store(true)
		fallthrough
	case h.class == pipe:
		chunk = pipeChunk
	}
	if err := h.wait(unix.POLLOUT); err != nil {
		return 0, err
	}
	return unix.Write(h.fd, p[:min(len(p), chunk)])
}

// expired tells whether the call in progress must end.
func (h *shared) expired() error {
	if h.closed.Load() {
		return net.ErrClosed
	}
	if d := h.deadline.Load(); d != 0 && time.Now().UnixNano() >= d {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// wait waits until the descriptor is ready, or the call must end.
func (h *shared) wait(events int16) error {
	for {
		if err := h.expired(); err != nil {
			return err
		}
		fds := []unix.PollFd{{Fd: int32(h.fd), Events: events}, {Fd: h.wakeFD, Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, h.timeout()); err != nil && err != unix.EINTR {
			return os.NewSyscallError("poll", err)
		}
		if fds[1].Revents != 0 {
			var buf [64]byte
			_, _ = unix.Read(int(h.wakeFD), buf[:]) // the pipe does not block
			continue
		}
		if fds[0].Revents != 0 {
			return nil
		}
	}
}

// timeout is the time left until the deadline, for poll(2).
func (h *shared) timeout() int {
	d := h.deadline.Load()
	if d == 0 {
		return -1
	}
	left := time.Until(time.Unix(0, d)) + time.Millisecond - 1
	return int(max(0, min(left.Milliseconds(), 1<<30)))
}

func (h *shared) setDeadline(t time.Time) error {
	if h.closed.Load() {
		return net.ErrClosed
	}
	d := int64(0)
	if !t.IsZero() {
		d = max(1, t.UnixNano())
	}
	h.deadline.Store(d)
	return h.wake()
}

// wake ends a wait. A full pipe is one that nobody waits at.
func (h *shared) wake() error {
	err := term.Control(h.wakeW, func(fd int) error {
		_, err := unix.Write(fd, []byte{0})
		return err
	})
	if errors.Is(err, unix.EAGAIN) {
		return nil
	}
	return err
}

func (h *shared) SetReadDeadline(t time.Time) error  { return h.setDeadline(t) }
func (h *shared) SetWriteDeadline(t time.Time) error { return h.setDeadline(t) }

// Close ends the call in progress and waits for it, so that the descriptor can be
// closed and its number used again.
func (h *shared) Close() error {
	if h.closed.Swap(true) {
		return nil
	}
	err := h.wake()
	h.mu.Lock()
	defer h.mu.Unlock()
	return errors.Join(err, h.wakeR.Close(), h.wakeW.Close())
}

// retire closes fd. The three standard ones are replaced, or the next file that
// anybody opens would be standard output.
func retire(fd int) error {
	if fd > 2 {
		return unix.Close(fd)
	}
	null, err := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return errors.Join(unix.Dup2(null, fd), unix.Close(null))
}
