package scan

import (
	"errors"

	"golang.org/x/sys/unix"
)

// below opens a file some directories below, by one system call where the kernel is not
// older than 5.6 and no sandbox forbids it.
func (d *folder) below(path string) (*file, error) {
	how := unix.OpenHow{Flags: careful, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS}
	fd, err := again(func() (int, error) { return unix.Openat2(d.fd, path, &how) })
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EAGAIN) {
		return walkBelow(d, path)
	}
	return &file{fd: fd}, err
}
