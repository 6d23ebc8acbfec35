package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// The numbers of SOCKS5 (RFC 1928, sections 3 to 6; RFC 1929).
const (
	socks5Version = 5

	methodNone     = 0x00
	methodPassword = 0x02
	methodRefused  = 0xff

	passwordVersion = 1
	passwordOK      = 0

	cmdConnect = 1

	atypIPv4 = 1
	atypName = 3
	atypIPv6 = 4
)

// A socks5Reply is the answer to a request (RFC 1928, section 6).
type socks5Reply byte

const (
	socks5OK socks5Reply = iota
	socks5Failed
	socks5Denied
	socks5NetUnreachable
	socks5HostUnreachable
	socks5Refused
	socks5Expired
	socks5BadCommand
	socks5BadAddress
)

// SOCKS5 is the layer that asks a SOCKS5 proxy for a way to Target (RFC 1928).
type SOCKS5 struct {
	Target   string // "host:port"; the proxy resolves a name
	User     string // "" means that there is no name and no password (RFC 1929)
	Password opt.Secret
}

var _ transport.Layer = (*SOCKS5)(nil)

// Bind binds the options that the layer has beside its Target.
func (l *SOCKS5) Bind(s *opt.Set) {
	s.String(&l.User, "socksuser", "name", "user name for the proxy").Mask = opt.MaskPassword
	s.Secret(&l.Password, "sockspass", "password for the proxy", checkSOCKS5).Alias("sockspassword")
}

// Wrap asks the proxy at the other side of inner. An error of the target's has
// the meaning that it has without a proxy: it matches [syscall.ECONNREFUSED] and
// its like. The Conn has the target for its RemoteAddr.
func (l *SOCKS5) Wrap(ctx context.Context, inner transport.Conn, side transport.Side) (transport.Conn, error) {
	if side != transport.Dialed {
		return nil, wrongSide(inner, kindSOCKS5, "connect")
	}
	var to target
	err := handshake(ctx, kindSOCKS5, inner, func(s transport.Stream) (err error) {
		if err := l.check(); err != nil {
			return err
		}
		if to, err = clientTarget(ctx, l.Target); err != nil {
			return err
		}
		return l.talk(s, to)
	})
	if err != nil {
		return nil, err
	}
	c := newConn(kindSOCKS5, inner.(transport.Stream), nil)
	c.showAs(to.netAddr())
	return c, nil
}

// check finds what RFC 1929 cannot carry: lengths are in one byte.
func (l *SOCKS5) check() error {
	switch {
	case l.User == "" && !l.Password.IsZero():
		return usage("a password for a socks5 proxy needs a user name")
	}
	return errors.Join(checkSOCKS5(l.User), checkSOCKS5(l.Password.Text()))
}

func checkSOCKS5(text string) error {
	if len(text) > 255 {
		return usage("a user name and a password for a socks5 proxy are at most 255 bytes long")
	}
	return nil
}

func (l *SOCKS5) talk(s transport.Stream, to target) error {
	hello := []byte{socks5Version, 1, methodNone}
	if l.User != "" {
		hello = []byte{socks5Version, 2, methodNone, methodPassword}
	}
	if _, err := s.Write(hello); err != nil {
		return err
	}
	var choice [2]byte
	if err := exactly(s, choice[:]); err != nil {
		return err
	}
	if choice[0] != socks5Version {
		return notSOCKS(choice[0])
	}
	switch method := choice[1]; {
	case method == methodNone:
	case method == methodPassword && l.User != "":
		if err := l.authenticate(s); err != nil {
			return err
		}
	case method == methodRefused && l.User == "":
		return transport.WithHint(denied("the proxy wants to know who asks"), "give it a user name and password: socks5://USER:PASSWORD@HOST")
	case method == methodRefused:
		return denied("the proxy takes neither a password nor clients without one")
	default:
		return fmt.Errorf("the proxy chose method %#02x, which was not offered", method)
	}
	if _, err := s.Write(append([]byte{socks5Version, cmdConnect, 0}, socks5Addr(to)...)); err != nil {
		return err
	}
	return readSOCKS5Reply(s)
}

// authenticate sends the name and the password (RFC 1929, section 2).
func (l *SOCKS5) authenticate(s transport.Stream) error {
	password := l.Password.Text()
	msg := append([]byte{passwordVersion, byte(len(l.User))}, l.User...)
	msg = append(append(msg, byte(len(password))), password...)
	if _, err := s.Write(msg); err != nil {
		return err
	}
	var status [2]byte // servers disagree about the first byte, so it is not looked at
	if err := exactly(s, status[:]); err != nil {
		return err
	}
	if status[1] != passwordOK {
		return denied("the proxy does not take the user name and password")
	}
	return nil
}

// socks5Addr returns ATYP, the address and the port (RFC 1928, section 5).
func socks5Addr(t target) []byte {
	var b []byte
	switch addr := t.addr.Unmap(); {
	case addr.Is4():
		b = append([]byte{atypIPv4}, addr.AsSlice()...)
	case addr.IsValid():
		b = append([]byte{atypIPv6}, addr.AsSlice()...)
	default:
		b = append([]byte{atypName, byte(len(t.name))}, t.name...)
	}
	return appendPort(b, t.port)
}

// readSOCKS5Reply reads a reply to its last byte and no further. The address in
// it is of no use to anybody.
func readSOCKS5Reply(r io.Reader) error {
	var buf [4 + 1 + maxName + 2]byte
	n, err := io.ReadFull(r, buf[:4])
	if n >= 2 && buf[0] == socks5Version && buf[1] != byte(socks5OK) {
		return socks5Reply(buf[1]).err() // some proxies hang up after the code
	}
	if err != nil {
		return hangup(err)
	}
	if buf[0] != socks5Version {
		return notSOCKS(buf[0])
	}
	rest := 0
	switch buf[3] {
	case atypIPv4:
		rest = 4 + 2
	case atypIPv6:
		rest = 16 + 2
	case atypName:
		if err := exactly(r, buf[4:5]); err != nil {
			return err
		}
		rest = int(buf[4]) + 2
	default:
		return fmt.Errorf("the proxy answers with an address of type %#02x, which does not exist", buf[3])
	}
	return exactly(r, buf[5:5+rest])
}

// err returns the error that a client makes of the reply.
func (r socks5Reply) err() error {
	switch r {
	case socks5Failed:
		return errors.New("the proxy failed to connect and does not say why")
	case socks5Denied:
		return denied("the proxy does not allow the target")
	case socks5NetUnreachable:
		return transport.Mark(errors.New("the proxy found the network unreachable"), syscall.ENETUNREACH)
	case socks5HostUnreachable:
		return transport.Mark(errors.New("the proxy found the host unreachable"), syscall.EHOSTUNREACH)
	case socks5Refused:
		return transport.Mark(errors.New("the proxy found the connection refused"), syscall.ECONNREFUSED)
	case socks5Expired:
		return transport.Mark(errors.New("the proxy had no answer from the target in time"), syscall.ETIMEDOUT)
	case socks5BadCommand:
		return errors.New("the proxy does not connect for its clients")
	case socks5BadAddress:
		return errors.New("the proxy does not know this type of address")
	}
	return fmt.Errorf("the proxy failed to connect: code %#02x", byte(r))
}

// notSOCKS returns the error for a reply that begins with the wrong byte.
func notSOCKS(first byte) error {
	err := fmt.Errorf("this is not a SOCKS proxy: its answer begins with %#02x", first)
	if first == 'H' {
		return transport.WithHint(err, "it looks like an HTTP proxy: write http:// instead")
	}
	return err
}

func denied(msg string) error { return transport.Mark(errors.New(msg), transport.ErrDenied) }
func usage(msg string) error  { return transport.Mark(errors.New(msg), transport.ErrUsage) }
