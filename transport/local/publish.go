package local

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"

	"github.com/tenon-net/tenon/transport"
)

// publish opens a socket that listens under a name. Except on Windows it is made
// aside, with its owner and permissions, and renamed into place when it already
// listens, so that nobody ever finds it half ready. A socket there whose program is
// gone is replaced; whatever else is there stays and is an error.
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

var (
	errInUse     = transport.WithHint(os.NewSyscallError("bind", syscall.EADDRINUSE), "another program listens there; ss -xlp shows which")
	errNotSocket = transport.WithHint(os.NewSyscallError("bind", syscall.EEXIST), "there is a file of that name that is not a socket; it was left alone")
)

// listenError names the path that was asked for.
func listenError(network, name string, err error) error {
	if errors.Is(err, transport.ErrUsage) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	hint := transport.Hint(err)
	switch {
	case hint != "":
	case errors.Is(err, addrInUse):
		hint = transport.Hint(errInUse)
	case errors.Is(err, os.ErrNotExist):
		hint = "the directory does not exist; mkdir makes it"
	case errors.Is(err, os.ErrPermission):
		hint = "this user may not make files in the directory"
	}
	return transport.WithHint(&net.OpError{Op: "listen", Net: network, Addr: unixAddr(network, name), Err: cause(err)}, hint)
}
