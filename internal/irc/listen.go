package irc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/tenon-net/tenon/transport"
)

// An Address is where a server listens: on this computer alone.
type Address struct {
	Unix string         // the path of a socket, or
	TCP  netip.AddrPort // a port of loopback
}

// DefaultAddress is where IRC clients look for a server that has no TLS.
const DefaultAddress = "127.0.0.1:6667"

// ParseAddress reads an address: a port, HOST:PORT with a host that is loopback, or unix: and a path. All else is refused: the
// protocol is not encrypted, and says who is who by a password that others could hear.
func ParseAddress(text string) (Address, error) {
	if path, ok := strings.CutPrefix(text, "unix:"); ok || filepath.IsAbs(text) {
		if path == "" {
			path = text
		}
		if !filepath.IsAbs(path) || len(path) > 100 {
			return Address{}, transport.Usage(fmt.Errorf("%q: a socket is named by a whole path of at most 100 bytes, as in unix:/run/user/1000/irc.sock", text))
		}
		return Address{Unix: path}, nil
	}
	bad := transport.WithHint(transport.Usage(fmt.Errorf("%q is not an address of this computer alone", text)),
		"it is 127.0.0.1:PORT, [::1]:PORT, localhost:PORT or unix:/PATH; from elsewhere, tenon serve irc tcp:"+DefaultAddress+" lets a peer of yours in")
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		host, port = "localhost", text
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return Address{}, bad
	}
	ip := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if host != "localhost" {
		if ip, err = netip.ParseAddr(host); err != nil || !ip.IsLoopback() || ip.Is4In6() {
			return Address{}, bad
		}
	}
	return Address{TCP: netip.AddrPortFrom(ip, uint16(n))}, nil
}

// String is the address as ParseAddress reads it.
func (a Address) String() string {
	if a.Unix != "" {
		return "unix:" + a.Unix
	}
	return a.TCP.String()
}

// Listen listens there. A unix socket is for this user only.
func (a Address) Listen(ctx context.Context, unix func(ctx context.Context, path string) (net.Listener, error)) (net.Listener, error) {
	if a.Unix != "" {
		return unix(ctx, a.Unix)
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", a.TCP.String())
	if err != nil {
		return nil, err
	}
	if t, ok := l.Addr().(*net.TCPAddr); !ok || !t.IP.IsLoopback() {
		return nil, errors.Join(errors.New("it is not loopback that is listened on"), l.Close())
	}
	return l, nil
}
