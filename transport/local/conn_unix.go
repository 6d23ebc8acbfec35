//go:build unix

package local

import (
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Detach implements [transport.Detacher].
func (c *Conn) Detach() (int, error) {
	dup := -1
	err := control(c.c, func(fd int) (err error) {
		dup, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
		return os.NewSyscallError("fcntl", err)
	})
	if err != nil {
		return -1, err
	}
	// The poller of the runtime forgets the descriptor that is closed here;
	// the duplicate it has never known.
	if err := c.Close(); err != nil {
		unix.Close(dup)
		return -1, err
	}
	return dup, nil
}

// isHungUp tells whether the other side has closed c, and not only half of it:
// POLLHUP of poll(2). On macOS that means less.
func isHungUp(c syscall.Conn) (hungUp bool) {
	if runtime.GOOS == "darwin" {
		return false
	}
	_ = control(c, func(fd int) error { // fails if c is closed, which is nothing that the other side did
		fds := []unix.PollFd{{Fd: int32(fd)}}
		_, err := unix.Poll(fds, 0)
		hungUp = err == nil && fds[0].Revents&unix.POLLHUP != 0
		return err
	})
	return hungUp
}

// control calls f with the descriptor.
func control(c syscall.Conn, f func(fd int) error) error {
	rc, err := c.SyscallConn()
	if err != nil {
		return err
	}
	if cerr := rc.Control(func(fd uintptr) { err = f(int(fd)) }); cerr != nil {
		return cerr
	}
	return err
}
