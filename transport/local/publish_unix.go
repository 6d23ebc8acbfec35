//go:build unix

package local

import (
	"context"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A socketFile is a socket in the file system that this process has made.
type socketFile struct {
	place *place
	id    fileID
	keep  bool
}

// A fileID tells a file from any other that has or had its name.
type fileID struct{ dev, ino uint64 }

// remove removes the file, unless its name belongs to another one by now. It is
// called while the socket is still alive, so that no other listener can have
// begun to take it over.
func (f *socketFile) remove() {
	if f == nil {
		return
	}
	defer f.place.close()
	if f.keep || f.place.dir == nil {
		return
	}
	if id, _, err := f.place.stat(f.place.base); err == nil && id == f.id {
		_ = unix.Unlinkat(f.place.fd(), f.place.base, 0) // it was ours to tidy; there is nobody to tell
	}
}

func (p *place) fd() int { return int(p.dir.Fd()) }

// stat looks at a file of the place, not at what a symbolic link means.
func (p *place) stat(base string) (id fileID, mode uint32, err error) {
	var st unix.Stat_t
	if err := unix.Fstatat(p.fd(), base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return id, 0, os.NewSyscallError("stat", err)
	}
	return fileID{uint64(st.Dev), uint64(st.Ino)}, uint32(st.Mode), nil
}

// setAccess gives a socket file its owner and permissions, in this order.
func (p *place) setAccess(base string, a *Access) error {
	uid, gid, err := a.owner()
	if err != nil {
		return err
	}
	if uid != -1 || gid != -1 {
		if err := unix.Fchownat(p.fd(), base, uid, gid, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return os.NewSyscallError("chown", err)
		}
	}
	return os.NewSyscallError("chmod", unix.Fchmodat(p.fd(), base, uint32(a.mode()), 0))
}

// dead returns which file stands at the place if it is a socket that no program
// has any more. Otherwise the error says what it is.
func (p *place) dead() (id fileID, err error) {
	id, mode, err := p.stat(p.base)
	switch {
	case err != nil:
		return id, err
	case mode&unix.S_IFMT != unix.S_IFSOCK:
		return id, errNotSocket
	}
	name, err := p.sockName(p.base)
	if err != nil {
		return id, err
	}
	gone, err := refuses(name)
	switch {
	case err != nil:
		return id, err
	case !gone:
		return id, errInUse
	}
	return id, nil
}

// lockPatience is how long a process waits for another one that is also about to
// listen in the directory. After that it goes on: who holds the lock may be
// anybody who can read the directory.
const lockPatience = time.Second

// lock keeps other listeners of this program from deciding about the directory at
// the same time. Where it cannot be locked, they may; then one of them may find
// its socket replaced.
func (p *place) lock(ctx context.Context) (unlock func()) {
	for end := time.Now().Add(lockPatience); time.Now().Before(end) && ctx.Err() == nil; {
		err := unix.Flock(p.fd(), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { _ = unix.Flock(p.fd(), unix.LOCK_UN) }
		}
		if err != unix.EWOULDBLOCK && err != unix.EINTR {
			break
		}
		time.Sleep(time.Millisecond)
	}
	return func() {}
}
