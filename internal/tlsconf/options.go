// Package tlsconf turns the TLS options that several kinds share into a
// [crypto/tls.Config], and the errors of a handshake into ones that help.
//
// A peer is verified unless somebody writes otherwise: a server against the
// system's roots or ca=, or against pin=, which is the hash of its public key and
// stands in for the whole chain. The package does no network I/O; it reads the
// files that the options name.
package tlsconf

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"

	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// Options are the TLS options of an end. The zero Options dial with the system's
// roots, and listen with a certificate made for the occasion.
type Options struct {
	CA   string // PEM file of the authorities to trust instead of the system's
	Cert string // PEM file of our certificate and its chain
	Key  string // PEM file of its key; "" means that it is in Cert

	// Pins are hashes of public keys, "sha256:" and then hex or base64. A
	// peer whose key has one of them is the right one, whoever signed its
	// certificate, and no other is. See [Pin].
	Pins []string

	SNI      string // dialing: the name to ask for and to verify; "" means the target's host
	Insecure bool   // dialing: do not verify the server

	// ClientAuth is "none", "want" or "need". "" means "need" if there are
	// a CA or Pins to hold clients against, else "none".
	ClientAuth string

	ALPN   []string // protocols offered, the best first
	Min    string   // oldest version of the protocol, "1.2" or "1.3"; "" means 1.2
	Max    string   // newest version; "" means 1.3
	KeyLog string   // file to which the session keys are appended, for debugging
}

// bindCommon binds what both sides understand.
func (o *Options) bindCommon(s *opt.Set) {
	s.Group("TLS")
	s.String(&o.CA, "ca", "file", "trust the certificate authorities in this PEM file, and no others").
		Alias("cafile", "openssl-cafile", "ssl-ca")
	s.String(&o.Cert, "cert", "file", "show the certificate in this PEM file").
		Alias("certificate", "openssl-certificate", "openssl-cert", "ssl-cert")
	s.String(&o.Key, "key", "file", "its private key, if that is in another PEM file").
		Alias("openssl-key", "ssl-key")
	s.Strings(&o.Pins, "pin", "sha256:hash", "accept exactly the peer whose public key has this hash, whoever signed it").
		Alias("pinnedpubkey")
	s.Func("alpn", "protocols", "offer these protocols (ALPN), the best first", func(v string) error {
		o.ALPN = append(o.ALPN, strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ' ' })...)
		return nil
	})
	s.String(&o.KeyLog, "keylog", "file", "append the session keys to this file, so that Wireshark can read along")
}

func (o *Options) bindVersions(s *opt.Set) {
	s.Enum(&o.Min, "min", "oldest version of TLS", "1.2", "1.3").Alias("min-version", "tls-min")
	s.Enum(&o.Max, "max-version", "newest version of TLS", "1.3", "1.2").Alias("tls-max")
}

// BindClient binds the options of an end that dials and has TLS built in, and so a
// version of it, such as QUIC.
func (o *Options) BindClient(s *opt.Set) {
	o.bindCommon(s)
	o.bindVerify(s)
}

// BindServer binds the options of an end that listens and has TLS built in.
func (o *Options) BindServer(s *opt.Set) {
	o.bindCommon(s)
	o.bindClientAuth(s)
}

// Bind binds the options of an end that may do either, such as a layer.
func (o *Options) Bind(s *opt.Set) {
	o.bindCommon(s)
	o.bindVersions(s)
	o.bindVerify(s)
	o.bindClientAuth(s)
}

func (o *Options) bindVerify(s *opt.Set) {
	s.String(&o.SNI, "sni", "name", "ask for the server of this name and expect it in its certificate (default: the host)").
		Alias("commonname", "cn", "openssl-commonname", "snihost", "openssl-snihost", "servername")
	s.Bool(&o.Insecure, "insecure", "do not verify the server: anybody in between can read and change everything")
	s.Func("verify", "yes|no", "verify=no is insecure", func(v string) error {
		switch strings.ToLower(v) {
		case "yes", "on", "true", "1":
			o.Insecure = false
		case "no", "off", "false", "0":
			o.Insecure = true
		default:
			return &opt.ValueError{Msg: "must be yes or no"}
		}
		return nil
	}).Alias("openssl-verify")
}

func (o *Options) bindClientAuth(s *opt.Set) {
	s.Enum(&o.ClientAuth, "client-auth", "listening: ask clients for a certificate", "none", "want", "need").
		Alias("clientauth").Default = "need with ca= or pin=, else none"
}

// clientAuth returns the word that is meant.
func (o *Options) clientAuth() string {
	switch {
	case o.ClientAuth != "":
		return o.ClientAuth
	case (o.CA != "" || len(o.Pins) > 0) && !o.Insecure:
		return "need"
	}
	return "none"
}

// Authenticates tells whether no client gets through without a certificate.
func (o *Options) Authenticates() bool { return o.clientAuth() == "need" }

// Warnings are lines for the log about options that give safety away.
func (o *Options) Warnings() []string {
	var lines []string
	if o.Insecure && len(o.Pins) == 0 {
		lines = append(lines, "insecure: the certificate of the other side is not verified; anybody in between can read and change everything")
	}
	if o.KeyLog != "" {
		lines = append(lines, "keylog: the session keys are written to "+o.KeyLog+"; whoever reads it can read the traffic")
	}
	return lines
}

// Validate reads the files and checks that the options go together. The error
// names the option and matches [transport.ErrUsage].
func (o *Options) Validate() error { return transport.Mark(o.validate(), transport.ErrUsage) }

func (o *Options) validate() error {
	if o.Key != "" && o.Cert == "" {
		return errors.New("key= needs cert=")
	}
	if o.Cert != "" {
		if _, err := o.loadCert(); err != nil {
			return err
		}
	}
	if _, err := o.roots(); err != nil {
		return err
	}
	if _, err := o.pins(); err != nil {
		return err
	}
	if _, _, err := o.versions(); err != nil {
		return err
	}
	if auth := o.clientAuth(); auth != "none" && o.CA == "" && len(o.Pins) == 0 {
		return fmt.Errorf("client-auth=%s needs ca= or pin= to hold the clients against", auth)
	}
	for _, p := range o.ALPN {
		if p == "" || len(p) > 255 { // RFC 7301, section 3.1
			return errors.New("alpn= takes names of 1 to 255 bytes")
		}
	}
	return nil
}

func (o *Options) versions() (oldest, newest uint16, err error) {
	if oldest, err = version("min", o.Min, tls.VersionTLS12); err != nil {
		return 0, 0, err
	}
	if newest, err = version("max-version", o.Max, tls.VersionTLS13); err != nil {
		return 0, 0, err
	}
	if oldest > newest {
		return 0, 0, errors.New("min= is newer than max-version=")
	}
	return oldest, newest, nil
}

func version(option, v string, def uint16) (uint16, error) {
	switch v {
	case "":
		return def, nil
	case "1.2":
		return tls.VersionTLS12, nil
	case "1.3":
		return tls.VersionTLS13, nil
	}
	return 0, fmt.Errorf("%s= must be 1.2 or 1.3", option)
}
