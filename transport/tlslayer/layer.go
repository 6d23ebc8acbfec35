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
	"fmt"
	"io"

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
	client, server tlsconf.Loader
}

var (
	_ transport.Layer         = (*Layer)(nil)
	_ transport.Validator     = (*Layer)(nil)
	_ transport.SideValidator = (*Layer)(nil)
	_ transport.Guard         = (*Layer)(nil)
	_ transport.Announcer     = (*Layer)(nil)
	_ transport.Noticer       = (*Layer)(nil)
	_ transport.Reloader      = (*Layer)(nil)
)

// Bind binds the TLS options and learns the name of the server from the target.
func (l *Layer) Bind(s *opt.Set) {
	l.Options.Bind(s)
	s.OnHost(func(h address.Host) error {
		l.Host = h.Name
		return nil
	})
}

// Announce reads the files of a listener, and returns the pin of the certificate
// that is made for it if it has none.
func (l *Layer) Announce() ([]string, error) {
	if _, err := l.config(transport.Accepted); err != nil {
		return nil, err
	}
	if l.Cert != "" {
		return nil, nil
	}
	return l.self.Announce()
}

// Notify has tell called when files that have changed were read, or could not be.
func (l *Layer) Notify(tell func(line string)) {
	l.client.Notify(tell)
	l.server.Notify(tell)
}

// Reload reads the files again.
func (l *Layer) Reload() (commit func(), err error) {
	client, cerr := l.client.Reload(&l.Options, l.build(transport.Dialed))
	server, serr := l.server.Reload(&l.Options, l.build(transport.Accepted))
	if err := errors.Join(cerr, serr); err != nil {
		return nil, err
	}
	return func() { client(); server() }, nil
}

func (l *Layer) config(side transport.Side) (*tls.Config, error) {
	if side == transport.Dialed {
		return l.client.Get(&l.Options, l.build(side))
	}
	return l.server.Get(&l.Options, l.build(side))
}

func (l *Layer) build(side transport.Side) func(tlsconf.Files) (*tls.Config, error) {
	if side == transport.Dialed {
		return func(f tlsconf.Files) (*tls.Config, error) { return l.Options.Client(f, l.Host) }
	}
	return func(f tlsconf.Files) (*tls.Config, error) { return l.Options.Server(f, &l.self) }
}

// Wrap does the handshake. The inner Conn must be a Stream. A peer that is refused
// is told why, by an alert, before the inner Conn is closed.
func (l *Layer) Wrap(ctx context.Context, inner transport.Conn, side transport.Side) (transport.Conn, error) {
	stream, ok := inner.(transport.Stream)
	if !ok {
		inner.Close()
		return nil, transport.Mark(errors.New("tls goes over streams of bytes, not over messages"), transport.ErrUsage)
	}
	cfg, err := l.config(side)
	if err != nil {
		inner.Close()
		return nil, err
	}
	c, err := Over(ctx, stream, cfg, side)
	if err != nil {
		return nil, err
	}
	c.wire.takeEOF = l.IgnoreUnexpectedEOF
	c.info.Peer = l.Identity(c.info.TLS, side)
	return c, nil
}

// Over puts TLS over a stream as a configuration of package crypto/tls says, for
// programs that know for themselves whom they trust. It owns inner from the moment it
// is called, as [transport.Layer] has it.
func Over(ctx context.Context, inner transport.Stream, cfg *tls.Config, side transport.Side) (*Conn, error) {
	w := &wire{inner: inner}
	t := tls.Client(w, cfg)
	if side == transport.Accepted {
		t = tls.Server(w, cfg)
	}
	if err := t.HandshakeContext(ctx); err != nil {
		refuse(ctx, inner, err)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, tlsconf.ErrTruncated):
			return nil, errNoHandshake
		}
		return nil, tlsconf.Explain(err)
	}
	state := t.ConnectionState()
	return &Conn{tls: t, wire: w, open: make(chan struct{}), info: transport.Info{
		Kind:   "tls+" + inner.Info().Kind,
		TLS:    &state,
		Cred:   inner.Info().Cred,
		Socket: inner.Info().Socket,
	}}, nil
}

var errNoHandshake = fmt.Errorf("the other side closed the connection during the TLS handshake: %w", io.ErrUnexpectedEOF)

// refuse closes a stream whose handshake has failed. In TLS 1.3 a client whose
// certificate is refused believes to be through and may have sent data, which a
// plain Close would have TCP answer with a reset, and the alert would be lost. The
// end of ctx bounds that.
func refuse(ctx context.Context, stream transport.Stream, err error) {
	var record tls.RecordHeaderError
	if ctx.Err() != nil || errors.As(err, &record) { // nobody there, or nobody who knows alerts
		stream.Close()
		return
	}
	defer context.AfterFunc(ctx, func() { stream.Close() })()
	transport.LingeringClose(stream) //nolint:errcheck // the handshake's error counts
}
