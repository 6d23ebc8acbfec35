package stage

import (
	"errors"
	"io/fs"
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// manyFiles is from how many files on all of the file system is synced at once: a sync for
// each of many small ones takes 8 ms a file, one for all a tenth of a second for thousands.
const manyFiles = 16

const canSyncAll = true

func dataSync(f *os.File) error { return unix.Fdatasync(int(f.Fd())) }

func fsSync(f *os.File) error { return unix.Syncfs(int(f.Fd())) }

// freeSpace returns how many bytes this user can still write.
func freeSpace(dir *os.File) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(dir.Fd()), &st); err != nil {
		return 0, err
	}
	return int64(min(st.Bavail, uint64(math.MaxInt64/max(st.Bsize, 1)))) * st.Bsize, nil
}

// renameNew renames what is in one directory into another, and replaces nothing.
func renameNew(from *os.File, name string, to *os.File, as string) error {
	err := unix.Renameat2(int(from.Fd()), name, int(to.Fd()), as, unix.RENAME_NOREPLACE)
	switch {
	case errors.Is(err, unix.EEXIST):
		return fs.ErrExist
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS):
		return errors.ErrUnsupported // by this file system
	}
	return err
}
