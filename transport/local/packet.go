//go:build linux

package local

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/transport"
)

// MaxMessage is the length in bytes of the longest message of unixpacket and
// unixgram: the longest that Linux lets a program send that has not asked for a
// larger buffer (net.core.wmem_default, less what the kernel keeps for itself).
const MaxMessage = 212960

// sendBuffer lets MaxMessage through whatever the defaults are.
const sendBuffer = 256 << 10

// A packetConn is a connection of SOCK_SEQPACKET.
//
// Reading a message of no bytes and reading the end both give nothing, and
// recv(2) does not say which it was. So the socket has SO_PASSCRED set (unix(7)),
// with which the kernel adds the sender's credentials to every message, also to an
// empty one; at the end there is none. Programs that do not do the same take an
// empty message for the end.
type packetConn struct {
	c             *net.UnixConn
	info          *transport.Info
	local, remote net.Addr

	closing  sync.Once
	closeErr error

	ended  chan struct{}
	ending sync.Once // closes ended

	rmu sync.Mutex // held while reading; guards what follows
	oob [credSize]byte
	one [1]byte
}

// credSize holds one SCM_CREDENTIALS and nothing else, so that descriptors which
// somebody sends along are closed by the kernel: CMSG_SPACE of a struct ucred.
const credSize = 32

var (
	_ transport.MsgConn = (*packetConn)(nil)
	_ transport.Ender   = (*packetConn)(nil)
)

func newPacketConn(c *net.UnixConn, kind string, local, remote net.Addr) (*packetConn, error) {
	cred := peerCred(c)
	p := &packetConn{c: c, info: &transport.Info{Kind: kind, Cred: cred}, local: named(local, nil), remote: named(remote, cred), ended: make(chan struct{})}
	if err := passCred(c); err != nil {
		c.Close()
		return nil, err
	}
	_ = c.SetWriteBuffer(sendBuffer) // the default is enough on most machines
	return p, nil
}

func passCred(c *net.UnixConn) error {
	return control(c, func(fd int) error {
		return os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1))
	})
}

// ReadMsg reads one message. After the other side's CloseWrite or Close the error
// is io.EOF.
func (c *packetConn) ReadMsg(p []byte) (int, transport.Meta, error) {
	c.rmu.Lock()
	defer c.rmu.Unlock()
	n, oobn, flags, _, err := readMsg(c.c, atLeastOne(p, &c.one), c.oob[:])
	if errors.Is(err, io.EOF) {
		err = io.EOF
		if oobn > 0 {
			err = nil
		}
	}
	if err == io.EOF && isHungUp(c.c) {
		c.ending.Do(func() { close(c.ended) })
	}
	n, err = shortened(n, p, flags, err)
	return n, transport.Meta{}, c.errorOf(err)
}

// Ended implements [transport.Ender], as [Conn.Ended] does.
func (c *packetConn) Ended() <-chan struct{} { return c.ended }

func (c *packetConn) errorOf(err error) error { return renamed(err, c.local, c.remote) }

// atLeastOne keeps a read from asking for nothing, which means something else to
// the kernel and to package net.
func atLeastOne(p []byte, one *[1]byte) []byte {
	if len(p) == 0 {
		return one[:]
	}
	return p
}

// shortened says whether a message was longer than p. Beside another error n is 0.
func shortened(n int, p []byte, flags int, err error) (int, error) {
	switch {
	case err != nil:
		return 0, err
	case n > len(p) || flags&unix.MSG_TRUNC != 0:
		return len(p), io.ErrShortBuffer
	}
	return n, nil
}

// WriteMsg sends one message.
func (c *packetConn) WriteMsg(p []byte, _ transport.Meta) error {
	if len(p) > MaxMessage {
		return tooLong(c.local, c.remote)
	}
	_, _, err := c.c.WriteMsgUnix(p, nil, nil) // Write would not send an empty one
	return sizeError(c.errorOf(err))
}

func tooLong(local, remote net.Addr) error {
	return &net.OpError{Op: "write", Net: local.Network(), Source: local, Addr: remote, Err: transport.ErrMsgTooLong}
}

// sizeError marks the error about a message that the system does not take.
func sizeError(err error) error {
	if errors.Is(err, syscall.EMSGSIZE) {
		return transport.Mark(err, transport.ErrMsgTooLong)
	}
	return err
}

// MaxMsg is [MaxMessage].
func (c *packetConn) MaxMsg() int { return MaxMessage }

// CloseWrite tells the other side that no more comes.
func (c *packetConn) CloseWrite() error { return c.errorOf(c.c.CloseWrite()) }

func (c *packetConn) Close() error {
	c.closing.Do(func() { c.closeErr = c.c.Close() })
	return c.closeErr
}

func (c *packetConn) Info() *transport.Info { return c.info }
func (c *packetConn) LocalAddr() net.Addr   { return c.local }
func (c *packetConn) RemoteAddr() net.Addr  { return c.remote }

func (c *packetConn) SetDeadline(t time.Time) error      { return c.c.SetDeadline(t) }
func (c *packetConn) SetReadDeadline(t time.Time) error  { return c.c.SetReadDeadline(t) }
func (c *packetConn) SetWriteDeadline(t time.Time) error { return c.c.SetWriteDeadline(t) }
