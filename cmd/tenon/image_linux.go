//go:build !node && !nopeer

package main

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/internal/image"
)

// inMemory copies an image to a file that is in memory only, and that nobody can
// change afterwards.
func inMemory(f *os.File, i image.Image) (*os.File, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate("tenon", flags|unix.MFD_EXEC)
	if errors.Is(err, unix.EINVAL) { // Linux before 6.3
		fd, err = unix.MemfdCreate("tenon", flags)
	}
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	file := os.NewFile(uintptr(fd), fmt.Sprintf("/proc/self/fd/%d", fd))
	if err := fillMemory(fd, f, i); err != nil {
		file.Close() //nolint:errcheck // nothing of it is needed
		return nil, err
	}
	return file, nil
}

// fillMemory has the kernel copy: the bytes never are in memory of this process.
func fillMemory(fd int, f *os.File, i image.Image) error {
	for at, end := i.Offset, i.Offset+i.Length; at < end; {
		n, err := unix.Sendfile(fd, int(f.Fd()), &at, int(end-at))
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return os.NewSyscallError("sendfile", err)
		case n == 0:
			return fmt.Errorf("%s: %w", f.Name(), image.ErrDamaged)
		}
	}
	_, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SEAL|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE)
	return os.NewSyscallError("fcntl", err)
}
