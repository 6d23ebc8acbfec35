package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

var errNoCertificate = errors.New("the other side shows no certificate")

// An errName is what a peer fails with whose certificate is for somebody else.
type errName struct {
	want  string
	names []string // that the certificate is for
}

func (e *errName) Error() string {
	return fmt.Sprintf("the certificate of the other side is for %s, and not for %q", quoted(e.names), e.want)
}

// verifyServer holds a server against the pins, and against the authorities and the
// name if there are any besides.
func (o *Options) verifyServer(chain []*x509.Certificate, f Files, sums [][]byte, name string) error {
	if len(sums) > 0 {
		if err := checkPin(sums, chain); err != nil {
			return err
		}
		if o.CA == "" {
			if o.CommonName == "" {
				return nil
			}
			return unverified(chain, chain[0].VerifyHostname(name))
		}
	}
	return f.verifyChain(chain, name, x509.ExtKeyUsageServerAuth)
}

// verifyClient adds to what crypto/tls verifies: the pins, the name, what is revoked,
// and that the authorities of a session which is resumed are still trusted.
func (o *Options) verifyClient(s tls.ConnectionState, f Files, sums [][]byte) error {
	if len(s.PeerCertificates) == 0 {
		return errNoCertificate
	}
	if len(sums) > 0 {
		if err := checkPin(sums, s.PeerCertificates); err != nil {
			return err
		}
	}
	if (s.DidResume || f.crl != nil) && o.CA != "" {
		if err := f.verifyChain(s.PeerCertificates, "", x509.ExtKeyUsageClientAuth); err != nil {
			return err
		}
	}
	if name := bare(o.CommonName); name != "" && !isFor(s.PeerCertificates[0], name) {
		return &errName{name, clientNames(s.PeerCertificates[0])}
	}
	return nil
}

// verifyChain holds a chain against the authorities, the name if it is not "", and the
// lists of what is revoked.
func (f Files) verifyChain(chain []*x509.Certificate, name string, use x509.ExtKeyUsage) error {
	if len(chain) == 0 {
		return errNoCertificate
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	good, err := chain[0].Verify(x509.VerifyOptions{DNSName: name, Roots: f.roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{use}})
	if err != nil || f.crl == nil {
		return unverified(chain, err)
	}
	return f.crl.check(good, time.Now())
}

// unverified returns err in the form that crypto/tls gives it.
func unverified(chain []*x509.Certificate, err error) error {
	if err == nil {
		return nil
	}
	return &tls.CertificateVerificationError{UnverifiedCertificates: chain, Err: err}
}

// isFor tells whether a client's certificate is for name: one of its alternative
// names, or its common name. There are no wildcards: a client is somebody.
func isFor(c *x509.Certificate, name string) bool {
	return slices.Contains(clientNames(c), name) ||
		slices.ContainsFunc(c.DNSNames, func(n string) bool { return strings.EqualFold(n, name) })
}

// altNames returns the alternative names of a certificate, which are the ones that
// count for a server (RFC 9525, section 2).
func altNames(c *x509.Certificate) []string {
	names := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	for _, u := range c.URIs {
		names = append(names, u.String())
	}
	return append(names, c.EmailAddresses...)
}

// clientNames returns the names that count for a client.
func clientNames(c *x509.Certificate) []string {
	names := altNames(c)
	if cn := c.Subject.CommonName; cn != "" && !slices.Contains(names, cn) {
		names = append(names, cn)
	}
	return names
}

// certName returns the name of whom a certificate is about: its common name, else
// its first alternative name.
func certName(c *x509.Certificate) string {
	if c.Subject.CommonName != "" {
		return c.Subject.CommonName
	}
	return first(altNames(c)...)
}
