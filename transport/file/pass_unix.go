//go:build unix

package file

import (
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/internal/term"
)

// passed returns a duplicate of f, which stands where reading would go on.
func (e *File) passed(f *os.File, in input) (dup *os.File, err error) {
	if r, ok := in.(*reader); ok && !e.writes() {
		if _, err := f.Seek(r.at, io.SeekStart); err != nil {
			return nil, err
		}
	}
	err = term.Control(f, func(fd int) (err error) {
		dup, err = duplicate(fd, e.Path)
		return err
	})
	return dup, err
}

func passing(fd int, name string) func() (*os.File, error) {
	return func() (*os.File, error) { return duplicate(fd, name) }
}

func duplicate(fd int, name string) (*os.File, error) {
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(dup), name), nil
}
