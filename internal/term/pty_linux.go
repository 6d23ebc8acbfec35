package term

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// OpenPTY returns both sides of a new pseudo terminal and the path of the slave.
// The master has deadlines; the slave is a plain blocking descriptor, fit to be
// handed to a program. Neither becomes the controlling terminal.
func OpenPTY() (master, slave *os.File, path string, err error) {
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, "", err
	}
	err = Control(master, func(fd int) error {
		n, err := unix.IoctlGetUint32(fd, unix.TIOCGPTN)
		if err != nil {
			return err
		}
		path = fmt.Sprintf("/dev/pts/%d", n)
		return unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	})
	if err == nil {
		slave, err = openSlave(path)
	}
	if err != nil {
		master.Close()
		return nil, nil, "", fmt.Errorf("pseudo terminal: %w", err)
	}
	return master, slave, path, nil
}

func openSlave(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}
