//go:build unix && !linux

package local

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// publishAt makes the socket in a directory that nobody else may enter, since
// bind(2) has no other way here to keep everybody out from the first moment.
func publishAt(ctx context.Context, network string, p *place, a *Access) (_ *net.UnixListener, _ *socketFile, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, contextError(ctx)
	}
	dir := fmt.Sprintf(".tenon-%08x", rand.Uint32())
	aside := dir + "/s"
	sockName, err := p.sockName(aside)
	if err != nil {
		return nil, nil, err
	}
	if err := unix.Mkdirat(p.fd(), dir, 0o700); err != nil {
		return nil, nil, os.NewSyscallError("mkdir", err)
	}
	defer func() { _ = unix.Unlinkat(p.fd(), dir, unix.AT_REMOVEDIR) }() // is empty by then
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, network, sockName)
	if err != nil {
		return nil, nil, err
	}
	ln := l.(*net.UnixListener)
	ln.SetUnlinkOnClose(false)
	f := &socketFile{place: p, keep: !a.Unlink.Or(true)}
	if err = p.setAccess(aside, a); err == nil {
		if f.id, _, err = p.stat(aside); err == nil {
			err = p.putInPlace(ctx, aside)
		}
	}
	if err != nil {
		_ = unix.Unlinkat(p.fd(), aside, 0)
		ln.Close()
		return nil, nil, err
	}
	return ln, f, nil
}

// putInPlace renames aside to its final name. Not all systems have a rename that
// replaces nothing: what somebody puts there meanwhile who does not lock is lost.
func (p *place) putInPlace(ctx context.Context, aside string) error {
	defer p.lock(ctx)()
	if _, err := p.dead(); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.NewSyscallError("rename", unix.Renameat(p.fd(), aside, p.fd(), p.base))
}
