//go:build unix && !node && !nopeer

package main

import (
	"os"
	"syscall"
)

// replace has this process run another program. It returns only if that fails.
func replace(path string, args, env []string) error {
	return os.NewSyscallError("exec "+path, syscall.Exec(path, args, env))
}

// own tells whether a file belongs to this user or to root.
func own(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && (st.Uid == 0 || int(st.Uid) == os.Geteuid())
}
