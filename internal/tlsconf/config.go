package tlsconf

import (
	"crypto/tls"
	"errors"
	"net/netip"
	"strings"

	"github.com/tenon-net/tenon/transport"
)

// sessions is how many servers a dialing end remembers a session of.
const sessions = 16

// Client returns the configuration for dialing a server on host, which SNI
// overrides. It is for many connections: sessions are resumed.
func (o *Options) Client(f Files, host string) (*tls.Config, error) {
	c, err := o.base(transport.Dialed)
	if err != nil {
		return nil, err
	}
	c.RootCAs = f.roots
	c.ServerName = bare(first(o.SNI, o.CommonName, host))
	name := bare(first(o.CommonName, c.ServerName))
	sums, _ := o.pins()
	switch {
	case o.insecure():
		c.InsecureSkipVerify = true
	case len(sums) == 0 && name == "":
		return nil, usage(errors.New("tls needs to know whom to expect: sni=NAME or pin=sha256:HASH"))
	case len(sums) > 0 || name != c.ServerName || o.CRL != "":
		// In favour of VerifyConnection, which also sees sessions that are resumed.
		c.InsecureSkipVerify = true
		c.VerifyConnection = func(s tls.ConnectionState) error {
			return o.verifyServer(s.PeerCertificates, f, sums, name)
		}
	}
	if f.cert != nil {
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return f.cert, nil }
	}
	c.ClientSessionCache = tls.NewLRUClientSessionCache(sessions)
	return c, nil
}

// Server returns the configuration for accepting clients, with the certificate of
// self unless Cert names one. It is for many connections: its session tickets are
// good for any of them.
func (o *Options) Server(f Files, self *SelfSigned) (*tls.Config, error) {
	c, err := o.base(transport.Accepted)
	if err != nil {
		return nil, err
	}
	c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		if f.cert != nil {
			return f.cert, nil
		}
		return self.Certificate()
	}
	sums, _ := o.pins()
	need := o.clientAuth() == "need"
	switch {
	case o.clientAuth() == "none":
		return c, nil
	case o.CA != "" && need:
		c.ClientAuth = tls.RequireAndVerifyClientCert
	case o.CA != "":
		c.ClientAuth = tls.VerifyClientCertIfGiven
	case need:
		c.ClientAuth = tls.RequireAnyClientCert
	default:
		c.ClientAuth = tls.RequestClientCert
	}
	c.ClientCAs = f.roots
	c.VerifyConnection = func(s tls.ConnectionState) error {
		if len(s.PeerCertificates) == 0 && !need {
			return nil
		}
		return o.verifyClient(s, f, sums)
	}
	return c, nil
}

// base returns what both sides have in common.
func (o *Options) base(side transport.Side) (*tls.Config, error) {
	err := o.checkSide(side)
	if err == nil {
		err = o.check()
	}
	if err != nil {
		return nil, usage(err)
	}
	c := &tls.Config{NextProtos: o.ALPN, DynamicRecordSizingDisabled: true}
	c.MinVersion, c.MaxVersion, _ = o.versions()
	if o.KeyLog != "" {
		c.KeyLogWriter = &keyLog{path: o.KeyLog}
	}
	return c, nil
}

// Identity returns what the peer proved to be, "" if nothing: its pin if it was
// held against pins, else the name in its verified certificate. A name that only a
// pinned certificate claims is not proof of the name.
func (o *Options) Identity(s *tls.ConnectionState, side transport.Side) string {
	switch {
	case len(s.PeerCertificates) == 0:
		return ""
	case len(o.Pins) > 0:
		return Pin(s.PeerCertificates[0])
	case side == transport.Dialed && o.insecure():
		return ""
	case side == transport.Dialed:
		return bare(first(o.CommonName, s.ServerName))
	}
	return certName(s.PeerCertificates[0])
}

// bare returns a name as it stands in certificates: an address of IPv6 without the
// brackets, and without its zone, which has a meaning on this machine only
// (RFC 4007, section 6).
func bare(name string) string {
	if ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")); err == nil {
		return ip.WithZone("").String()
	}
	return name
}

// first returns the first of names that is not empty.
func first(names ...string) string {
	for _, n := range names {
		if n != "" {
			return n
		}
	}
	return ""
}
