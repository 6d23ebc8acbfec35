// Package tlslayer puts TLS over any stream, on either side: the layer tls, and
// the kinds that are made of it.
//
// The other side is verified unless its address says insecure. An end of file
// counts only if the other side announced it inside TLS (close_notify): one that
// comes from beneath may be the work of somebody in between, and is
// [io.ErrUnexpectedEOF].
package tlslayer

import (
	"context"
	"crypto/tls"
	"errors"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/internal/tlsconf"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// Options are the TLS options, with a field for each.
type Options = tlsconf.Options

// A Layer is TLS. The zero Layer verifies the server that it dials against the
// system's roots, and shows clients a certificate that it makes for itself. It
// must not be copied once it is in use.
type Layer struct {
	Options
	Host string // dialing: the server's name, unless Options.SNI says otherwise

	self           tlsconf.SelfSigned
	client, server tlsconf.Lazy
}

var (
	_ transport.Layer     = (*Layer)(nil)
	_ transport.Validator = (*Layer)(nil)
	_ transport.Guard     = (*Layer)(nil)
	_ transport.Announcer = (*Layer)(nil)
)

// Bind binds the TLS options and learns the name of the server from the target.
func (l *Layer) Bind(s *opt.Set) {
	l.Options.Bind(s)
	s.OnHost(func(h address.Host) error {
		l.Host = h.Name
		return nil
	})
}

// Announce returns the pin of the certificate made for a listener without one.
func (l *Layer) Announce() ([]string, error) {
	if l.Cert != "" {
		return nil, nil
	}
	return l.self.Announce()
}

// Wrap does the handshake. The inner Conn must be a Stream.
func (l *Layer) Wrap(ctx context.Context, inner transport.Conn, side transport.Side) (transport.Conn, error) {
	c, err := l.wrap(ctx, inner, side)
	if err != nil {
		inner.Close()
		return nil, tlsconf.Explain(err)
	}
	return c, nil
}

func (l *Layer) wrap(ctx context.Context, inner transport.Conn, side transport.Side) (*Conn, error) {
	stream, ok := inner.(transport.Stream)
	if !ok {
		return nil, transport.Mark(errors.New("tls goes over streams of bytes, not over messages"), transport.ErrUsage)
	}
	cfg, err := l.config(side)
	if err != nil {
		return nil, err
	}
	w := &wire{inner: stream}
	var t *tls.Conn
	if side == transport.Dialed {
		t = tls.Client(w, cfg)
	} else {
		t = tls.Server(w, cfg)
	}
	if err := t.HandshakeContext(ctx); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, err
	}
	state := t.ConnectionState()
	return &Conn{tls: t, wire: w, info: transport.Info{
		Kind: "tls+" + inner.Info().Kind,
		TLS:  &state,
		Cred: inner.Info().Cred,
		Peer: l.Identity(&state, side),
	}}, nil
}

func (l *Layer) config(side transport.Side) (*tls.Config, error) {
	if side == transport.Dialed {
		return l.client.Get(func() (*tls.Config, error) { return l.Options.Client(l.Host) })
	}
	return l.server.Get(func() (*tls.Config, error) { return l.Options.Server(&l.self) })
}
