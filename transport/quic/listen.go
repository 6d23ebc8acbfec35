package quic

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strconv"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/internal/tlsconf"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// A Listen accepts QUIC connections, and of each its one stream.
type Listen struct {
	TLS
	Tuning
	Host string // "" is loopback of both families, "*" is everything
	Port string

	pending int // of connections before Accept; 0 means maxPending
	self    tlsconf.SelfSigned
	cfg     tlsconf.Loader
}

var (
	_ transport.Listener  = (*Listen)(nil)
	_ transport.Validator = (*Listen)(nil)
	_ transport.Guard     = (*Listen)(nil)
	_ transport.Announcer = (*Listen)(nil)
	_ transport.Noticer   = (*Listen)(nil)
	_ transport.Reloader  = (*Listen)(nil)
)

// Bind binds the target and the options of TLS and QUIC.
func (l *Listen) Bind(s *opt.Set) {
	s.Target(opt.Host, "[HOST:]PORT", nil)
	s.OnHost(func(h address.Host) error {
		if h.Port == "" {
			return errors.New("quic-listen needs a port: quic-listen:[HOST:]PORT")
		}
		l.Host, l.Port = h.Name, h.Port
		return nil
	})
	l.TLS.BindServer(s)
	l.Tuning.Bind(s)
}

// Validate checks the options of an end that listens.
func (l *Listen) Validate() error { return transport.Validate(&l.TLS, transport.Accepted) }

// Notify has tell called when files that have changed were read, or could not be.
func (l *Listen) Notify(tell func(line string)) { l.cfg.Notify(tell) }

// Reload reads the files again.
func (l *Listen) Reload() (commit func(), err error) { return l.cfg.Reload(&l.TLS, l.build) }

func (l *Listen) build(f tlsconf.Files) (*tls.Config, error) {
	return withALPN(l.TLS).Server(f, &l.self)
}

// config returns the configuration for quic-go, which asks it for that of the
// moment at each handshake.
func (l *Listen) config() (*tls.Config, error) {
	now := func() (*tls.Config, error) { return l.cfg.Get(&l.TLS, l.build) }
	if _, err := now(); err != nil {
		return nil, err
	}
	return &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return now() }}, nil
}

// Announce returns the pin of the certificate made for a listener without one.
func (l *Listen) Announce() ([]string, error) {
	if l.Cert != "" {
		return nil, nil
	}
	return l.self.Announce()
}

// Listen opens the sockets.
func (l *Listen) Listen(ctx context.Context) (transport.Acceptor, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	cfg, err := l.config()
	if err != nil {
		return nil, err
	}
	socks, err := l.sockets(ctx)
	if err != nil {
		return nil, err
	}
	return newAcceptor(l, socks, cfg)
}

// sockets opens one socket for a host or everything, and two for loopback, where
// the system has both families. With port 0 both get the same port.
func (l *Listen) sockets(ctx context.Context) ([]*net.UDPConn, error) {
	port := 0
	if l.Port != "" {
		p, err := net.DefaultResolver.LookupPort(ctx, "udp", l.Port)
		if err != nil {
			return nil, err
		}
		port = p
	}
	switch l.Host {
	case "":
		return loopbacks(ctx, port)
	case "*":
		return single(open(ctx, "udp", "", port))
	}
	return single(open(ctx, "udp", l.Host, port))
}

func single(c *net.UDPConn, err error) ([]*net.UDPConn, error) {
	if err != nil {
		return nil, err
	}
	return []*net.UDPConn{c}, nil
}

// samePort is how often a port that is free for both families is looked for.
const samePort = 16

func loopbacks(ctx context.Context, port int) ([]*net.UDPConn, error) {
	for try := 0; ; try++ {
		v4, err4 := open(ctx, "udp4", "127.0.0.1", port)
		p := port
		if err4 == nil {
			p = v4.LocalAddr().(*net.UDPAddr).Port
		}
		v6, err6 := open(ctx, "udp6", "::1", p)
		switch {
		case err4 == nil && err6 == nil:
			return []*net.UDPConn{v4, v6}, nil
		case err4 != nil && err6 != nil:
			return nil, err4
		case err4 != nil && !noFamily(err4):
			v6.Close()
			return nil, err4
		case err4 != nil:
			return []*net.UDPConn{v6}, nil
		case noFamily(err6):
			return []*net.UDPConn{v4}, nil
		}
		v4.Close()
		if port != 0 || try == samePort {
			return nil, err6
		}
	}
}

func open(ctx context.Context, network, host string, port int) (*net.UDPConn, error) {
	var lc net.ListenConfig
	c, err := lc.ListenPacket(ctx, network, net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return nil, err
	}
	return c.(*net.UDPConn), nil
}
