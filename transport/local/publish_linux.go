package local

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/transport"
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
	return fileID{uint64(st.Dev), st.Ino}, st.Mode, nil
}

// private is the Control function that keeps everybody else out of a socket file
// from the moment it exists: bind(2) takes its permissions from the socket.
func private(_, _ string, rc syscall.RawConn) (err error) {
	cerr := rc.Control(func(fd uintptr) { err = os.NewSyscallError("fchmod", unix.Fchmod(int(fd), 0o600)) })
	return errors.Join(cerr, err)
}

// publish opens a socket that listens under a name. It is made aside, with its
// owner and permissions, and renamed into place when it already listens, so that
// nobody ever finds it half ready. A socket there whose program is gone is
// replaced; whatever else is there stays and is an error.
func publish(ctx context.Context, network, name string, a *Access) (*net.UnixListener, *socketFile, error) {
	p, err := openPlace(name)
	if err != nil {
		return nil, nil, listenError(network, name, err)
	}
	ln, f, err := publishAt(ctx, network, p, a)
	if err != nil {
		p.close()
		return nil, nil, listenError(network, name, err)
	}
	return ln, f, nil
}

func publishAt(ctx context.Context, network string, p *place, a *Access) (*net.UnixListener, *socketFile, error) {
	lc := net.ListenConfig{Control: private}
	aside := fmt.Sprintf(".tenon-%016x", rand.Uint64())
	sockName, err := p.sockName(aside)
	if err != nil {
		return nil, nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, contextError(ctx)
	}
	l, err := lc.Listen(ctx, network, sockName)
	if err != nil {
		return nil, nil, err
	}
	ln := l.(*net.UnixListener)
	ln.SetUnlinkOnClose(false)
	f := &socketFile{place: p, keep: !a.Unlink.Or(true)}
	if p.dir == nil {
		return ln, f, nil
	}
	if err = p.dress(aside, a); err == nil {
		if f.id, _, err = p.stat(aside); err == nil {
			err = p.putInPlace(ctx, aside, f.id)
		}
	}
	if err != nil {
		_ = unix.Unlinkat(p.fd(), aside, 0)
		ln.Close()
		return nil, nil, err
	}
	return ln, f, nil
}

// dress gives a socket file its owner and permissions, in this order.
func (p *place) dress(base string, a *Access) error {
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

// putInPlace renames aside to its final name.
func (p *place) putInPlace(ctx context.Context, aside string, id fileID) error {
	unlock := p.lock(ctx)
	defer unlock()
	err := unix.Renameat2(p.fd(), aside, p.fd(), p.base, unix.RENAME_NOREPLACE)
	if err != unix.EEXIST {
		return os.NewSyscallError("rename", err)
	}
	dead, err := p.dead()
	if err != nil {
		return err
	}
	if err := unix.Renameat2(p.fd(), aside, p.fd(), p.base, unix.RENAME_EXCHANGE); err != nil {
		return os.NewSyscallError("rename", err)
	}
	if out, _, err := p.stat(aside); err != nil || out != dead {
		// Somebody who does not lock was faster. It is theirs.
		_ = unix.Renameat2(p.fd(), aside, p.fd(), p.base, unix.RENAME_EXCHANGE)
		return errInUse
	}
	return os.NewSyscallError("unlink", unix.Unlinkat(p.fd(), aside, 0))
}

var (
	errInUse     = transport.WithHint(os.NewSyscallError("bind", unix.EADDRINUSE), "another program listens there; ss -xlp shows which")
	errNotSocket = transport.WithHint(os.NewSyscallError("bind", unix.EEXIST), "there is a file of that name that is not a socket; it was left alone")
)

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
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return id, os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: name}); err != unix.ECONNREFUSED {
		return id, errInUse // also if it is of another sort, or may not be connected to
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

// listenError names the path that was asked for.
func listenError(network, name string, err error) error {
	if errors.Is(err, transport.ErrUsage) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	hint := transport.Hint(err)
	switch {
	case hint != "":
	case errors.Is(err, syscall.EADDRINUSE):
		hint = transport.Hint(errInUse)
	case errors.Is(err, os.ErrNotExist):
		hint = "the directory does not exist; mkdir makes it"
	case errors.Is(err, os.ErrPermission):
		hint = "this user may not make files in the directory"
	}
	return transport.WithHint(&net.OpError{Op: "listen", Net: network, Addr: unixAddr(network, name), Err: cause(err)}, hint)
}
