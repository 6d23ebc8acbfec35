// Package inherit knows about the three standard descriptors as this process found
// them, for the kinds that use them or hand them to programs.
//
// The Go runtime opens /dev/null on those of them that are closed when a program
// starts, so that no other file gets their numbers. What is written there is lost
// without a word, where write(2) would have said EBADF. The package tells such a
// descriptor from one that the user has redirected.
package inherit

import (
	"errors"
	"os"
)

// ErrClosed is what writing to a descriptor should say that was closed.
var ErrClosed = errors.New("the descriptor was closed when the program was started")

// File returns standard file 0, 1 or 2 for a program to inherit, or nil if it was
// closed: then [os.ProcAttr] has the program find it closed, too.
func File(fd int) *os.File {
	if WasClosed(fd) {
		return nil
	}
	return [...]*os.File{os.Stdin, os.Stdout, os.Stderr}[fd]
}
