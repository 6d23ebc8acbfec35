//go:build linux || darwin || freebsd

package stage

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// linkTime gives a symbolic link its time.
func linkTime(dir *os.File, name string, t time.Time) error {
	ts, err := unix.TimeToTimespec(t)
	if err != nil {
		return err
	}
	return unix.UtimesNanoAt(int(dir.Fd()), name, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW)
}

// fileTime gives a file its time. os.Root would look first whether it is a link, as fill has.
func fileTime(dir *os.File, _ *os.Root, name string, t time.Time) error {
	return linkTime(dir, name, t)
}
