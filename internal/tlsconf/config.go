package tlsconf

import (
	"crypto/tls"
	"errors"

	"github.com/tenon-net/tenon/transport"
)

// sessions is how many servers a dialing end remembers a session of.
const sessions = 16

// Client returns the configuration for dialing a server on host, which SNI
// overrides. It is for many connections: sessions are resumed.
func (o *Options) Client(host string) (*tls.Config, error) {
	c, err := o.base()
	if err != nil {
		return nil, err
	}
	if c.RootCAs, err = o.roots(); err != nil {
		return nil, usage(err)
	}
	c.ServerName = o.SNI
	if c.ServerName == "" {
		c.ServerName = host
	}
	sums, _ := o.pins()
	switch {
	case len(sums) > 0:
		c.InsecureSkipVerify = true // in favour of the pin, which VerifyConnection holds it against
		c.VerifyConnection = func(s tls.ConnectionState) error { return checkPin(sums, s.PeerCertificates) }
	case o.Insecure:
		c.InsecureSkipVerify = true
	case c.ServerName == "":
		return nil, usage(errors.New("tls needs to know whom to expect: sni=NAME or pin=sha256:HASH"))
	}
	if o.Cert != "" {
		src := &certFile{o: o}
		if _, err := src.get(); err != nil {
			return nil, usage(err)
		}
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return src.get() }
	}
	c.ClientSessionCache = tls.NewLRUClientSessionCache(sessions)
	return c, nil
}

// Server returns the configuration for accepting clients, with the certificate of
// self unless Cert names one. It is for many connections: its session tickets are
// good for any of them.
func (o *Options) Server(self *SelfSigned) (*tls.Config, error) {
	c, err := o.base()
	if err != nil {
		return nil, err
	}
	if o.Cert != "" {
		src := &certFile{o: o}
		if _, err := src.get(); err != nil {
			return nil, usage(err)
		}
		c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return src.get() }
	} else {
		c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return self.Certificate() }
	}
	if c.ClientCAs, err = o.roots(); err != nil {
		return nil, usage(err)
	}
	sums, _ := o.pins()
	need := false
	switch o.clientAuth() {
	case "none":
		return c, nil
	case "want":
		c.ClientAuth = tls.VerifyClientCertIfGiven
	case "need":
		need = true
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	if len(sums) > 0 {
		c.ClientAuth = tls.RequestClientCert
		c.VerifyConnection = func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 && !need {
				return nil
			}
			return checkPin(sums, s.PeerCertificates)
		}
	}
	return c, nil
}

// base returns what both sides have in common.
func (o *Options) base() (*tls.Config, error) {
	if err := o.validate(); err != nil {
		return nil, usage(err)
	}
	c := &tls.Config{NextProtos: o.ALPN, DynamicRecordSizingDisabled: true}
	var err error
	if c.MinVersion, c.MaxVersion, err = o.versions(); err != nil {
		return nil, usage(err)
	}
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
	case len(s.VerifiedChains) == 0:
		return ""
	case side == transport.Dialed:
		return s.ServerName
	}
	return certName(s.PeerCertificates[0])
}

func usage(err error) error { return transport.Mark(err, transport.ErrUsage) }
