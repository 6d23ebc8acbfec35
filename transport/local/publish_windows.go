package local

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
)

// A socketFile is a socket in the file system that this process has made. Its
// listener removes it.
type socketFile struct{ place *place }

func (f *socketFile) remove() { f.place.close() }

func publishAt(ctx context.Context, network string, p *place, a *Access) (*net.UnixListener, *socketFile, error) {
	if ctx.Err() != nil {
		return nil, nil, contextError(ctx)
	}
	name, err := p.sockName(p.base)
	if err != nil {
		return nil, nil, err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, network, name)
	if errors.Is(err, addrInUse) {
		if err := removeDead(name); err != nil {
			return nil, nil, err
		}
		l, err = lc.Listen(ctx, network, name)
	}
	if err != nil {
		return nil, nil, err
	}
	ln := l.(*net.UnixListener)
	ln.SetUnlinkOnClose(a.Unlink.Or(true))
	return ln, &socketFile{place: p}, nil
}

// removeDead removes a socket that no program has any more. Whatever else is there
// stays and is an error.
func removeDead(name string) error {
	info, err := os.Lstat(name)
	switch {
	case err != nil:
		return err
	case info.Mode()&fs.ModeSocket == 0:
		return errNotSocket
	}
	gone, err := refuses(name)
	switch {
	case err != nil:
		return err
	case !gone:
		return errInUse
	}
	return os.Remove(name)
}
