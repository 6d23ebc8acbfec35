// Package quic has the kinds quic and quic-listen: one bidirectional QUIC stream
// (RFC 9000) for each joint, in a connection of its own, with TLS 1.3 built in.
//
// # Protocol
//
// Between two Tenons the connection speaks the protocol (ALPN) "tenon". It adds to
// QUIC what a joint needs and QUIC does not have:
//
//   - The dialer begins its stream with one byte, 0. A stream exists for the other
//     side only when something has been sent on it; with the byte, a listener can
//     be the first to speak.
//   - Who needs nothing more from the other side, because it has read everything or
//     has stopped reading, says so by opening and finishing an empty
//     unidirectional stream. Who closes waits for that before it closes the
//     connection, for a CONNECTION_CLOSE makes the other side drop what it has not
//     read yet. A connection that is closed with code 0 or 2 says it as well.
//   - A connection or stream that ends with error code 0 was closed, with code 1 it
//     was aborted, and with code 2 closed without waiting until the end.
//
// With another alpn= there is nothing but the bytes of the stream, as programs made
// for that protocol expect.
package quic

import (
	"time"

	quicgo "github.com/quic-go/quic-go"

	"github.com/tenon-net/tenon/internal/tlsconf"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// Protocol is the ALPN name of what this package speaks.
const Protocol = "tenon"

// What the zero values of the fields of Tuning mean.
const (
	DefaultKeepAlive = 15 * time.Second
	DefaultMaxIdle   = 30 * time.Second
	DefaultDrain     = 10 * time.Second
)

// The error codes of the protocol.
const (
	codeClosed  = 0
	codeAborted = 1
	codeGaveUp  = 2
	codeBusy    = 3
)

// handshakeLimit bounds how long a client may take from its first packet to its
// first byte.
const handshakeLimit = 10 * time.Second

// TLS are the TLS options, with a field for each.
type TLS = tlsconf.Options

// Tuning is what both kinds can be told about the connection.
type Tuning struct {
	KeepAlive time.Duration // send something so often; 0 means DefaultKeepAlive, negative never
	MaxIdle   time.Duration // give up when nothing came for so long; 0 means DefaultMaxIdle
	Drain     time.Duration // how long Close waits until the other side has read everything; 0 means DefaultDrain
}

// Bind binds the options.
func (t *Tuning) Bind(s *opt.Set) {
	s.Group("QUIC")
	s.Duration(&t.KeepAlive, "keepalive", DefaultKeepAlive, -1, "send something so often, that the way stays open")
	s.Duration(&t.MaxIdle, "max-idle", DefaultMaxIdle, 0, "give up if nothing comes for so long")
	s.Duration(&t.Drain, "drain", DefaultDrain, -1, "when closing, wait so long until the other side has read everything")
}

// config returns quic-go's configuration. One stream arrives at a listener, none
// at a dialer, and one notice at either.
func (t *Tuning) config(streams int64) *quicgo.Config {
	c := &quicgo.Config{
		HandshakeIdleTimeout:       handshakeLimit / 2,
		MaxIdleTimeout:             t.MaxIdle,
		KeepAlivePeriod:            t.KeepAlive,
		MaxIncomingStreams:         streams,
		MaxIncomingUniStreams:      1,
		RequireStreamCreditRelease: true,
	}
	if t.MaxIdle == 0 {
		c.MaxIdleTimeout = DefaultMaxIdle
	}
	switch {
	case t.KeepAlive == 0:
		c.KeepAlivePeriod = DefaultKeepAlive
	case t.KeepAlive < 0:
		c.KeepAlivePeriod = 0
	}
	return c
}

// withALPN returns the options with the protocols to offer.
func withALPN(o TLS) *TLS {
	if len(o.ALPN) == 0 {
		o.ALPN = []string{Protocol}
	}
	return &o
}

// Kinds returns quic and quic-listen.
func Kinds() transport.Kinds {
	traits := transport.Traits{HalfClose: true, Deadlines: true}
	listens := traits
	listens.Listens = true
	return transport.Kinds{{
		Name:    "quic",
		Aliases: []string{"quic-connect"},
		Syntax:  "quic:HOST:PORT",
		Doc:     "A stream of QUIC, encrypted, over UDP.",
		Example: "quic:example.org:4433",
		Traits:  traits,
		New:     func() transport.Endpoint { return new(Dial) },
	}, {
		Name:    "quic-listen",
		Aliases: []string{"quic-l"},
		Syntax:  "quic-listen:[HOST:]PORT",
		Doc:     "Accept streams of QUIC, on loopback unless a host or * is given.",
		Example: "quic-listen:4433,cert=server.pem",
		Traits:  listens,
		New:     func() transport.Endpoint { return new(Listen) },
	}}
}
