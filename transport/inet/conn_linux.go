package inet

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// promote makes a [net.Conn] of fd, which is gone then in any case. The options that
// the socket has, it keeps.
func promote(fd int, local, remote endpoint) (streamConn, error) {
	if fd <= 2 { // package os takes it for one of the standard files
		return netConn(fd)
	}
	s := &socketFile{f: os.NewFile(uintptr(fd), "socket"), local: local, remote: remote}
	if err := s.f.SetDeadline(time.Time{}); err != nil { // it cannot be waited on
		s.f.Close()
		return nil, err
	}
	return s, nil
}

// netConn makes a connection of package net of fd, which is gone then in any case. The
// options that the socket has, it keeps.
func netConn(fd int) (streamConn, error) {
	f := os.NewFile(uintptr(fd), "socket")
	kept := keep(fd)
	c, err := net.FileConn(f) // of a duplicate
	if err != nil {
		f.Close()
		return nil, err
	}
	if _, ok := c.(*net.TCPConn); ok {
		kept.restore(fd)
	}
	f.Close()
	sc, ok := c.(streamConn)
	if !ok {
		c.Close()
		return nil, errors.ErrUnsupported
	}
	return sc, nil
}

// kept is what net.FileConn overwrites with its own defaults.
type kept [5]struct {
	level, opt, value int
	known             bool
}

func keep(fd int) (k kept) {
	for i, o := range [len(k)][2]int{
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE},
		{unix.SOL_TCP, unix.TCP_NODELAY},
		{unix.SOL_TCP, unix.TCP_KEEPIDLE},
		{unix.SOL_TCP, unix.TCP_KEEPINTVL},
		{unix.SOL_TCP, unix.TCP_KEEPCNT},
	} {
		v, err := unix.GetsockoptInt(fd, o[0], o[1])
		k[i].level, k[i].opt, k[i].value, k[i].known = o[0], o[1], v, err == nil
	}
	return k
}

func (k kept) restore(fd int) {
	for _, o := range k {
		if o.known {
			_ = unix.SetsockoptInt(fd, o.level, o.opt, o.value) // it was allowed before
		}
	}
}

// dup returns a duplicate of the descriptor, which the caller owns.
func dup(rc syscall.RawConn) (int, error) {
	fd, err := -1, error(nil)
	if cerr := rc.Control(func(of uintptr) { fd, err = unix.FcntlInt(of, unix.F_DUPFD_CLOEXEC, 3) }); cerr != nil {
		return -1, cerr
	}
	return fd, os.NewSyscallError("fcntl", err)
}

// closeBare closes fd, on request with a reset: tcp(7), SO_LINGER of zero. On a
// unix socket the option does nothing.
func closeBare(fd int, reset bool) error {
	if reset {
		_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	}
	return os.NewSyscallError("close", unix.Close(fd))
}
