package load

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// pinRole becomes another program, on one processor: @pin PROGRAM ARGS...
const pinRole = "pin"

// Pinned is the words of a command that runs on one processor only: the first that this process may use.
func Pinned(self string, words []string) []string {
	return append([]string{self, prefix + pinRole}, words...)
}

// pin returns an exit status, if at all.
func pin(args []string) int {
	err := errors.New("what is to be run?")
	if len(args) > 0 {
		err = execOnOne(args)
	}
	fmt.Fprintln(os.Stderr, "bench: pin:", err)
	return 1
}

// execOnOne pins the thread that calls execve(2), and so all that come after it: sched_setaffinity(2).
func execOnOne(args []string) error {
	runtime.LockOSThread()
	var may, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &may); err != nil {
		return os.NewSyscallError("sched_getaffinity", err)
	}
	first := 0
	for !may.IsSet(first) {
		first++
	}
	one.Set(first)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return os.NewSyscallError("sched_setaffinity", err)
	}
	return os.NewSyscallError("execve", syscall.Exec(args[0], args, os.Environ()))
}
