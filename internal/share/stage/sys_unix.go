//go:build unix

package stage

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// noFollow refuses symbolic links, and does not wait for pipes.
const noFollow = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// tryLock locks f until it is closed or the process ends, however it ends.
func tryLock(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return ErrBusy
	}
	return err
}

// ownedAlone tells whether nobody but this user has anything to do with the folder.
func ownedAlone(fi fs.FileInfo) bool {
	st, ok := fi.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid() && fi.Mode().Perm()&0o077 == 0
}

func dirSync(f *os.File) error { return f.Sync() }
