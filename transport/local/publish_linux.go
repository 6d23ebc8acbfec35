package local

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// private is the Control function that keeps everybody else out of a socket file
// from the moment it exists: bind(2) takes its permissions from the socket.
func private(_, _ string, rc syscall.RawConn) (err error) {
	cerr := rc.Control(func(fd uintptr) { err = os.NewSyscallError("fchmod", unix.Fchmod(int(fd), 0o600)) })
	return errors.Join(cerr, err)
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
	if err = p.setAccess(aside, a); err == nil {
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

// refuses tells whether no program has the socket of that name any more. One of
// another sort, and one that may not be connected to, is taken for alive.
func refuses(name string) (bool, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return false, os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	return unix.Connect(fd, &unix.SockaddrUnix{Name: name}) == unix.ECONNREFUSED, nil
}
