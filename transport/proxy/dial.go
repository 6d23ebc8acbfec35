package proxy

import (
	"context"
	"fmt"
	"net"
	"strings"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// The ports of proxies that are given without one: that of RFC 1928, section 3,
// socat's for HTTP proxies, and that of HTTPS.
const (
	DefaultSOCKSPort = "1080"
	DefaultHTTPPort  = "8080"
	DefaultHTTPSPort = "443"
)

// SOCKSVersion is a version of the SOCKS protocol.
type SOCKSVersion int

// The versions. The first is the default.
const (
	SOCKSVersion5 SOCKSVersion = iota
	SOCKSVersion4a
	SOCKSVersion4
)

// DialSOCKS connects to Target through one SOCKS proxy, as socat's SOCKS4,
// SOCKS4A and SOCKS5-CONNECT do.
type DialSOCKS struct {
	Version  SOCKSVersion
	Proxy    string // host
	Port     string // number or service; "" means [DefaultSOCKSPort]
	Target   string // "host:port"
	User     string
	Password opt.Secret // for version 5
}

var _ transport.Dialer = (*DialSOCKS)(nil)

// Bind reads PROXY:HOST:PORT, and PROXY:PORT:HOST:PORT as newer versions of socat
// write it.
func (d *DialSOCKS) Bind(s *opt.Set) {
	s.Target(opt.Text, "PROXY:HOST:PORT", func(t address.Target) error {
		return setProxy(t, &d.Proxy, &d.Port, &d.Target)
	})
	if d.Version == SOCKSVersion5 {
		s.String(&d.User, "socksuser", "name", "user name for the proxy").Mask = opt.MaskPassword
		s.Secret(&d.Password, "sockspass", "password for the proxy", checkSOCKS5)
	} else {
		s.String(&d.User, "socksuser", "name", "user ID for the proxy").Mask = opt.MaskPassword
	}
	bindPort(s, &d.Port, "socksport", DefaultSOCKSPort)
}

// Dial connects to the proxy and has it connect to the target.
func (d *DialSOCKS) Dial(ctx context.Context) (transport.Conn, error) {
	var layer transport.Layer
	kind := kindSOCKS5
	switch d.Version {
	case SOCKSVersion4a, SOCKSVersion4:
		l := &SOCKS4{Target: d.Target, User: d.User, Remote: d.Version == SOCKSVersion4a}
		kind, layer = l.kind(), l
	default:
		layer = &SOCKS5{Target: d.Target, User: d.User, Password: d.Password}
	}
	return dial(ctx, kind, d.Proxy, or(d.Port, DefaultSOCKSPort), layer)
}

// DialHTTP connects to Target through one HTTP proxy, as socat's PROXY does.
type DialHTTP struct {
	Proxy   string // host
	Port    string // number or service; "" means [DefaultHTTPPort]
	Connect HTTPConnect
}

var (
	_ transport.Dialer    = (*DialHTTP)(nil)
	_ transport.Validator = (*DialHTTP)(nil)
)

// Bind reads PROXY:HOST:PORT.
func (d *DialHTTP) Bind(s *opt.Set) {
	s.Target(opt.Text, "PROXY:HOST:PORT", func(t address.Target) error {
		return setProxy(t, &d.Proxy, &d.Port, &d.Connect.Target)
	})
	s.Embed(&d.Connect)
	bindPort(s, &d.Port, "proxyport", DefaultHTTPPort)
}

// Validate finds what an HTTP request cannot hold.
func (d *DialHTTP) Validate() error { return d.Connect.Validate() }

// Dial connects to the proxy and has it connect to the target.
func (d *DialHTTP) Dial(ctx context.Context) (transport.Conn, error) {
	return dial(ctx, kindHTTPConnect, d.Proxy, or(d.Port, DefaultHTTPPort), &d.Connect)
}

func dial(ctx context.Context, kind, host, port string, layer transport.Layer) (transport.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		if ctx.Err() != nil {
			return nil, ended(ctx, kind)
		}
		return nil, fmt.Errorf("proxy: %w", err)
	}
	inner, err := layer.Wrap(ctx, newTCPConn(c.(*net.TCPConn), kind), transport.Dialed)
	if err != nil {
		return nil, err
	}
	outer := inner.(*conn)
	outer.info = &transport.Info{Kind: kind, Socket: outer.info.Socket}
	return outer, nil
}

// setProxy takes PROXY:HOST:PORT or PROXY:PORT:HOST:PORT apart.
func setProxy(t address.Target, proxy, port, target *string) error {
	parts := splitColons(t.Text)
	if len(parts) == 4 {
		if err := setPort(port, parts[1]); err != nil {
			return err
		}
		parts = append(parts[:1], parts[2:]...)
	}
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" || parts[2] == "" {
		return &opt.ValueError{Msg: "must be PROXY:HOST:PORT; a proxy alone goes into the option via= of another end"}
	}
	h, err := address.Target{Text: parts[1] + ":" + parts[2]}.Host()
	if err != nil {
		return err
	}
	*proxy, *target = strings.Trim(parts[0], "[]"), h.HostPort()
	return nil
}

// splitColons splits text at the colons that are not in brackets.
func splitColons(text string) []string {
	var parts []string
	start, depth := 0, 0
	for i := range len(text) {
		switch text[i] {
		case '[':
			depth++
		case ']':
			depth--
		case ':':
			if depth == 0 {
				parts = append(parts, text[start:i])
				start = i + 1
			}
		}
	}
	return append(parts, text[start:])
}

func bindPort(s *opt.Set, p *string, name, def string) {
	d := s.Func(name, "port", "port of the proxy", func(v string) error { return setPort(p, v) })
	d.Default, d.Multi = def, false
}

// setPort refuses a second port, for the target and an option may both name one.
func setPort(p *string, port string) error {
	if port == "" || *p != "" && *p != port {
		return &opt.ValueError{Msg: "must be one port for the proxy"}
	}
	*p = port
	return nil
}

func or(s, def string) string {
	if s == "" {
		return def
	}
	return s
}
