package inet

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A socketFile is a connection that package os waits on. To make one of a descriptor
// takes two system calls. Package net, which duplicates the descriptor, asks what it is
// and sets options of its own, takes 25: as many as all else in the life of a short
// connection. It is asked for only where it copies inside the kernel.
type socketFile struct {
	f             *os.File
	local, remote endpoint
	closed        atomic.Bool

	mu              sync.Mutex // guards what follows
	net             streamConn // on a duplicate of the descriptor; nil until somebody copies
	readBy, writeBy time.Time  // the deadlines
}

var _ streamConn = (*socketFile)(nil)

func (s *socketFile) Read(p []byte) (int, error) {
	n, err := s.f.Read(p)
	return n, s.explain("read", err)
}

func (s *socketFile) Write(p []byte) (int, error) {
	n, err := s.f.Write(p)
	return n, s.explain("write", err)
}

// explain makes of what package os says what package net would have said.
func (s *socketFile) explain(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	if errno, ok := err.(syscall.Errno); ok { //nolint:errorlint // as package os has it
		err = os.NewSyscallError(op, errno)
	}
	if s.closed.Load() {
		err = net.ErrClosed
	}
	return &net.OpError{Op: op, Net: s.remote.addr().Network(), Source: s.LocalAddr(), Addr: s.RemoteAddr(), Err: err}
}

func (s *socketFile) LocalAddr() net.Addr  { return s.local.addr() }
func (s *socketFile) RemoteAddr() net.Addr { return s.remote.addr() }

func (s *socketFile) SetDeadline(t time.Time) error {
	return errors.Join(s.SetReadDeadline(t), s.SetWriteDeadline(t))
}

func (s *socketFile) SetReadDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readBy = t
	err := s.explain("set", s.f.SetReadDeadline(t))
	if s.net != nil {
		err = errors.Join(err, s.net.SetReadDeadline(t))
	}
	return err
}

func (s *socketFile) SetWriteDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writeBy = t
	err := s.explain("set", s.f.SetWriteDeadline(t))
	if s.net != nil {
		err = errors.Join(err, s.net.SetWriteDeadline(t))
	}
	return err
}

// forCopy returns a connection of package net on the same socket.
func (s *socketFile) forCopy() (streamConn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.net != nil {
		return s.net, nil
	}
	rc, err := s.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd, err := dup(rc)
	if err != nil {
		return nil, err
	}
	c, err := netConn(fd)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(c.SetReadDeadline(s.readBy), c.SetWriteDeadline(s.writeBy)); err != nil {
		c.Close()
		return nil, err
	}
	s.net = c
	return c, nil
}

func (s *socketFile) CloseWrite() error { return s.control("close", shutdownWrite) }

// SetLinger is that of [net.TCPConn].
func (s *socketFile) SetLinger(sec int) error {
	l := unix.Linger{Onoff: 1, Linger: int32(sec)}
	return s.control("set", func(fd int) error {
		return os.NewSyscallError("setsockopt", unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &l))
	})
}

func (s *socketFile) control(op string, do func(fd int) error) error {
	rc, err := s.SyscallConn()
	if err != nil {
		return err
	}
	if cerr := rc.Control(func(fd uintptr) { err = do(int(fd)) }); cerr != nil {
		return cerr
	}
	return s.explain(op, err)
}

// SyscallConn gives access to the descriptor.
func (s *socketFile) SyscallConn() (syscall.RawConn, error) {
	rc, err := s.f.SyscallConn()
	return &socketRaw{s, rc}, s.explain("raw-control", err)
}

// A socketRaw is the descriptor of a socketFile.
type socketRaw struct {
	s  *socketFile
	rc syscall.RawConn
}

func (r *socketRaw) Control(f func(fd uintptr)) error {
	return r.s.explain("raw-control", r.rc.Control(f))
}

func (r *socketRaw) Read(f func(fd uintptr) bool) error {
	return r.s.explain("raw-read", r.rc.Read(f))
}

func (r *socketRaw) Write(f func(fd uintptr) bool) error {
	return r.s.explain("raw-write", r.rc.Write(f))
}

// Close ends the calls in progress, too.
func (s *socketFile) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed.Store(true)
	err := s.explain("close", s.f.Close())
	if s.net != nil {
		err = errors.Join(err, s.net.Close())
	}
	return err
}
