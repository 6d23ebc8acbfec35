package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// The numbers of SOCKS4 (memo "SOCKS: A protocol for TCP proxy across firewalls").
const (
	socks4Version = 4

	socks4Granted  = 90
	socks4Rejected = 91
	socks4NoIdent  = 92
	socks4BadIdent = 93

	maxSOCKS4User = 255 // bytes; the memo sets no limit
)

// SOCKS4 is the layer that asks a SOCKS4 proxy for a way to Target.
type SOCKS4 struct {
	Target string // "host:port"; an IPv6 address cannot be reached
	User   string // the user ID, which proves nothing
	Remote bool   // send names to the proxy, as SOCKS 4A; otherwise they are resolved here
}

var _ transport.Layer = (*SOCKS4)(nil)

// Bind binds the options that the layer has beside its Target.
func (l *SOCKS4) Bind(s *opt.Set) {
	s.String(&l.User, "socksuser", "name", "user ID for the proxy").Mask = opt.MaskPassword
}

// Wrap asks the proxy at the other side of inner. The Conn has the target for its
// RemoteAddr.
func (l *SOCKS4) Wrap(ctx context.Context, inner transport.Conn, side transport.Side) (transport.Conn, error) {
	kind := l.kind()
	if side != transport.Dialed {
		return nil, wrongSide(inner, kind, "connect")
	}
	var to target
	err := handshake(ctx, kind, inner, func(s transport.Stream) (err error) {
		if to, err = clientTarget(ctx, l.Target); err != nil {
			return err
		}
		return l.talk(ctx, s, to)
	})
	if err != nil {
		return nil, err
	}
	c := newConn(kind, inner.(transport.Stream), nil)
	c.showAs(to.netAddr())
	return c, nil
}

func (l *SOCKS4) kind() string {
	if l.Remote {
		return kindSOCKS4a
	}
	return kindSOCKS4
}

// check finds a user ID that cannot be sent: a zero byte ends it.
func (l *SOCKS4) check() error {
	if len(l.User) > maxSOCKS4User || strings.IndexByte(l.User, 0) >= 0 {
		return usage("a user ID for a socks4 proxy is at most 255 bytes long, none of them zero")
	}
	return nil
}

func (l *SOCKS4) talk(ctx context.Context, s transport.Stream, to target) error {
	if err := l.check(); err != nil {
		return err
	}
	addr, err := l.address(ctx, to)
	if err != nil {
		return err
	}
	req := appendPort([]byte{socks4Version, cmdConnect}, to.port)
	ip := addr.As4()
	req = append(append(append(req, ip[:]...), l.User...), 0)
	if !to.addr.IsValid() && l.Remote {
		req = append(append(req, to.name...), 0)
	}
	if _, err := s.Write(req); err != nil {
		return err
	}
	return readSOCKS4Reply(s)
}

// address returns the four bytes for the request. 0.0.0.1 says that a name
// follows (SOCKS 4A memo).
func (l *SOCKS4) address(ctx context.Context, to target) (netip.Addr, error) {
	switch addr := to.addr.Unmap(); {
	case addr.Is4():
		return addr, nil
	case addr.IsValid():
		return addr, transport.WithHint(usage("a socks4 proxy cannot reach an IPv6 address"), "socks5 can")
	case l.Remote:
		return netip.AddrFrom4([4]byte{0, 0, 0, 1}), nil
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", to.name)
	if err != nil {
		return netip.Addr{}, transport.WithHint(err, "socks4 resolves names here; socks4a and socks5 let the proxy do it")
	}
	return addrs[0].Unmap(), nil
}

// readSOCKS4Reply reads the eight bytes of a reply.
func readSOCKS4Reply(s transport.Stream) error {
	var reply [8]byte
	if err := exactly(s, reply[:]); err != nil {
		return err
	}
	if reply[0] != 0 && reply[0] != socks4Version { // the memo says 0; some say 4
		return notSOCKS(reply[0])
	}
	switch code := reply[1]; code {
	case socks4Granted:
		return nil
	case socks4Rejected:
		return errors.New("the proxy rejected the request or failed to connect")
	case socks4NoIdent, socks4BadIdent:
		return denied("the proxy could not confirm the user ID")
	default:
		return fmt.Errorf("the proxy answers with code %d, which does not exist", code)
	}
}
