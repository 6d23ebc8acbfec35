//go:build unix

package local

import (
	"os"
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
