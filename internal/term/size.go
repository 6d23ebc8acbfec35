//go:build unix

package term

import (
	"os"

	"golang.org/x/sys/unix"
)

// Size returns the size of the terminal f in characters; 0, 0 if it has none.
func Size(f *os.File) (rows, cols int) {
	_ = Control(f, func(fd int) error { // without a size it stays 0, 0
		rows, cols = SizeOf(fd)
		return nil
	})
	return rows, cols
}

// SizeOf is [Size] of a descriptor.
func SizeOf(fd int) (rows, cols int) {
	w, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ)
	if err != nil {
		return 0, 0
	}
	return int(w.Row), int(w.Col)
}

// SetSize sets the size of the terminal f; its programs get a SIGWINCH.
func SetSize(f *os.File, rows, cols int) error {
	w := &unix.Winsize{Row: clamp(rows), Col: clamp(cols)}
	return Control(f, func(fd int) error { return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, w) })
}

func clamp(n int) uint16 { return uint16(max(0, min(n, 1<<16-1))) }
