// Package rawio has connections that read and write without telling the scheduler. It is
// for sockets of streams; other files may have no call that never waits.
//
// A process that waits for a message is asleep, with all its threads. When it reads the
// message, package net tells the scheduler of the system call, and so the scheduler wakes
// its monitor, which looks around for 20 µs, finds everybody asleep again, and goes to
// sleep: more changes of threads than the message itself takes. And when a call copies
// much, the monitor takes the processor of the goroutine away meanwhile, to no purpose. So
// the calls here, which never wait, go straight to the kernel, and the monitor sleeps on.
// Only one in a while of those that have not waited goes through package net, so that
// it is awake while there is work: it is who stops goroutines that run for long.
package rawio

import (
	"net"
	"syscall"
	"time"
)

// A Socket is a connection of package net: a [net.TCPConn], or a [net.UnixConn] that is
// a stream.
type Socket interface {
	net.Conn
	syscall.Conn
	CloseWrite() error
}

// A Conn is a Socket, and behaves the same.
type Conn struct {
	s Socket
	calls
}

var _ Socket = (*Conn)(nil)

// New makes a Conn of s, which it owns from then on.
func New(s Socket) *Conn { return &Conn{s, newCalls(s)} }

// Unwrap returns the Socket.
func (c *Conn) Unwrap() Socket { return c.s }

// Read reads from the socket.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 || !c.reads.raw() {
		return c.s.Read(p)
	}
	return c.read(c.s, p)
}

// Write writes all of p, unless it fails.
func (c *Conn) Write(p []byte) (int, error) {
	if len(p) == 0 || !c.writes.raw() {
		return c.s.Write(p)
	}
	return c.write(c.s, p)
}

// CloseWrite ends the direction that is written to.
func (c *Conn) CloseWrite() error { return c.s.CloseWrite() }

// Close closes the socket.
func (c *Conn) Close() error { return c.s.Close() }

// LocalAddr, RemoteAddr and the deadlines are those of the socket.
func (c *Conn) LocalAddr() net.Addr  { return c.s.LocalAddr() }
func (c *Conn) RemoteAddr() net.Addr { return c.s.RemoteAddr() }

func (c *Conn) SetDeadline(t time.Time) error      { return c.s.SetDeadline(t) }
func (c *Conn) SetReadDeadline(t time.Time) error  { return c.s.SetReadDeadline(t) }
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.s.SetWriteDeadline(t) }

// SyscallConn gives access to the descriptor.
func (c *Conn) SyscallConn() (syscall.RawConn, error) { return c.s.SyscallConn() }
