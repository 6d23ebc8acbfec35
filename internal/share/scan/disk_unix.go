//go:build unix

package scan

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

const changeTime = true

// Never waits for who opens the other side of a pipe, never follows a link.
const careful = unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOFOLLOW | unix.O_CLOEXEC | unix.O_NOCTTY

// A folder is a directory that is open. What is in it is found by its descriptor, so that
// nobody can put another one in its place meanwhile.
type folder struct{ fd int }

func openFolder(path string) (*folder, error) {
	fd, err := openAt(unix.AT_FDCWD, path, careful&^unix.O_NOFOLLOW|unix.O_DIRECTORY)
	return &folder{fd}, err
}

func (d *folder) folder(name string) (*folder, error) {
	fd, err := openAt(d.fd, name, careful|unix.O_DIRECTORY)
	return &folder{fd}, err
}

func (d *folder) open(name string) (*file, error) {
	fd, err := openAt(d.fd, name, careful)
	return &file{fd: fd}, err
}

func openAt(dir int, name string, flags int) (int, error) {
	return again(func() (int, error) { return unix.Openat(dir, name, flags, 0) })
}

// again repeats what a signal has interrupted.
func again(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

func (d *folder) lstat(name string) (info, error) {
	var st unix.Stat_t
	_, err := again(func() (int, error) { return 0, unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	return infoOf(&st), err
}

func (d *folder) link(name string) (string, error) {
	b := make([]byte, 4097) // longer ones cannot be shared
	n, err := again(func() (int, error) { return unix.Readlinkat(d.fd, name, b) })
	return string(b[:max(0, n)]), err
}

// names returns the names that are in the directory, which is read but once.
func (d *folder) names() ([]string, error) {
	fd, err := again(func() (int, error) { return unix.FcntlInt(uintptr(d.fd), unix.F_DUPFD_CLOEXEC, 0) })
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), ".")
	defer f.Close() //nolint:errcheck // it was only read
	return f.Readdirnames(-1)
}

func (d *folder) close() {
	unix.Close(d.fd) //nolint:errcheck // it was only read
}

// A file is one that is open to be read.
type file struct {
	fd     int
	sparse bool // ReadAt looks for holes
}

// expectHoles has ReadAt look for holes, or not. Nobody reads meanwhile.
func (f *file) expectHoles(yes bool) { f.sparse = yes }

// ReadAt implements io.ReaderAt. What is in a hole is not read: that would fill the memory of the system with zeros.
func (f *file) ReadAt(p []byte, off int64) (n int, err error) {
	if f.sparse && f.hole(off, off+int64(len(p))) {
		clear(p)
		return len(p), nil
	}
	for n < len(p) {
		m, err := again(func() (int, error) { return unix.Pread(f.fd, p[n:], off+int64(n)) })
		if err != nil {
			return n, err
		}
		if m == 0 {
			return n, io.EOF
		}
		n += m
	}
	return n, nil
}

func (f *file) stat() (info, error) {
	var st unix.Stat_t
	_, err := again(func() (int, error) { return 0, unix.Fstat(f.fd, &st) })
	return infoOf(&st), err
}

// hole tells whether a range of the file is there and is a hole.
func (f *file) hole(from, to int64) bool {
	if !holesKnown || from >= to {
		return false
	}
	data, err := unix.Seek(f.fd, from, seekData)
	if errors.Is(err, unix.ENXIO) { // there is no data up to the end
		data, err = unix.Seek(f.fd, 0, io.SeekEnd)
	}
	return err == nil && data >= to
}

// holesKnown tells whether the system can be asked for holes.
const holesKnown = runtime.GOOS == "linux" || runtime.GOOS == "freebsd" || runtime.GOOS == "darwin"

func (f *file) close() {
	unix.Close(f.fd) //nolint:errcheck // it was only read
}

// holes tells whether there are ranges without data. To have fewer blocks than bytes is not
// enough: the file system may compress.
func (f *file) holes(size int64) bool {
	if !holesKnown {
		return false
	}
	hole, err := unix.Seek(f.fd, 0, seekHole)
	return err == nil && hole < size
}

func infoOf(st *unix.Stat_t) info {
	mode := fs.FileMode(st.Mode & 0o777)
	for _, bit := range []struct{ from, to uint32 }{
		{unix.S_ISUID, uint32(fs.ModeSetuid)}, {unix.S_ISGID, uint32(fs.ModeSetgid)}, {unix.S_ISVTX, uint32(fs.ModeSticky)},
	} {
		if uint32(st.Mode)&bit.from != 0 {
			mode |= fs.FileMode(bit.to)
		}
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
	case unix.S_IFDIR:
		mode |= fs.ModeDir
	case unix.S_IFLNK:
		mode |= fs.ModeSymlink
	case unix.S_IFIFO:
		mode |= fs.ModeNamedPipe
	case unix.S_IFSOCK:
		mode |= fs.ModeSocket
	case unix.S_IFBLK, unix.S_IFCHR:
		mode |= fs.ModeDevice
	default:
		mode |= fs.ModeIrregular
	}
	return info{
		stat:   stat{uint64(st.Dev), uint64(st.Ino), st.Size, st.Mtim.Nano(), st.Ctim.Nano()}, //nolint:unconvert // not on all systems
		mode:   mode,
		sparse: st.Blocks*512 < st.Size,
	}
}
