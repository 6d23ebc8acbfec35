//go:build unix

package main

import (
	"errors"

	"golang.org/x/sys/unix"
)

// terminalGone tells whether standard input, output or error was a terminal that
// has hung up: every ioctl fails then.
func terminalGone() bool {
	for fd := range 3 {
		if _, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ); errors.Is(err, unix.EIO) {
			return true
		}
	}
	return false
}
