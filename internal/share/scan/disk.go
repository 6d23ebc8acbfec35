package scan

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"
)

// A stat is what tells one state of a file from another.
type stat struct {
	dev, ino     uint64
	size         int64
	mtime, ctime int64 // nanoseconds since 1970
}

// info is what is known of something without opening it.
type info struct {
	stat
	mode   fs.FileMode
	sparse bool // it has fewer bytes on disk than its size, by holes or by compression
}

func (i info) regular() bool { return i.mode.IsRegular() }

// A disk of its own for each system gives:
//
//	openFolder(path)          a directory, wherever links lead to
//	folder.folder, open       what is in it, and never through a link, nor waiting for anybody
//	folder.lstat, link, names
//	folder.below(path)        a file some directories below, without links on the way
//	file.ReadAt, stat, holes, expectHoles
//	changeTime                whether there is a time of change that no program can set

// walkBelow opens a file below a directory, one directory after the other.
func walkBelow(d *folder, path string) (*file, error) {
	owned := false
	for {
		name, rest, more := strings.Cut(path, "/")
		if !more {
			f, err := d.open(name)
			if owned {
				d.close()
			}
			return f, err
		}
		next, err := d.folder(name)
		if owned {
			d.close()
		}
		if err != nil {
			return nil, err
		}
		d, path, owned = next, rest, true
	}
}

// statOf returns what tells a directory from others.
func statOf(dir string) (stat, error) {
	d, err := openFolder(dir)
	if err != nil {
		return stat{}, err
	}
	defer d.close()
	i, err := d.lstat(".")
	return i.stat, err
}

// gone tells whether an error means that the file is not there, or is something else.
func gone(err error) bool {
	for _, e := range []error{fs.ErrNotExist, syscall.ENOTDIR, syscall.ELOOP, syscall.ENXIO, syscall.EXDEV, syscall.EMLINK, syscall.EISDIR} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// kind says what something is that cannot be shared.
func kind(m fs.FileMode) string {
	switch {
	case m&fs.ModeDevice != 0:
		return "a device"
	case m&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeSymlink != 0:
		return "a symbolic link"
	case m.IsDir():
		return "a directory"
	case m.IsRegular():
		return "a file"
	}
	return "something special"
}
