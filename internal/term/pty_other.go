//go:build unix && !linux

package term

import (
	"os"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// OpenPTY returns both sides of a new pseudo terminal and the path of the slave.
// The master has deadlines; the slave is a plain blocking descriptor, fit to be
// handed to a program. Neither becomes the controlling terminal.
func OpenPTY() (master, slave *os.File, path string, err error) {
	p, slave, err := pty.Open()
	if err != nil {
		return nil, nil, "", err
	}
	defer p.Close()
	fd, err := unix.FcntlInt(p.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		slave.Close()
		return nil, nil, "", err
	}
	return os.NewFile(uintptr(fd), p.Name()), slave, slave.Name(), nil
}
