package file

import (
	"os"

	"golang.org/x/sys/unix"
)

// An inotify tells of changes to one file (inotify(7)).
type inotify struct{ f *os.File }

func watch(path string) (growth, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	f := os.NewFile(uintptr(fd), "inotify")
	if _, err := unix.InotifyAddWatch(fd, path, unix.IN_MODIFY|unix.IN_ATTRIB); err != nil {
		f.Close()
		return nil, os.NewSyscallError("inotify_add_watch", err)
	}
	return inotify{f}, nil
}

// wait returns after a change. What the events say does not matter.
func (i inotify) wait() error {
	var events [4096]byte
	_, err := i.f.Read(events[:])
	return err
}

func (i inotify) Close() error { return i.f.Close() }
