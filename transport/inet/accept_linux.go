package inet

import (
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/tenon-net/tenon/transport"
	"golang.org/x/sys/unix"
)

// An acceptor takes connections off the queues of one or more listening sockets.
//
// It asks for a connection first and waits only if there is none, so that under
// load an accepted connection costs one system call. What it waits on is the
// listening socket itself or, if there are several, an epoll(7) descriptor of all.
type acceptor struct {
	socks  []listening
	wait   *os.File // owns the only socket; the others are owned by socks
	raw    syscall.RawConn
	closed atomic.Bool
	close  func() error

	next int // the socket whose turn it is; guarded by the read lock in raw
}

// listening is one listening socket.
type listening struct {
	fd    int
	addr  net.Addr
	info  *transport.Info // of its Conns; unix sockets have their own each
	local endpoint        // of its Conns, if it is the same for all
}

var _ transport.Acceptor = (*acceptor)(nil)

// newAcceptor takes over the sockets of lns, which are closed in any case.
func newAcceptor(lns []net.Listener, kind string) (transport.Acceptor, error) {
	defer closeListeners(lns)
	a := &acceptor{}
	a.close = sync.OnceValue(a.shut)
	for _, ln := range lns {
		rc, err := ln.(syscall.Conn).SyscallConn()
		if err != nil {
			return nil, a.fail(err)
		}
		fd, err := dup(rc)
		if err != nil {
			return nil, a.fail(err)
		}
		l := listening{fd: fd, addr: ln.Addr(), info: &transport.Info{Kind: kind}}
		if ta, ok := l.addr.(*net.TCPAddr); !ok {
			l.local.other = l.addr
		} else if !ta.IP.IsUnspecified() {
			l.local = localEndpoint(fd)
		}
		a.socks = append(a.socks, l)
	}
	fd, err := a.waitable()
	if err != nil {
		return nil, a.fail(err)
	}
	if a.wait, a.raw, err = descriptor(fd); err != nil {
		if len(a.socks) == 1 { // it was fd
			a.socks = nil
		}
		return nil, a.fail(err)
	}
	return a, nil
}

// waitable returns a descriptor that can be read when one of the sockets can.
func (a *acceptor) waitable() (int, error) {
	if len(a.socks) == 1 {
		return a.socks[0].fd, nil
	}
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return -1, os.NewSyscallError("epoll_create1", err)
	}
	for _, l := range a.socks {
		ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(l.fd)}
		if err := unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, l.fd, &ev); err != nil {
			unix.Close(epfd)
			return -1, os.NewSyscallError("epoll_ctl", err)
		}
	}
	if err := unix.SetNonblock(epfd, true); err != nil { // or package os would not wait on it
		unix.Close(epfd)
		return -1, os.NewSyscallError("fcntl", err)
	}
	return epfd, nil
}

// Accept returns the next connection. It may be called at the same time from many
// goroutines.
func (a *acceptor) Accept() (transport.Conn, error) {
	var c *Conn
	var errno syscall.Errno
	err := a.raw.Read(func(uintptr) bool {
		c, errno = a.take()
		return errno != unix.EAGAIN
	})
	switch {
	case err != nil && a.closed.Load():
		err = net.ErrClosed
	case err == nil && errno != 0:
		err = os.NewSyscallError("accept4", errno)
	case err == nil:
		return c, nil
	}
	return nil, &net.OpError{Op: "accept", Net: a.Addr().Network(), Source: a.Addr(), Err: err}
}

// take returns a connection that has arrived on one of the sockets, which take
// turns, or EAGAIN.
func (a *acceptor) take() (*Conn, syscall.Errno) {
	for range a.socks {
		l := &a.socks[a.next]
		a.next = (a.next + 1) % len(a.socks)
		fd, sa, errno := accept(l.fd)
		for errno == unix.ECONNABORTED || errno == unix.EINTR { // that one is gone
			fd, sa, errno = accept(l.fd)
		}
		switch errno {
		case 0:
			return l.conn(fd, &sa), 0
		case unix.EAGAIN:
		default:
			return nil, errno
		}
	}
	return nil, unix.EAGAIN
}

func (l *listening) conn(fd int, sa *sockaddr) *Conn {
	c := &Conn{info: l.info, fd: fd, remote: sa.endpoint(), local: l.local}
	if sa.family == unix.AF_UNIX {
		info := *l.info
		if cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			info.Cred = &transport.Cred{PID: int(cred.Pid), UID: int(cred.Uid), GID: int(cred.Gid)}
		}
		c.info, c.remote.other = &info, unixPeer(fd, info.Cred)
	}
	return c
}

// unixPeer is the address of the other side of a unix socket: its name or, as most have
// none, which process the kernel knows there.
func unixPeer(fd int, cred *transport.Cred) net.Addr {
	if sa, err := unix.Getpeername(fd); err == nil {
		if u, ok := sa.(*unix.SockaddrUnix); ok && u.Name != "" && u.Name != "@" {
			return &net.UnixAddr{Net: "unix", Name: u.Name}
		}
	}
	name := "unnamed"
	if cred != nil {
		name = fmt.Sprintf("unnamed (pid %d, uid %d)", cred.PID, cred.UID)
	}
	return transport.Addr{Net: "unix", Name: name}
}

// Addr returns the first address.
func (a *acceptor) Addr() net.Addr { return a.socks[0].addr }

// Addrs returns all addresses.
func (a *acceptor) Addrs() []net.Addr {
	addrs := make([]net.Addr, len(a.socks))
	for i, l := range a.socks {
		addrs[i] = l.addr
	}
	return addrs
}

// Close closes the sockets. Connections that nobody has accepted are reset.
func (a *acceptor) Close() error {
	a.closed.Store(true)
	return a.close()
}

// shut closes first what Accept waits on: when that call returns, no Accept is
// using the sockets any more.
func (a *acceptor) shut() error {
	var err error
	if a.wait != nil {
		if err = a.wait.Close(); len(a.socks) == 1 {
			return err
		}
	}
	for _, l := range a.socks {
		if cerr := unix.Close(l.fd); err == nil {
			err = os.NewSyscallError("close", cerr)
		}
	}
	return err
}

func (a *acceptor) fail(err error) error {
	a.Close()
	return err
}
