package scan

import (
	"io/fs"
	"os"
	"syscall"
)

// Windows keeps a time of change, but does not tell it here. So no file is trusted to be
// what was hashed: all are hashed again when they are sent.
const changeTime = false

type folder struct{ root *os.Root }

func openFolder(path string) (*folder, error) {
	root, err := os.OpenRoot(path)
	return &folder{root}, err
}

func (d *folder) folder(name string) (*folder, error) {
	i, err := d.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !i.IsDir() {
		return nil, syscall.ENOTDIR
	}
	root, err := d.root.OpenRoot(name)
	return &folder{root}, err
}

func (d *folder) open(name string) (*file, error) {
	before, err := d.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !before.Mode().IsRegular() {
		return nil, syscall.ELOOP
	}
	f, err := d.root.Open(name)
	if err != nil {
		return nil, err
	}
	if after, err := f.Stat(); err != nil || !os.SameFile(before, after) {
		f.Close() //nolint:errcheck // it was not even read
		return nil, syscall.ELOOP
	}
	return &file{f}, nil
}

func (d *folder) lstat(name string) (info, error) {
	i, err := d.root.Lstat(name)
	if err != nil {
		return info{}, err
	}
	return infoOf(i), nil
}

func (d *folder) link(name string) (string, error) { return d.root.Readlink(name) }

func (d *folder) names() ([]string, error) {
	f, err := d.root.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	return f.Readdirnames(-1)
}

func (d *folder) close() {
	d.root.Close() //nolint:errcheck // it was only read
}

type file struct{ *os.File }

func (f *file) expectHoles(bool) {}

func (f *file) stat() (info, error) {
	i, err := f.Stat()
	if err != nil {
		return info{}, err
	}
	return infoOf(i), nil
}

func (f *file) close() {
	f.Close() //nolint:errcheck // it was only read
}

func (f *file) holes(int64) bool { return false }

func (f *file) local() bool { return false }

func infoOf(i fs.FileInfo) info {
	st := stat{size: i.Size(), mtime: i.ModTime().UnixNano(), ctime: i.ModTime().UnixNano()}
	if w, ok := i.Sys().(*syscall.Win32FileAttributeData); ok {
		st.ino = uint64(w.CreationTime.Nanoseconds()) // the nearest to a number of the file
	}
	return info{stat: st, mode: i.Mode()}
}
