package local

import "golang.org/x/sys/unix"

// peerPID is the process at the other side; 0 if the system does not tell.
func peerPID(fd int) int {
	pid, _ := unix.GetsockoptInt(fd, unix.SOL_LOCAL, unix.LOCAL_PEERPID) // 0 with an error
	return pid
}
