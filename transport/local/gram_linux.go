package local

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// bindGram opens a datagram socket under a name. Unlike those of [publish] it is
// not made aside, for its name is the address that its datagrams carry.
func bindGram(ctx context.Context, name string, a *Access) (*net.UnixConn, *socketFile, error) {
	if ctx.Err() != nil {
		return nil, nil, contextError(ctx)
	}
	p, err := openPlace(name)
	if err != nil {
		return nil, nil, listenError("unixgram", name, err)
	}
	c, f, err := bindGramAt(ctx, p, a)
	if err != nil {
		p.close()
		return nil, nil, listenError("unixgram", name, err)
	}
	return c, f, nil
}

func bindGramAt(ctx context.Context, p *place, a *Access) (*net.UnixConn, *socketFile, error) {
	name, err := p.sockName(p.base)
	if err != nil {
		return nil, nil, err
	}
	f := &socketFile{place: p, keep: !a.Unlink.Or(true)}
	if p.dir != nil {
		defer p.lock(ctx)()
	}
	lc := net.ListenConfig{Control: private}
	pc, err := lc.ListenPacket(ctx, "unixgram", name)
	if errors.Is(err, syscall.EADDRINUSE) && p.dir != nil {
		if _, err := p.dead(); err != nil {
			return nil, nil, err
		}
		if err := unix.Unlinkat(p.fd(), p.base, 0); err != nil {
			return nil, nil, os.NewSyscallError("unlink", err)
		}
		pc, err = lc.ListenPacket(ctx, "unixgram", name)
	}
	if err != nil {
		return nil, nil, err
	}
	c := pc.(*net.UnixConn)
	if p.dir != nil {
		if f.id, _, err = p.stat(p.base); err == nil {
			err = p.setAccess(p.base, a)
		}
		if err != nil {
			f.remove()
			c.Close()
			return nil, nil, err
		}
	}
	return c, f, nil
}

// openReceiver opens a datagram socket under a name, which receives from whom the Access lets in.
func openReceiver(ctx context.Context, name string, a *Access) (*net.UnixConn, *socketFile, *guard, error) {
	if err := a.validate(name); err != nil {
		return nil, nil, nil, err
	}
	g, err := a.guard(name)
	if err != nil {
		return nil, nil, nil, err
	}
	c, f, err := bindGram(ctx, name, a)
	if err != nil {
		return nil, nil, nil, err
	}
	if err := passCred(c); err != nil {
		f.remove()
		c.Close()
		return nil, nil, nil, err
	}
	return c, f, g, nil
}

// autobind is the Control function of a socket that others can answer to. A name of
// no bytes is one that the kernel chooses; unix(7), "Autobind feature".
func autobind(_, _ string, rc syscall.RawConn) (err error) {
	cerr := rc.Control(func(fd uintptr) { err = os.NewSyscallError("bind", unix.Bind(int(fd), &unix.SockaddrUnix{})) })
	return errors.Join(cerr, err)
}

// sendTo sends a datagram to a name, or tells that it would have to wait. It uses
// package syscall because the addresses of package unix have a byte less.
func sendTo(c *net.UnixConn, p []byte, name string) (full bool, err error) {
	err = control(c, func(fd int) error {
		for {
			err := syscall.Sendto(fd, p, syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL, &syscall.SockaddrUnix{Name: name})
			if err != syscall.EINTR {
				full = err == syscall.EAGAIN
				return os.NewSyscallError("sendto", err)
			}
		}
	})
	return full, err
}
