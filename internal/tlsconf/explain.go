package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/transport"
)

// The alerts of RFC 8446, section 6.2, that are about who somebody is.
const (
	alertBadCertificate      = tls.AlertError(42)
	alertCertificateExpired  = tls.AlertError(45)
	alertCertificateUnknown  = tls.AlertError(46)
	alertUnknownCA           = tls.AlertError(48)
	alertAccessDenied        = tls.AlertError(49)
	alertCertificateRequired = tls.AlertError(116)
	alertHandshakeFailure    = tls.AlertError(40)
	alertProtocolVersion     = tls.AlertError(70)
	alertNoProtocol          = tls.AlertError(120)
)

// ErrTruncated is an end of file beneath TLS that no close_notify announced. It
// matches [io.ErrUnexpectedEOF].
var ErrTruncated error = truncated{}

type truncated struct{}

func (truncated) Error() string {
	return "the connection was cut: the other side did not say goodbye (TLS close_notify)"
}
func (truncated) Unwrap() error { return io.ErrUnexpectedEOF }

// Hints that say where the right value comes from: never from the peer, who may be
// the wrong one and would have chosen it.
const (
	pinHint = "pin=sha256:HASH accepts exactly one key; a listening tenon prints its hash, and for others, on their machine: " +
		"openssl x509 -in cert.pem -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256"
	nameHint = "sni=NAME expects another name; " + pinHint
	caHint   = "ca=FILE trusts the authority that signed it; " + pinHint
)

// A failure reads like what the peer caused, in words that it did not choose. It
// matches cause.
type failure struct {
	msg   string
	cause error
}

func (f *failure) Error() string { return f.msg }
func (f *failure) Unwrap() error { return f.cause }

// Explain adds to an error of a TLS connection what it means and what to do about
// it. Certificates that were refused, by us or by the other side, match
// [transport.ErrDenied]. Whatever of the peer's own words is in the error is quoted
// or made harmless, and short; there is none in the hint.
func Explain(err error) error {
	if err == nil {
		return nil
	}
	var cert *tls.CertificateVerificationError
	var name *errName
	var revoked errRevoked
	var record tls.RecordHeaderError
	switch {
	case errors.Is(err, errPin):
		return denied(errPin, "if the key was changed on purpose: "+pinHint)
	case errors.Is(err, errNoCertificate):
		return denied(errNoCertificate, "")
	case errors.As(err, &name):
		return denied(name, "")
	case errors.As(err, &revoked):
		return denied(revoked, "")
	case errors.As(err, &cert):
		return explainCertificate(cert)
	case errors.As(err, &record):
		return transport.WithHint(err, "the other side does not speak TLS on this port")
	case errors.Is(err, ErrTruncated):
		return transport.WithHint(err, "ignore-unexpected-eof takes that for the end, where the protocol itself tells whether all has come")
	}
	return explainAlert(Harmless(err))
}

// IsDenied tells whether err says that we refused the certificate of the peer.
func IsDenied(err error) bool {
	var cert *tls.CertificateVerificationError
	var name *errName
	var revoked errRevoked
	return errors.As(err, &cert) || errors.As(err, &name) || errors.As(err, &revoked) || errors.Is(err, errPin) || errors.Is(err, errNoCertificate)
}

func denied(err error, hint string) error {
	return transport.Mark(transport.WithHint(err, hint), transport.ErrDenied)
}

// longest is how much of an error that may hold the peer's words is shown.
const longest = 400

// Harmless returns err with a text that is one line without control characters and
// of a reasonable length.
func Harmless(err error) error {
	said := err.Error()
	msg := neutral.Line(said[:min(len(said), longest)])
	if len(said) > longest {
		msg += "..."
	}
	if msg == said {
		return err
	}
	return &failure{msg, err}
}

// explainCertificate says what is wrong with a certificate. The words of crypto/x509
// have the certificate's own in them.
func explainCertificate(e *tls.CertificateVerificationError) error {
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var authority x509.UnknownAuthorityError
	switch {
	case errors.As(e.Err, &host) && host.Certificate != nil:
		return denied(&failure{(&errName{host.Host, altNames(host.Certificate)}).Error(), e}, nameHint)
	case errors.As(e.Err, &authority):
		return denied(&failure{"the certificate of the other side was not signed by an authority that is trusted here", e}, caHint)
	case errors.As(e.Err, &invalid) && invalid.Reason == x509.Expired:
		return denied(&failure{"the certificate of the other side has expired, or is not valid yet", e}, pinHint)
	}
	return denied(Harmless(e), pinHint)
}

// quoted lists names, each in quotes: not too many and not too long.
func quoted(names []string) string {
	if len(names) == 0 {
		return "nobody (it has no subjectAltName)"
	}
	var list []string
	for _, n := range names[:min(len(names), 4)] {
		if len(n) > 64 {
			n = n[:61] + "..."
		}
		list = append(list, strconv.Quote(n))
	}
	return strings.Join(list, ", ")
}

// explainAlert is about what the other side said. crypto/tls keeps the type of its
// alerts to itself except in QUIC, but not their words.
func explainAlert(err error) error {
	var said string
	var alert tls.AlertError
	var op *net.OpError
	switch {
	case errors.As(err, &alert):
		said = alert.Error()
	case errors.As(err, &op) && op.Op == "remote error":
		said = op.Err.Error()
	}
	switch said {
	case "":
		return err
	case alertCertificateRequired.Error():
		return denied(err, "the other side wants to see a certificate of ours: cert=FILE")
	case alertUnknownCA.Error(), alertBadCertificate.Error(), alertCertificateUnknown.Error(),
		alertCertificateExpired.Error(), alertAccessDenied.Error():
		return denied(err, "the other side does not trust our certificate")
	case alertHandshakeFailure.Error():
		return transport.WithHint(err, "there is no common cipher, or the other side wants a certificate of ours: cert=FILE")
	case alertProtocolVersion.Error():
		return transport.WithHint(err, "there is no common version of TLS: see min= and max-version=")
	case alertNoProtocol.Error():
		return transport.WithHint(err, "the other side has none of our protocols: see alpn=")
	}
	return err
}
