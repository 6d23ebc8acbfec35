//go:build unix && !linux

package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/transport"
)

// become replaces this process by a program, in which the files have their places.
// It returns only if that fails. Only standard input and output can be such a
// place: others may be in use by the runtime of Go.
func become(path string, args, env []string, places []place) error {
	for _, p := range places {
		if p.at >= firstPassed {
			return transport.WithHint(fmt.Errorf("LISTEN_FDS: %w on this system", errors.ErrUnsupported), "--stdio works, and so does tenon take without a program")
		}
		if err := onDescriptor(p.file, func(fd int) error { return unix.Dup2(fd, p.at) }); err != nil {
			return os.NewSyscallError("dup2", err)
		}
	}
	return os.NewSyscallError("exec "+path, syscall.Exec(path, args, env))
}
