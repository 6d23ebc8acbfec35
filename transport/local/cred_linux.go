package local

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/transport"
)

// peerCred is who connected or listens, as unix(7) tells in SO_PEERCRED; nil if
// it does not.
func peerCred(c syscall.Conn) (cred *transport.Cred) {
	_ = control(c, func(fd int) error {
		u, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err == nil && u.Uid != ^uint32(0) { // nobody; PID 0 is a process that our namespace does not show
			cred = &transport.Cred{PID: int(u.Pid), UID: int(u.Uid), GID: int(u.Gid)}
		}
		return err
	})
	return cred
}

// maxGroups bounds the groups that are looked at: NGROUPS_MAX of Linux.
const maxGroups = 65536

// peerGroups is the other groups that the process at the other side is in.
func peerGroups(c syscall.Conn) (groups []int) {
	_ = control(c, func(fd int) error {
		for room := uint32(64); room <= maxGroups; {
			gids := make([]uint32, room)
			size := room * 4
			_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
				uintptr(unsafe.Pointer(&gids[0])), uintptr(unsafe.Pointer(&size)), 0)
			if errno == unix.ERANGE && size/4 > room {
				room = size / 4
				continue
			}
			if errno != 0 {
				return errno
			}
			for _, g := range gids[:size/4] {
				groups = append(groups, int(g))
			}
			return nil
		}
		return nil
	})
	return groups
}
