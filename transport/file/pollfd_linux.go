package file

import (
	"io"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A pollFile reads and writes a descriptor that other programs may hold too, such
// as the standard streams. O_NONBLOCK would be theirs as well, so it is left alone:
// calls wait in poll(2), together with an eventfd by which Close and deadlines get
// them out, and then ask the kernel for what can be had without waiting.
//
// Reading, writing and the rest may go on at the same time from any goroutine.
type pollFile struct {
	fd   int
	kind uint32 // S_IFMT of its mode
	sock int    // SO_TYPE, for a socket
	in   pollSide
	out  pollSide

	mu     sync.Mutex // guards all below
	closed bool
	users  int // calls in progress; the last one out of a closed file releases it
}

// A pollSide is reading or writing.
type pollSide struct {
	call   sync.Mutex // held by the one call in progress
	plain  bool       // the kernel cannot be asked not to wait; of the holder of call
	events int16
	wake   int // eventfd: look again at what is below

	mu       sync.Mutex // guards deadline
	deadline time.Time
}

// newPollFile takes over fd, which is open, also when it fails.
func newPollFile(fd int) (*pollFile, error) {
	f := &pollFile{fd: fd, in: pollSide{events: unix.POLLIN, wake: -1}, out: pollSide{events: unix.POLLOUT, wake: -1}}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, os.NewSyscallError("fstat", err)
	}
	f.kind = st.Mode & unix.S_IFMT
	if f.kind == unix.S_IFSOCK {
		f.sock, _ = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	}
	unix.CloseOnExec(fd)
	for _, s := range []*pollSide{&f.in, &f.out} {
		var err error
		if s.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
			f.release()
			return nil, os.NewSyscallError("eventfd", err)
		}
	}
	return f, nil
}

// Read waits for bytes, the end of file, the deadline or Close.
func (f *pollFile) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	s := &f.in
	if err := f.enter(s); err != nil {
		return 0, err
	}
	defer f.leave(s)
	for {
		n, err := f.read(s, p)
		switch {
		case err == unix.EAGAIN || err == unix.EINTR:
			continue
		case err != nil:
			return 0, err
		case n == 0 && f.sock != unix.SOCK_DGRAM:
			return 0, io.EOF
		}
		return n, nil
	}
}

// Write writes all of p, or returns how much of it went before the error.
func (f *pollFile) Write(p []byte) (int, error) {
	s := &f.out
	if err := f.enter(s); err != nil {
		return 0, err
	}
	defer f.leave(s)
	for n := 0; ; {
		if n == len(p) {
			return n, nil
		}
		m, err := f.write(s, p[n:])
		n += max(m, 0)
		if err != nil && err != unix.EAGAIN && err != unix.EINTR {
			return n, err
		}
	}
}

// pollChunk is what a pipe or terminal that is ready takes without waiting, for
// kernels that cannot be asked (PIPE_BUF, pipe(7)).
const pollChunk = 4096

// read waits and tries once.
func (f *pollFile) read(s *pollSide, p []byte) (int, error) {
	if err := f.wait(s); err != nil {
		return 0, err
	}
	switch {
	case f.kind == unix.S_IFSOCK:
		n, _, err := unix.Recvfrom(f.fd, p, unix.MSG_DONTWAIT)
		return n, err
	case f.kind == unix.S_IFIFO && !s.plain:
		n, err := unix.Preadv2(f.fd, [][]byte{p}, -1, unix.RWF_NOWAIT)
		if !unasked(err) {
			return n, err
		}
		s.plain = true
	}
	return unix.Read(f.fd, p)
}

// write waits and tries once.
func (f *pollFile) write(s *pollSide, p []byte) (int, error) {
	if err := f.wait(s); err != nil {
		return 0, err
	}
	switch {
	case f.kind == unix.S_IFSOCK:
		return unix.SendmsgN(f.fd, p, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	case f.kind == unix.S_IFIFO && !s.plain:
		n, err := unix.Pwritev2(f.fd, [][]byte{p}, -1, unix.RWF_NOWAIT)
		if !unasked(err) {
			return n, err
		}
		s.plain = true
	}
	if f.kind == unix.S_IFIFO || f.kind == unix.S_IFCHR {
		p = p[:min(len(p), pollChunk)]
	}
	return unix.Write(f.fd, p)
}

// unasked tells whether the kernel is too old for RWF_NOWAIT on pipes (Linux 6.4).
func unasked(err error) bool { return err == unix.EOPNOTSUPP || err == unix.ENOSYS || err == unix.EINVAL }

// wait returns when the descriptor is ready, or why it will not be waited for.
// Regular files are always ready.
func (f *pollFile) wait(s *pollSide) error {
	for {
		timeout := -1
		s.mu.Lock()
		deadline := s.deadline
		s.mu.Unlock()
		if !deadline.IsZero() {
			left := time.Until(deadline)
			if left <= 0 {
				return os.ErrDeadlineExceeded
			}
			timeout = int(min(left.Milliseconds()+1, 1<<30))
		}
		fds := []unix.PollFd{{Fd: int32(s.wake), Events: unix.POLLIN}, {Fd: int32(f.fd), Events: s.events}}
		if _, err := unix.Poll(fds, timeout); err != nil && err != unix.EINTR {
			return os.NewSyscallError("poll", err)
		}
		if fds[0].Revents != 0 {
			if f.isClosed() {
				return net.ErrClosed
			}
			var count [8]byte
			unix.Read(s.wake, count[:]) //nolint:errcheck // empty if another took it
			continue
		}
		if fds[1].Revents != 0 {
			return nil
		}
	}
}

// enter begins a call: one at a time on a side.
func (f *pollFile) enter(s *pollSide) error {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return net.ErrClosed
	}
	f.users++
	f.mu.Unlock()
	s.call.Lock()
	return nil
}

func (f *pollFile) leave(s *pollSide) {
	s.call.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.users--
	if f.closed && f.users == 0 {
		f.release()
	}
}

func (f *pollFile) isClosed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.closed
}

// Close makes the calls in progress return. The descriptor is closed when the
// last of them has.
func (f *pollFile) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	f.closed = true
	if f.users == 0 {
		return f.release()
	}
	f.in.rouse()
	f.out.rouse()
	return nil
}

// CloseWrite half-closes a socket.
func (f *pollFile) CloseWrite() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return net.ErrClosed
	}
	return os.NewSyscallError("shutdown", unix.Shutdown(f.fd, unix.SHUT_WR))
}

// release closes the descriptors; nobody uses them any more.
func (f *pollFile) release() error {
	for _, s := range []*pollSide{&f.in, &f.out} {
		if s.wake >= 0 {
			unix.Close(s.wake)
		}
	}
	return os.NewSyscallError("close", unix.Close(f.fd))
}

// SetReadDeadline is that of [net.Conn].
func (f *pollFile) SetReadDeadline(t time.Time) error { return f.setDeadline(&f.in, t) }

// SetWriteDeadline is that of [net.Conn].
func (f *pollFile) SetWriteDeadline(t time.Time) error { return f.setDeadline(&f.out, t) }

func (f *pollFile) setDeadline(s *pollSide, t time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return net.ErrClosed
	}
	s.mu.Lock()
	s.deadline = t
	s.mu.Unlock()
	s.rouse()
	return nil
}

// rouse gets the call in progress out of poll(2).
func (s *pollSide) rouse() {
	one := [8]byte{1} // any number but 0, in any byte order
	unix.Write(s.wake, one[:])
}
