//go:build unix

package swarm

import (
	"io"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// peek waits for the first byte of a connection, and leaves it there.
func peek(c *net.TCPConn, limit time.Duration) (byte, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	if err := c.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return 0, err
	}
	var first [1]byte
	n, got := 0, error(nil)
	err = raw.Read(func(fd uintptr) bool {
		for {
			n, _, got = unix.Recvfrom(int(fd), first[:], unix.MSG_PEEK)
			if got != unix.EINTR { //nolint:errorlint // a number of the system
				return got != unix.EAGAIN //nolint:errorlint // a number of the system
			}
		}
	})
	switch {
	case err != nil:
		return 0, err
	case got != nil:
		return 0, got
	case n <= 0:
		return 0, io.EOF
	}
	return first[0], c.SetReadDeadline(time.Time{})
}

// quietly tells whether nothing has come over a connection, not even its end.
func quietly(c *net.TCPConn) bool {
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	var got error
	if err := raw.Control(func(fd uintptr) {
		var first [1]byte
		_, _, got = unix.Recvfrom(int(fd), first[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	}); err != nil {
		return false
	}
	return got == unix.EAGAIN //nolint:errorlint // a number of the system
}
