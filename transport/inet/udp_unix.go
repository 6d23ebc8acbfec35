//go:build unix

package inet

import "golang.org/x/sys/unix"

const errMsgSize = unix.EMSGSIZE

// wasCut tells whether the datagram that was read with these flags was longer than
// its buffer.
func wasCut(flags int, err error) (bool, error) { return flags&unix.MSG_TRUNC != 0, err }
