//go:build unix

package local

import "syscall"

const (
	addrInUse   = syscall.EADDRINUSE
	connRefused = syscall.ECONNREFUSED
)
