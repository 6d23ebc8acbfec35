//go:build linux && (ppc || ppc64 || ppc64le)

package file

import "golang.org/x/sys/unix"

// On this architecture the first version of termios has speeds already.
const (
	getLine = unix.TCGETS
	setLine = unix.TCSETS
)
