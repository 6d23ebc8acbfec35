package tenon

import (
	"context"
	"crypto/tls"
	"net"
	"strings"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/join"
	"github.com/tenon-net/tenon/transport"
)

// StreamOf returns c as a Stream, and so as a net.Conn: itself, or, if it carries
// messages, [join.Bytes] of it with [join.Chunks]: each Write is one message, cut into
// several if it is longer than MaxMsg, and reading strings the messages together. It is
// for packages whose protocol finds its own boundaries, as HTTP, SSH and databases do,
// over an end such as a WebSocket. Over one that may lose messages, such as UDP, bytes
// are lost. What it returns owns c.
func StreamOf(c transport.Conn) transport.Stream {
	if m, ok := c.(transport.MsgConn); ok {
		return join.Bytes(m, join.Chunks)
	}
	return c.(transport.Stream) // a Conn is one or the other
}

// DialStream opens the end that addr names, as a net.Conn, whatever it carries: for
// messages see [StreamOf]. The context bounds the call only.
func (o *Opener) DialStream(ctx context.Context, addr string) (transport.Stream, error) {
	c, err := o.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	return StreamOf(c), nil
}

// DialStream is [Opener.DialStream] with the zero Opener.
func DialStream(ctx context.Context, addr string) (transport.Stream, error) {
	return std.DialStream(ctx, addr)
}

// A Dialer dials for packages that bring their own idea of an address: the
// DialContext of http.Transport, gRPC's context dialer, drivers of database/sql, ssh.
// The zero Dialer opens what it is asked for, "tcp" and "db:5432" as tcp:db:5432.
type Dialer struct {
	// Address names the end to open. In it, {addr} stands for what the package
	// asks for: "tcp:{addr},via=socks5://localhost:1080" goes through a proxy,
	// "unix:/run/docker.sock" goes there whatever is asked for. Empty means the
	// network and the address that are asked for.
	Address string

	// Opener opens it; nil means the zero Opener.
	Opener *Opener
}

// DialContext opens the end, as a net.Conn, whatever it carries: for messages see
// [StreamOf]. The context bounds the call only.
func (d *Dialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	o := d.Opener
	if o == nil {
		o = &std
	}
	text := strings.ReplaceAll(d.Address, "{addr}", address.Quote(addr))
	if d.Address == "" {
		text = network + ":" + address.Quote(addr)
	}
	c, err := o.DialStream(ctx, text)
	if err != nil {
		return nil, err // not a Conn that is nil and an interface that is not
	}
	return c, nil
}

// Dial is DialContext without a context, for packages that know none.
func (d *Dialer) Dial(network, addr string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, addr)
}

// NetListener makes a net.Listener of an Acceptor, for http.Serve and its like. Ends
// that carry messages are made Streams; see [StreamOf]. Clients of a proxy
// (socks5-listen) are still to be answered; see [transport.Caller]. Those of tls-listen
// are *tls.Conn, so that package net/http fills in Request.TLS, and speaks HTTP/2 if the
// address says alpn='h2 http/1.1'.
func NetListener(a transport.Acceptor) net.Listener { return netListener{a} }

type netListener struct{ transport.Acceptor }

// Accept returns the next end.
func (l netListener) Accept() (net.Conn, error) {
	c, err := l.Acceptor.Accept()
	if err != nil {
		return nil, err
	}
	if t, ok := c.(interface{ TLS() *tls.Conn }); ok {
		return t.TLS(), nil
	}
	return StreamOf(c), nil
}
