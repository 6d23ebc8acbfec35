package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"

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

// Explain adds to an error of a TLS connection what it means and what to do about
// it. Certificates that were refused, by us or by the other side, match
// [transport.ErrDenied].
func Explain(err error) error {
	if err == nil {
		return nil
	}
	var pin *errPin
	if errors.As(err, &pin) {
		return denied(err, "its key has pin="+pin.seen+"; use that only if you know from elsewhere that it is right")
	}
	var cert *tls.CertificateVerificationError
	if errors.As(err, &cert) {
		return denied(err, verificationHint(cert))
	}
	var record tls.RecordHeaderError
	if errors.As(err, &record) {
		return transport.WithHint(err, "the other side does not speak TLS on this port")
	}
	return explainAlert(err)
}

func denied(err error, hint string) error {
	return transport.Mark(transport.WithHint(err, hint), transport.ErrDenied)
}

func verificationHint(e *tls.CertificateVerificationError) string {
	if len(e.UnverifiedCertificates) == 0 {
		return ""
	}
	leaf := e.UnverifiedCertificates[0]
	pin := "pin=" + Pin(leaf)
	var host x509.HostnameError
	if errors.As(e.Err, &host) {
		names := certNames(leaf)
		if len(names) == 0 {
			return "the certificate is for no name at all; " + pin + " accepts it"
		}
		return fmt.Sprintf("the certificate is for %s: sni=%s if that is meant, or %s", strings.Join(names, ", "), names[0], pin)
	}
	var authority x509.UnknownAuthorityError
	if errors.As(e.Err, &authority) {
		return "trust its authority with ca=FILE, or exactly this key with " + pin
	}
	return pin + " accepts exactly this key"
}

// certNames returns the names that a certificate is for, at most four.
func certNames(c *x509.Certificate) []string {
	names := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	for _, u := range c.URIs {
		names = append(names, u.String())
	}
	names = append(names, c.EmailAddresses...)
	if len(names) > 4 {
		names = append(names[:4], "...")
	}
	return names
}

// certName returns the name of whom a certificate is about: its common name, else
// its first alternative name.
func certName(c *x509.Certificate) string {
	if c.Subject.CommonName != "" {
		return c.Subject.CommonName
	}
	if names := certNames(c); len(names) > 0 {
		return names[0]
	}
	return ""
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

// IsPinError tells whether err says that the other side has not the pinned key.
func IsPinError(err error) bool {
	var pin *errPin
	return errors.As(err, &pin)
}
