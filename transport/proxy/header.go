package proxy

import (
	"context"
	"net"
	"net/netip"

	"github.com/pires/go-proxyproto"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// DefaultHeaderVersion is the version of the PROXY protocol that is sent: the text
// one, which every server reads that reads any.
const DefaultHeaderVersion = 1

// SendHeader is the layer that begins a connection with a PROXY protocol header.
// It tells the addresses of the end that this one is opened for; see
// [transport.Other]. Where these are not addresses of IP, it says UNKNOWN, in
// version 2 LOCAL.
type SendHeader struct {
	Version int // 1 or 2; 0 means [DefaultHeaderVersion]
}

var _ transport.Layer = (*SendHeader)(nil)

// Bind binds the option of the layer.
func (l *SendHeader) Bind(s *opt.Set) {
	s.Int(&l.Version, "proxy-version", DefaultHeaderVersion, 1, 2, "version of the PROXY protocol that is sent")
}

// Wrap sends the header.
func (l *SendHeader) Wrap(ctx context.Context, inner transport.Conn, side transport.Side) (transport.Conn, error) {
	if side != transport.Dialed {
		return nil, wrongSide(inner, "sending the PROXY protocol", "connect")
	}
	err := handshake(ctx, kindHeader, inner, func(s transport.Stream) error {
		if l.Version < 0 || l.Version > 2 {
			return usage("the PROXY protocol has versions 1 and 2")
		}
		msg, err := l.header(transport.Other(ctx)).Format()
		if err == nil {
			_, err = s.Write(msg)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return newConn(kindHeader, inner.(transport.Stream), nil), nil
}

func (l *SendHeader) header(other transport.Conn) *proxyproto.Header {
	version := byte(DefaultHeaderVersion)
	if l.Version != 0 {
		version = byte(l.Version)
	}
	if other == nil {
		return proxyproto.HeaderProxyFromAddrs(version, nil, nil)
	}
	return proxyproto.HeaderProxyFromAddrs(version, headerAddr(other.RemoteAddr()), headerAddr(other.LocalAddr()))
}

// headerAddr returns a as it is announced: as an address of TCP, for that is what
// the next server has before it and what all of them read, though ours may come from
// a datagram; without a zone, which means something on this machine only. It returns
// nil for what has no IP address. Clients of unix sockets mostly have no name at all,
// so both of theirs are left out and the header says LOCAL, as haproxy's does.
func headerAddr(a net.Addr) net.Addr {
	ap, ok := addrPort(a)
	if !ok {
		return nil
	}
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(ap.Addr().WithZone(""), ap.Port()))
}

// AcceptHeader is the layer that reads a PROXY protocol header, version 1 or 2,
// and gives the Conn the addresses that are in it. A client that the relay
// connects for by itself, UNKNOWN or LOCAL, keeps those of the connection.
//
// What is announced is for people, logs and the next server. Rights are decided by
// the address of the socket, which Info().Socket keeps; see [transport.PeerAddr].
type AcceptHeader struct {
	// Trust lists the networks whose word is taken. If it is empty, that of
	// the loopback and of private networks is; see [netip.Addr.IsPrivate]. So is
	// a peer without an IP address then, as over a unix socket: file permissions
	// are for that. In no network that is listed is such a peer.
	Trust address.Prefixes

	// Optional lets clients in that send no header, and those whose word is
	// not taken, with the addresses of the connection. What a client of the
	// latter sort sends is not looked at. A client that waits for the server
	// to speak first must not be let in this way: it is waited for.
	Optional bool
}

var _ transport.Layer = (*AcceptHeader)(nil)

// Bind binds the options of the layer.
func (l *AcceptHeader) Bind(s *opt.Set) {
	d := s.Text(&l.Trust, "proxy-trust", "NETWORK", "network whose PROXY protocol header is believed", l.Trust.String)
	d.Default, d.Multi = "loopback and private networks", true
	s.Bool(&l.Optional, "proxy-optional", "let in clients without a PROXY protocol header")
}

// Wrap reads the header, and nothing after it. A peer whose word is not taken is
// refused with an error matching [transport.ErrDenied].
func (l *AcceptHeader) Wrap(ctx context.Context, inner transport.Conn, side transport.Side) (transport.Conn, error) {
	if side != transport.Accepted {
		return nil, wrongSide(inner, "reading the PROXY protocol", "listen")
	}
	var h announced
	var early []byte
	err := handshake(ctx, kindHeader, inner, func(s transport.Stream) (err error) {
		if peer := transport.PeerAddr(s); !l.trusts(peer) {
			if l.Optional {
				return nil
			}
			return transport.WithHint(denied("the PROXY protocol is not accepted from "+peer.String()),
				"the networks that it is accepted from can be listed")
		}
		h, early, err = readHeader(s, l.Optional)
		return err
	})
	if err != nil {
		return nil, err
	}
	c := newConn(kindHeader, inner.(transport.Stream), early)
	if h.source != nil {
		c.showAs(h.source)
		c.local = h.dest
	}
	return c, nil
}

func (l *AcceptHeader) trusts(peer net.Addr) bool {
	ap, ok := addrPort(peer)
	if !ok {
		return len(l.Trust) == 0
	}
	addr := address.Canonical(ap.Addr())
	if len(l.Trust) == 0 {
		return addr.IsLoopback() || addr.IsPrivate() || addr.IsLinkLocalUnicast()
	}
	return l.Trust.Contain(addr)
}

// Header is the layer of the kind proxy-protocol: [SendHeader] on ends that
// connect, [AcceptHeader] on ends that listen.
type Header struct {
	Send   SendHeader
	Accept AcceptHeader
}

var (
	_ transport.Layer         = (*Header)(nil)
	_ transport.SideValidator = (*Header)(nil)
)

// Bind binds the options of both sides.
func (l *Header) Bind(s *opt.Set) {
	s.Embed(&l.Send)
	s.Embed(&l.Accept)
}

// ValidateSide refuses the options of the other side, which would have no effect.
func (l *Header) ValidateSide(side transport.Side) error {
	switch {
	case side == transport.Dialed && (len(l.Accept.Trust) > 0 || l.Accept.Optional):
		return usage("proxy-trust and proxy-optional are for ends that listen")
	case side == transport.Accepted && l.Send.Version != 0:
		return usage("proxy-version is for ends that are dialed")
	}
	return nil
}

// Wrap sends or reads the header.
func (l *Header) Wrap(ctx context.Context, inner transport.Conn, side transport.Side) (transport.Conn, error) {
	if err := l.ValidateSide(side); err != nil {
		inner.Close()
		return nil, err
	}
	if side == transport.Accepted {
		return l.Accept.Wrap(ctx, inner, side)
	}
	return l.Send.Wrap(ctx, inner, side)
}
