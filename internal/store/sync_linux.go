package store

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncFile has the data of a file on the disk. Its times, which change with each write, are left: to have them there as well would take a
// commit of the file system's journal, with what all others have written.
func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // nothing was written to it
	for {
		if err := unix.Fdatasync(int(f.Fd())); err != unix.EINTR { //nolint:errorlint // it is an errno
			return os.NewSyscallError("fdatasync", err)
		}
	}
}
