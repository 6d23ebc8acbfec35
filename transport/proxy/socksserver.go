package proxy

import (
	"context"
	"fmt"
	"io"
	"net/netip"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// SOCKSServer is the layer that asks clients by SOCKS 4, 4A or 5 where they want
// to go. It takes the command CONNECT only. If Access has users, clients log in by
// RFC 1929, which SOCKS 4 cannot.
type SOCKSServer struct{ Access }

var (
	_ transport.Layer         = (*SOCKSServer)(nil)
	_ transport.Guard         = (*SOCKSServer)(nil)
	_ transport.Validator     = (*SOCKSServer)(nil)
	_ transport.SideValidator = (*SOCKSServer)(nil)
)

// Bind binds the options. It refuses the target of socat's SOCKS5-LISTEN.
func (l *SOCKSServer) Bind(s *opt.Set) {
	s.Target(opt.Host, "", func(t address.Target) error {
		if len(splitColons(t.Text)) > 2 {
			return transport.WithHint(usage("this is a SOCKS proxy, and takes [HOST:]PORT"),
				"to have another SOCKS proxy listen, as socat's SOCKS5-LISTEN does, is not offered")
		}
		return nil
	})
	l.Access.Bind(s)
}

// ValidateSide refuses to be put on an end that is dialed.
func (l *SOCKSServer) ValidateSide(side transport.Side) error {
	if side != transport.Accepted {
		return usage(kindSOCKSServer + " is for ends that listen")
	}
	return nil
}

// Wrap reads the client's request. The Conn is a [transport.Caller]. A request
// that Access refuses is answered, and its error matches [transport.ErrDenied].
// Info().Peer is the name under which the client logged in.
func (l *SOCKSServer) Wrap(ctx context.Context, inner transport.Conn, side transport.Side) (transport.Conn, error) {
	if side != transport.Accepted {
		return nil, wrongSide(inner, kindSOCKSServer, "listen")
	}
	var req socksRequest
	c := &caller{}
	err := handshake(ctx, kindSOCKSServer, inner, func(s transport.Stream) (err error) {
		if req, err = l.readRequest(s); err != nil {
			return err
		}
		c.reply = req.reply
		c.policy = policy{access: &l.Access, to: req.to, local: isLocal(inner)}
		if err = c.policy.check(); err != nil {
			_ = refuse(s, c.reply.failed(notAllowed))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	c.client = inner.(transport.Stream)
	c.conn = *newConn(kindSOCKSServer, c.client, nil)
	if req.user != "" {
		c.info.Peer = req.user
	}
	return c, nil
}

// A socksRequest is what a client wants, and how it is answered.
type socksRequest struct {
	to    target
	user  string // that the client has proved to be
	reply replier
}

func (l *SOCKSServer) readRequest(s transport.Stream) (socksRequest, error) {
	var version [1]byte
	if err := exactly(s, version[:]); err != nil {
		return socksRequest{}, err
	}
	switch version[0] {
	case socks4Version:
		to, err := l.readSOCKS4(s)
		return socksRequest{to: to, reply: socks4Replier{}}, err
	case socks5Version:
		user, err := l.greet(s)
		if err != nil {
			return socksRequest{}, err
		}
		to, err := readSOCKS5(s)
		return socksRequest{to: to, user: user, reply: socks5Replier{}}, err
	}
	return socksRequest{}, fmt.Errorf("the client does not speak SOCKS: it begins with %#02x", version[0])
}

// greet agrees on a method (RFC 1928, section 3) and returns the name of the user.
func (l *SOCKSServer) greet(s transport.Stream) (user string, err error) {
	var buf [1 + 255]byte
	if err := exactly(s, buf[:1]); err != nil {
		return "", err
	}
	methods := buf[1 : 1+int(buf[0])]
	if err := exactly(s, methods); err != nil {
		return "", err
	}
	var want byte = methodNone
	if l.Authenticates() {
		want = methodPassword
	}
	for _, m := range methods {
		if m != want {
			continue
		}
		if _, err := s.Write([]byte{socks5Version, want}); err != nil || want == methodNone {
			return "", err
		}
		return l.logIn(s)
	}
	_ = refuse(s, []byte{socks5Version, methodRefused})
	if want == methodPassword {
		return "", denied("the client offers no user name and password")
	}
	return "", fmt.Errorf("the client insists on one of the methods % x, and none is needed", methods)
}

// logIn reads a name and a password (RFC 1929, section 2).
func (l *SOCKSServer) logIn(s transport.Stream) (user string, err error) {
	var buf [255]byte
	if err := exactly(s, buf[:1]); err != nil {
		return "", err
	}
	if buf[0] != passwordVersion {
		return "", fmt.Errorf("the client logs in with version %#02x, which does not exist", buf[0])
	}
	var words [2]string
	for i := range words {
		if words[i], err = readShort(s); err != nil {
			return "", err
		}
	}
	if err := l.Access.login(words[0], words[1]); err != nil {
		_ = refuse(s, []byte{passwordVersion, passwordOK + 1})
		return "", err
	}
	_, err = s.Write([]byte{passwordVersion, passwordOK})
	return words[0], err
}

// readShort reads a text with its length in front, in one byte.
func readShort(r io.Reader) (string, error) {
	var buf [1 + 255]byte
	if err := exactly(r, buf[:1]); err != nil {
		return "", err
	}
	text := buf[1 : 1+int(buf[0])]
	err := exactly(r, text)
	return string(text), err
}

// readSOCKS5 reads a request (RFC 1928, section 4), and answers it if it cannot be
// granted.
func readSOCKS5(s transport.Stream) (target, error) {
	var head [4]byte
	if err := exactly(s, head[:]); err != nil {
		return target{}, err
	}
	if head[0] != socks5Version {
		return target{}, fmt.Errorf("the client changes to SOCKS version %d", head[0])
	}
	host, err := readSOCKS5Host(s, head[3])
	var port [2]byte
	if err == nil {
		err = exactly(s, port[:])
	}
	if err != nil {
		return target{}, err
	}
	if head[1] != cmdConnect {
		_ = refuse(s, socks5Replier{}.failed(badCommand))
		return target{}, fmt.Errorf("the client wants command %d, and only CONNECT is offered", head[1])
	}
	to, err := newTarget(host, uint16(port[0])<<8|uint16(port[1]))
	if err != nil {
		_ = refuse(s, socks5Replier{}.failed(badRequest))
	}
	return to, err
}

func readSOCKS5Host(s transport.Stream, atyp byte) (string, error) {
	var ip [16]byte
	switch atyp {
	case atypIPv4:
		err := exactly(s, ip[:4])
		return netip.AddrFrom4([4]byte(ip[:4])).String(), err
	case atypIPv6:
		err := exactly(s, ip[:])
		return netip.AddrFrom16(ip).String(), err
	case atypName:
		return readShort(s)
	}
	_ = refuse(s, socks5Replier{}.failed(badAddress))
	return "", fmt.Errorf("the client wants an address of type %#02x, which does not exist", atyp)
}

// A socks5Replier answers by RFC 1928, section 6.
type socks5Replier struct{}

func (socks5Replier) granted(local netip.AddrPort) []byte { return socks5Answer(socks5OK, local) }

func (socks5Replier) failed(why reason) []byte {
	code := socks5Failed
	switch why {
	case notAllowed:
		code = socks5Denied
	case netUnreachable:
		code = socks5NetUnreachable
	case hostUnreachable, unknownHost:
		code = socks5HostUnreachable
	case connRefused:
		code = socks5Refused
	case tooLate:
		code = socks5Expired
	case badCommand:
		code = socks5BadCommand
	case badAddress:
		code = socks5BadAddress
	}
	return socks5Answer(code, netip.AddrPort{})
}

func socks5Answer(code socks5Reply, local netip.AddrPort) []byte {
	t := target{addr: local.Addr(), port: local.Port()}
	if !t.addr.IsValid() {
		t.addr = netip.IPv4Unspecified()
	}
	return append([]byte{socks5Version, byte(code), 0}, socks5Addr(t)...)
}
