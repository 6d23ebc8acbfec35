//go:build linux

package local

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// Unixgram sends datagrams to a unix socket, and receives what that sends back.
// Unlike those of UDP they do not get lost: a sender waits until there is room.
type Unixgram struct {
	Path string // path of the socket, or "@" and an abstract name

	// LocalPath is the name to send under, at which answers arrive. The
	// default is an abstract name that the kernel chooses.
	LocalPath string

	abstract bool // the target is an abstract name without its @
}

// UnixgramRecv receives datagrams from anybody and sends none; Meta.From tells
// from whom, if the sender has a name.
type UnixgramRecv struct {
	Path string // path of the socket, or "@" and an abstract name
	Access

	abstract bool // the target is an abstract name without its @
}

var (
	_ transport.Dialer    = (*Unixgram)(nil)
	_ transport.Validator = (*Unixgram)(nil)
	_ transport.Dialer    = (*UnixgramRecv)(nil)
	_ transport.Validator = (*UnixgramRecv)(nil)
)

// Bind binds the target and the option.
func (u *Unixgram) Bind(s *opt.Set) {
	bindTarget(s, &u.Path, u.abstract)
	s.String(&u.LocalPath, "bind", "path|@name", "send under this name, at which answers arrive")
}

// Validate finds fault with the name to send under. It must fit into a socket
// address, which is how the other side learns it.
func (u *Unixgram) Validate() error {
	if u.LocalPath == "" {
		return nil
	}
	if err := checkName(u.LocalPath); err != nil {
		return err
	}
	if !isAbstract(u.LocalPath) && len(u.LocalPath) > maxName {
		return usage(fmt.Sprintf("the path of bind has %d bytes, and may have %d: answers go to it", len(u.LocalPath), maxName), "")
	}
	return nil
}

// Dial connects a socket.
func (u *Unixgram) Dial(ctx context.Context) (transport.Conn, error) {
	if ctx.Err() != nil {
		return nil, contextError(ctx)
	}
	if err := u.Validate(); err != nil {
		return nil, err
	}
	p, err := openPlace(u.Path)
	if err != nil {
		return nil, dialError("unixgram", u.Path, err)
	}
	defer p.close()
	name, err := p.sockName(p.base)
	if err != nil {
		return nil, err
	}
	var (
		c *net.UnixConn
		f *socketFile
	)
	if u.LocalPath == "" {
		var nc net.Conn
		d := net.Dialer{Control: autobind}
		if nc, err = d.DialContext(ctx, "unixgram", name); err == nil {
			c = nc.(*net.UnixConn)
		}
	} else if c, f, err = bindGram(ctx, u.LocalPath, &Access{}); err == nil {
		err = control(c, func(fd int) error { return syscall.Connect(fd, &syscall.SockaddrUnix{Name: name}) })
		if err != nil {
			f.remove()
			c.Close()
		}
	}
	if err != nil {
		return nil, dialError("unixgram", u.Path, err)
	}
	_ = c.SetWriteBuffer(sendBuffer) // the default is enough on most machines
	return &gramConn{c: c, file: f, info: &transport.Info{Kind: gramKind, Cred: peerCred(c)},
		local: named(c.LocalAddr(), nil), remote: unixAddr("unixgram", u.Path), writes: true}, nil
}

// Bind binds the target and the options.
func (u *UnixgramRecv) Bind(s *opt.Set) {
	bindTarget(s, &u.Path, u.abstract)
	u.bind(s, u.abstract)
}

// Validate finds fault with the options.
func (u *UnixgramRecv) Validate() error { return u.validate(u.Path) }

// Dial opens the socket.
func (u *UnixgramRecv) Dial(ctx context.Context) (transport.Conn, error) {
	c, f, g, err := openReceiver(ctx, u.Path, &u.Access)
	if err != nil {
		return nil, err
	}
	return &gramConn{c: c, file: f, info: &transport.Info{Kind: gramRecvKind}, guard: g,
		local: unixAddr("unixgram", u.Path), remote: transport.Addr{Net: "unixgram", Name: "anybody"}}, nil
}

// A gramConn is a socket of SOCK_DGRAM: connected, or receiving from anybody.
type gramConn struct {
	c             *net.UnixConn
	file          *socketFile // nil if it has none
	info          *transport.Info
	guard         *guard // nil on a connected socket, which receives from nobody else
	local, remote net.Addr
	writes        bool

	closing  sync.Once
	closeErr error

	rmu sync.Mutex // held while reading; guards what follows
	oob [credSize]byte
	one [1]byte
}

var (
	_ transport.MsgConn  = (*gramConn)(nil)
	_ transport.Directed = (*gramConn)(nil)
)

// Directions implements [transport.Directed].
func (c *gramConn) Directions() transport.Use {
	if c.writes {
		return transport.ReadWrite
	}
	return transport.ReadOnly
}

// ReadMsg reads one datagram. Those of senders that the Access refuses are
// dropped.
func (c *gramConn) ReadMsg(p []byte) (int, transport.Meta, error) {
	c.rmu.Lock()
	defer c.rmu.Unlock()
	for {
		n, oobn, flags, from, err := readMsg(c.c, atLeastOne(p, &c.one), c.oob[:])
		if err == nil && c.guard != nil && c.guard.admit(credOf(c.oob[:oobn]), nil) != nil {
			continue
		}
		var m transport.Meta
		if c.guard != nil && from != nil && from.Name != "" {
			m.From = from
		}
		n, err = shortened(n, p, flags, err)
		return n, m, renamed(err, c.local, c.remote)
	}
}

// credOf reads the credentials that came with a datagram.
func credOf(oob []byte) *transport.Cred {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	for i := range msgs {
		if u, err := unix.ParseUnixCredentials(&msgs[i]); err == nil {
			return &transport.Cred{PID: int(u.Pid), UID: int(u.Uid), GID: int(u.Gid)}
		}
	}
	return nil
}

// WriteMsg sends one datagram. It waits while the other side has no room.
func (c *gramConn) WriteMsg(p []byte, _ transport.Meta) error {
	if !c.writes {
		return &net.OpError{Op: "write", Net: "unixgram", Source: c.local, Err: errors.ErrUnsupported}
	}
	if len(p) > MaxMessage {
		return tooLong(c.local, c.remote)
	}
	_, err := c.c.Write(p)
	return sizeError(renamed(err, c.local, c.remote))
}

// MaxMsg is [MaxMessage].
func (c *gramConn) MaxMsg() int { return MaxMessage }

// CloseWrite is unsupported: the other side of a datagram socket does not learn of
// it.
func (c *gramConn) CloseWrite() error {
	return &net.OpError{Op: "close", Net: "unixgram", Source: c.local, Err: errors.ErrUnsupported}
}

func (c *gramConn) Close() error {
	c.closing.Do(func() {
		c.file.remove()
		c.closeErr = c.c.Close()
	})
	return c.closeErr
}

func (c *gramConn) Info() *transport.Info { return c.info }
func (c *gramConn) LocalAddr() net.Addr   { return c.local }
func (c *gramConn) RemoteAddr() net.Addr  { return c.remote }

func (c *gramConn) SetDeadline(t time.Time) error      { return c.c.SetDeadline(t) }
func (c *gramConn) SetReadDeadline(t time.Time) error  { return c.c.SetReadDeadline(t) }
func (c *gramConn) SetWriteDeadline(t time.Time) error { return c.c.SetWriteDeadline(t) }
