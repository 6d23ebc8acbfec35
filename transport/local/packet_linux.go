//go:build linux

package local

import (
	"context"
	"net"

	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// UnixPacket connects to a unix socket of messages, SOCK_SEQPACKET.
type UnixPacket struct {
	Path string // path of the socket, or "@" and an abstract name
}

// UnixPacketListen waits for connections to a unix socket of messages,
// SOCK_SEQPACKET.
type UnixPacketListen struct {
	Path string // path of the socket, or "@" and an abstract name
	Access
}

var (
	_ transport.Dialer    = (*UnixPacket)(nil)
	_ transport.Listener  = (*UnixPacketListen)(nil)
	_ transport.Guard     = (*UnixPacketListen)(nil)
	_ transport.Validator = (*UnixPacketListen)(nil)
)

// Bind binds the target.
func (u *UnixPacket) Bind(s *opt.Set) { bindTarget(s, &u.Path, false) }

// Dial connects.
func (u *UnixPacket) Dial(ctx context.Context) (transport.Conn, error) {
	c, err := dial(ctx, "unixpacket", u.Path)
	if err != nil {
		return nil, err
	}
	return newPacketConn(c, packetKind, c.LocalAddr(), unixAddr("unixpacket", u.Path))
}

// Bind binds the target and the options.
func (l *UnixPacketListen) Bind(s *opt.Set) {
	bindTarget(s, &l.Path, false)
	s.Embed(&l.Access)
}

// Validate finds fault with the options.
func (l *UnixPacketListen) Validate() error { return l.validate(l.Path) }

// Authenticates implements [transport.Guard], as that of [UnixListen].
func (l *UnixPacketListen) Authenticates() bool { return l.authenticates(l.Path) }

// Listen opens the socket.
func (l *UnixPacketListen) Listen(ctx context.Context) (transport.Acceptor, error) {
	return listen(ctx, "unixpacket", l.Path, &l.Access, func(c *net.UnixConn, local net.Addr) (transport.Conn, error) {
		return newPacketConn(c, packetListenKind, local, c.RemoteAddr())
	})
}
