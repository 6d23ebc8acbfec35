package main

import (
	"math"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// become replaces this process by a program, in which the files have their places.
// It returns only if that fails.
//
// The places may be those of descriptors that the runtime of Go is using, of its
// poller among others, and it does not survive if they change under it. So this
// thread leaves the others theirs and goes on with a copy of its own, which is the
// program's after execve(2).
func become(path string, args, env []string, places []place) error {
	runtime.LockOSThread() // for good
	if err := unshareFiles(); err != nil {
		return err
	}
	top := 0
	for _, p := range places {
		top = max(top, p.at)
	}
	aside := make([]int, len(places)) // above all places, where nobody is in the way
	for i, p := range places {
		err := onDescriptor(p.file, func(fd int) (err error) {
			aside[i], err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, top+1)
			return os.NewSyscallError("fcntl", err)
		})
		if err != nil {
			return err
		}
	}
	for i, p := range places {
		if err := unix.Dup3(aside[i], p.at, 0); err != nil {
			return os.NewSyscallError("dup3", err)
		}
	}
	return os.NewSyscallError("exec "+path, syscall.Exec(path, args, env))
}

// unshareFiles gives this thread a copy of the table of descriptors. Containers may
// be without unshare(2), and old kernels without the flag of close_range(2), which
// is asked to close nothing.
func unshareFiles() error {
	if unix.Unshare(unix.CLONE_FILES) == nil {
		return nil
	}
	return os.NewSyscallError("close_range", unix.CloseRange(math.MaxUint32, math.MaxUint32, unix.CLOSE_RANGE_UNSHARE))
}
