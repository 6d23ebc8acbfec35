//go:build darwin || freebsd

package stage

import (
	"os"

	"golang.org/x/sys/unix"
)

// freeSpace returns how many bytes this user can still write.
func freeSpace(dir *os.File) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(dir.Fd()), &st); err != nil {
		return 0, err
	}
	return max(0, int64(st.Bavail)) * int64(st.Bsize), nil
}
