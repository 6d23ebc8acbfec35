//go:build unix

package main

import (
	"testing"

	"golang.org/x/sys/unix"
)

// ownStdio keeps the test's standard input and output, which the program closes in the
// end, until restore.
func ownStdio(t *testing.T) (restore func()) {
	t.Helper()
	var kept [2]int
	for fd := range kept {
		var err error
		if kept[fd], err = unix.Dup(fd); err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		for fd, dup := range kept {
			unix.Dup2(dup, fd)
			unix.Close(dup)
		}
	}
}
