package proc

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/internal/term"
)

// growPipe asks for pipeSize bytes, and does without where there are not so many.
func growPipe(f *os.File) {
	_ = term.Control(f, func(fd int) error {
		_, err := unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, pipeSize)
		return err
	})
}
