package inherit

import "golang.org/x/sys/unix"

// devNull is the device number of /dev/null: major 1, minor 3
// (Documentation/admin-guide/devices.txt).
var devNull = unix.Mkdev(1, 3)

// kcmpFile asks kcmp(2) about open file descriptions.
const kcmpFile = 0

// WasClosed tells whether fd, one of 0, 1 and 2, was closed when this process was
// started. The runtime opens each closed one by itself, for reading and writing
// (runtime.checkfds), and nothing else tells it from a user's: > opens for writing
// only and < for reading only, and those who redirect several at once, such as
// daemon(3), open one description for all. One that is alone and open both ways is
// taken for closed; 1<>/dev/null is, too.
func WasClosed(fd int) bool {
	if !isNull(fd) {
		return false
	}
	for other := range 3 {
		if other != fd && isNull(other) && sameDescription(fd, other) {
			return false
		}
	}
	return true
}

// isNull tells whether fd is /dev/null, open for reading and writing.
func isNull(fd int) bool {
	var st unix.Stat_t
	if fd < 0 || fd > 2 || unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR || uint64(st.Rdev) != devNull {
		return false
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	return err == nil && flags&unix.O_ACCMODE == unix.O_RDWR
}

// sameDescription tells whether two descriptors are dup(2)s of each other, as far as
// the system says.
func sameDescription(a, b int) bool {
	pid := uintptr(unix.Getpid())
	order, _, errno := unix.Syscall6(unix.SYS_KCMP, pid, pid, kcmpFile, uintptr(a), uintptr(b), 0)
	return errno == 0 && order == 0
}
