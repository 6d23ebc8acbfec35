//go:build linux && !ppc && !ppc64 && !ppc64le

package file

import "golang.org/x/sys/unix"

const (
	getLine = unix.TCGETS2
	setLine = unix.TCSETS2
)
