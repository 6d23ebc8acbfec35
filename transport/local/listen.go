package local

import (
	"context"
	"fmt"
	"net"
	"sync"

	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// UnixListen waits for connections to a unix socket of streams.
type UnixListen struct {
	Path string // path of the socket, or "@" and an abstract name
	Access

	abstract bool // the target is an abstract name without its @
}

var (
	_ transport.Listener  = (*UnixListen)(nil)
	_ transport.Guard     = (*UnixListen)(nil)
	_ transport.Validator = (*UnixListen)(nil)
)

// Bind binds the target and the options.
func (l *UnixListen) Bind(s *opt.Set) {
	bindTarget(s, &l.Path, l.abstract)
	l.bind(s, l.abstract)
}

// Validate finds fault with the options.
func (l *UnixListen) Validate() error { return l.validate(l.Path) }

// Authenticates implements [transport.Guard]: the kernel vouches for who connects,
// and somebody has said who may.
func (l *UnixListen) Authenticates() bool { return l.authenticates(l.Path) }

// Listen opens the socket.
func (l *UnixListen) Listen(ctx context.Context) (transport.Acceptor, error) {
	return listen(ctx, "unix", l.Path, &l.Access, func(c *net.UnixConn, local net.Addr) (transport.Conn, error) {
		return newConn(c, unixListenKind, local, c.RemoteAddr()), nil
	})
}

func listen(ctx context.Context, network, path string, a *Access, wrap wrapper) (transport.Acceptor, error) {
	if err := a.validate(path); err != nil {
		return nil, err
	}
	g, err := a.guard(path)
	if err != nil {
		return nil, err
	}
	ln, f, err := publish(ctx, network, path, a)
	if err != nil {
		return nil, err
	}
	return &acceptor{ln: ln, file: f, guard: g, wrap: wrap, addr: unixAddr(network, path)}, nil
}

// A wrapper makes a Conn of what was accepted.
type wrapper func(c *net.UnixConn, local net.Addr) (transport.Conn, error)

type acceptor struct {
	ln    *net.UnixListener
	file  *socketFile
	guard *guard
	wrap  wrapper
	addr  net.Addr

	closing  sync.Once
	closeErr error
}

// Accept returns the next connection. An error that matches [transport.ErrDenied]
// is about a client that the Access refuses; it has been disconnected.
func (a *acceptor) Accept() (transport.Conn, error) {
	c, err := a.ln.AcceptUnix()
	if err != nil {
		return nil, err
	}
	if err := a.guard.admit(peerCred(c), c); err != nil {
		c.Close()
		return nil, fmt.Errorf("accept %s: %w", a.addr, err)
	}
	return a.wrap(c, a.addr)
}

// Addr has the path as it was written.
func (a *acceptor) Addr() net.Addr { return a.addr }

// Close stops listening and removes the socket file, if it still is this one's.
func (a *acceptor) Close() error {
	a.closing.Do(func() {
		a.file.remove()
		a.closeErr = a.ln.Close()
	})
	return a.closeErr
}
