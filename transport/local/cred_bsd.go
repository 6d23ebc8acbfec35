//go:build darwin || freebsd

package local

import (
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/transport"
)

// peerCred is who connected or listens, as LOCAL_PEERCRED tells (unix(4)); nil if
// it does not.
func peerCred(c syscall.Conn) (cred *transport.Cred) {
	_ = control(c, func(fd int) error {
		x, err := unix.GetsockoptXucred(fd, unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
		if err == nil && x.Ngroups > 0 {
			cred = &transport.Cred{PID: peerPID(fd), UID: int(x.Uid), GID: int(x.Groups[0])}
		}
		return err
	})
	return cred
}

// peerGroups is the groups that the process at the other side is in, of which the
// system tells 16.
func peerGroups(c syscall.Conn) (groups []int) {
	_ = control(c, func(fd int) error {
		x, err := unix.GetsockoptXucred(fd, unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
		if err != nil {
			return err
		}
		for _, g := range x.Groups[:min(max(int(x.Ngroups), 0), len(x.Groups))] {
			groups = append(groups, int(g))
		}
		return nil
	})
	return groups
}
