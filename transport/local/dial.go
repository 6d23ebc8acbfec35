package local

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// Unix connects to a unix socket of streams.
type Unix struct {
	Path string // path of the socket, or "@" and an abstract name

	abstract bool // the target is an abstract name without its @
}

var _ transport.Dialer = (*Unix)(nil)

// Bind binds the target.
func (u *Unix) Bind(s *opt.Set) { bindTarget(s, &u.Path, u.abstract) }

// Dial connects.
func (u *Unix) Dial(ctx context.Context) (transport.Conn, error) {
	c, err := dial(ctx, "unix", u.Path)
	if err != nil {
		return nil, err
	}
	return newConn(c, unixKind, c.LocalAddr(), unixAddr("unix", u.Path)), nil
}

// The pauses between attempts to connect to a listener whose queue is full.
const (
	firstPause = time.Millisecond
	lastPause  = 50 * time.Millisecond
)

// dial connects a socket of that network. A listener that is alive but has its
// queue full is tried again until ctx is done: unlike TCP, a unix socket does not
// wait by itself when it does not block.
func dial(ctx context.Context, network, name string) (*net.UnixConn, error) {
	p, err := openPlace(name)
	if err != nil {
		return nil, dialError(network, name, err)
	}
	defer p.close()
	to, err := p.sockName(p.base)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		c, err := d.DialContext(ctx, network, to)
		switch {
		case err == nil:
			return c.(*net.UnixConn), nil
		case errors.Is(err, os.ErrDeadlineExceeded) || ctx.Err() != nil:
			<-ctx.Done() // package net may say so a moment before the context does
			return nil, contextError(ctx)
		case !errors.Is(err, syscall.EAGAIN):
			return nil, dialError(network, name, err)
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil, contextError(ctx)
		}
	}
}

// dialError names the path that was asked for and says what can be done.
func dialError(network, name string, err error) error {
	if errors.Is(err, transport.ErrUsage) {
		return err
	}
	err = &net.OpError{Op: "dial", Net: network, Addr: unixAddr(network, name), Err: cause(err)}
	switch {
	case errors.Is(err, connRefused) && isAbstract(name):
		return transport.WithHint(err, "no program listens at this abstract name; ss -xl shows those that are in use")
	case errors.Is(err, connRefused):
		return transport.WithHint(err, "no program listens there: the file is left over from one that has ended")
	case errors.Is(err, os.ErrNotExist):
		return transport.WithHint(err, "there is no such socket: is the program that listens running?")
	case errors.Is(err, os.ErrPermission):
		return transport.WithHint(transport.Mark(err, transport.ErrDenied), "ls -l shows who may use the socket")
	case errors.Is(err, syscall.EPROTOTYPE):
		return transport.WithHint(err, "the socket is of another sort: unix:, unixpacket: and unixgram: do not mix")
	}
	return err
}

// cause is what the system said.
func cause(err error) error {
	for {
		var op *net.OpError
		var path *os.PathError
		switch {
		case errors.As(err, &op):
			err = op.Err
		case errors.As(err, &path):
			err = os.NewSyscallError(path.Op, path.Err)
		default:
			return err
		}
	}
}

// contextError is why ctx ended. It matches ctx.Err() whatever the cause is.
func contextError(ctx context.Context) error {
	err := transport.Mark(context.Cause(ctx), ctx.Err())
	if ctx.Err() == context.DeadlineExceeded {
		err = transport.Mark(err, transport.ErrTimeout)
	}
	return err
}
