package quic

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	quicgo "github.com/quic-go/quic-go"

	"github.com/tenon-net/tenon/internal/tlsconf"
	"github.com/tenon-net/tenon/transport"
)

// A failure is an error of the other side or the way there. It does not match
// net.ErrClosed, as the errors of quic-go do: that is for what we closed.
type failure struct {
	msg   string
	cause error
}

func (f *failure) Error() string { return f.msg }
func (f *failure) Unwrap() error { return f.cause }

// explain turns the errors of quic-go into ours.
func explain(err error) error {
	var stream *quicgo.StreamError
	var app *quicgo.ApplicationError
	var tr *quicgo.TransportError
	var idle *quicgo.IdleTimeoutError
	var hand *quicgo.HandshakeTimeoutError
	var reset *quicgo.StatelessResetError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, io.EOF):
		return err
	case errors.As(err, &stream) && stream.ErrorCode == codeClosed:
		return &failure{"the other side reads no more", syscall.EPIPE}
	case errors.As(err, &stream):
		return &failure{"the other side reset the stream", syscall.ECONNRESET}
	case errors.As(err, &app) && (app.ErrorCode == codeClosed || app.ErrorCode == codeGaveUp):
		return &failure{"the other side closed the connection before its end", io.ErrUnexpectedEOF}
	case errors.As(err, &app) && app.ErrorCode == codeBusy:
		return &failure{"the other side has too many connections", syscall.ECONNREFUSED}
	case errors.As(err, &app):
		return &failure{"the other side reset the connection", syscall.ECONNRESET}
	case errors.As(err, &idle):
		return transport.WithHint(transport.Mark(&failure{"nothing came from the other side any more", syscall.ETIMEDOUT}, transport.ErrTimeout),
			"a firewall may block UDP, or nobody speaks QUIC there")
	case errors.As(err, &hand):
		return transport.Mark(&failure{"the handshake took too long", syscall.ETIMEDOUT}, transport.ErrTimeout)
	case errors.As(err, &reset):
		return &failure{"the other side does not know the connection any more", syscall.ECONNRESET}
	case errors.As(err, &tr):
		return explainTransport(tr)
	}
	return tlsconf.Harmless(err)
}

// explainTransport is about errors of the protocol, which hold those of TLS
// (RFC 9001, section 4.8).
func explainTransport(e *quicgo.TransportError) error {
	switch {
	case e.ErrorCode == quicgo.ConnectionRefused:
		return &failure{"the other side refused the connection", syscall.ECONNREFUSED}
	case !e.ErrorCode.IsCryptoError():
		return tlsconf.Harmless(&failure{msg: "QUIC: " + e.Error()}) // with the words of the other side
	case e.Remote:
		alert := tls.AlertError(uint8(e.ErrorCode - 0x100))
		return tlsconf.Explain(&failure{"remote error: " + alert.Error(), alert})
	}
	if tlsconf.IsDenied(e) {
		return tlsconf.Explain(e)
	}
	said := e.ErrorMessage
	for _, cause := range e.Unwrap() {
		if cause != nil && cause != net.ErrClosed {
			said = cause.Error()
		}
	}
	return tlsconf.Harmless(&failure{msg: "TLS: " + said})
}
