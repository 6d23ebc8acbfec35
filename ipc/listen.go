//go:build linux

package ipc

import (
	"context"
	"fmt"
	"math/bits"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/local"
)

// Listen waits for connections of programs that [Dial] the same name.
type Listen struct {
	Name     string // as Dial has it
	Messages bool   // carry messages and not bytes: MsgConns and not Conns

	// Size is that of each of the two rings of a connection, in bytes, from
	// MinSize to MaxSize, rounded up to a power of two; 0 is DefaultSize. The
	// longest message is a quarter of it less 8 bytes. Pages of a ring take
	// memory from when they are first used until the ring is empty and nothing has
	// passed for some seconds.
	Size int64

	local.Access
}

var (
	_ transport.Listener  = (*Listen)(nil)
	_ transport.Guard     = (*Listen)(nil)
	_ transport.Validator = (*Listen)(nil)
)

// Bind binds the target and the options.
func (l *Listen) Bind(s *opt.Set) {
	bindName(s, &l.Name)
	s.Size(&l.Size, "size", DefaultSize, "size of the ring in each direction, rounded up to a power of two")
	s.Embed(&l.Access)
}

// Validate looks at the size, and the users and groups up.
func (l *Listen) Validate() error {
	if _, err := l.ringSize(); err != nil {
		return err
	}
	return l.Access.Validate()
}

// Authenticates implements [transport.Guard]: the kernel vouches for who connects,
// and somebody has said who may.
func (l *Listen) Authenticates() bool {
	return (&local.UnixListen{Path: l.Name, Access: l.Access}).Authenticates()
}

func (l *Listen) ringSize() (uint64, error) {
	switch {
	case l.Size == 0:
		return DefaultSize, nil
	case l.Size < 0 || l.Size > MaxSize:
		return 0, transport.Mark(fmt.Errorf("size: must be at most %s", opt.FormatSize(MaxSize)), transport.ErrUsage)
	case l.Size <= MinSize:
		return MinSize, nil
	}
	return 1 << bits.Len64(uint64(l.Size)-1), nil
}

// Listen opens the socket.
func (l *Listen) Listen(ctx context.Context) (transport.Acceptor, error) {
	size, err := l.ringSize()
	if err != nil {
		return nil, err
	}
	if err := checkName(l.Name); err != nil {
		return nil, err
	}
	a, err := rendezvous(l.Name, l.Access).Listen(ctx)
	if err != nil {
		return nil, err
	}
	return &acceptor{a, greeting{modeOf(l.Messages), size}, l.Name}, nil
}

type acceptor struct {
	socket   transport.Acceptor
	greeting greeting
	name     string
}

// Accept returns the next connection, which is ready. An error that matches
// [transport.ErrDenied] is about a client that the Access refuses, one that
// matches ECONNABORTED about a client that is gone already.
func (a *acceptor) Accept() (transport.Conn, error) {
	c, err := a.socket.Accept()
	if err != nil {
		return nil, err
	}
	info := &transport.Info{Kind: listenKind(a.greeting.mode), Cred: c.Info().Cred}
	sock, err := detach(c)
	if err != nil {
		return nil, err
	}
	region, err := a.greet(sock)
	if err != nil {
		sock.Close()
		return nil, fmt.Errorf("accept %s %s: %w", info.Kind, a.name, err)
	}
	return newConn(sock, region, a.greeting.mode, false, info, a.name), nil
}

// greet makes the memory and hands it over. It waits for nobody: there is room for
// the greeting in a socket that is new.
func (a *acceptor) greet(sock *os.File) (*region, error) {
	region, fd, err := createRegion(a.greeting)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	raw, err := sock.SyscallConn()
	if err == nil {
		cerr := raw.Control(func(sock uintptr) {
			b := a.greeting.encode()
			err = unix.Sendmsg(int(sock), b[:], unix.UnixRights(fd), nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		})
		if cerr != nil {
			err = cerr
		}
	}
	if err != nil {
		region.unmap()
		if err == unix.EPIPE || err == unix.ECONNRESET {
			return nil, syscall.ECONNABORTED
		}
		return nil, os.NewSyscallError("sendmsg", err)
	}
	return region, nil
}

// Addr has the name as it was written.
func (a *acceptor) Addr() net.Addr {
	return transport.Addr{Net: dialKind(a.greeting.mode), Name: a.name}
}

// Close stops listening and removes the socket file, if it still is this one's.
func (a *acceptor) Close() error { return a.socket.Close() }
