// Package tlsconf turns the TLS options that several kinds share into a
// [crypto/tls.Config], and the errors of a handshake into ones that help.
//
// A peer is verified unless somebody writes otherwise: a server against the
// system's roots or ca=, or against pin=, which is the hash of its public key and
// stands in for the whole chain. The package does no network I/O; it reads the
// files that the options name.
package tlsconf

import (
	"strings"

	"github.com/tenon-net/tenon/opt"
)

// Options are the TLS options of an end. The zero Options dial with the system's
// roots, and listen with a certificate made for the occasion.
type Options struct {
	CA   string // PEM file of the authorities to trust instead of the system's
	Cert string // PEM file of our certificate and its chain
	Key  string // PEM file of its key; "" means that it is in Cert

	// CRL is a file of lists of revoked certificates, PEM or DER. With it, every
	// certificate in a chain but the authority at its end must be found in no list
	// of its issuer, and there must be one that is in force: who cannot be shown
	// not to be revoked is refused (RFC 5280, section 6.3). Connections that are
	// open already stay.
	CRL string

	// Pins are hashes of public keys, "sha256:" and then hex or base64. A
	// peer whose key has one of them is the right one, whoever signed its
	// certificate, and no other is. With CA, that must have signed it as
	// well. See [Pin].
	Pins []string

	// CommonName is the name that the peer's certificate must be for. Dialing,
	// "" means SNI; the rules are those of RFC 9525. Listening, it is one of
	// the client's alternative names or its common name, letter for letter.
	CommonName string

	SNI      string     // dialing: the name to ask for, and CommonName if that is ""; "" means the target's host
	Insecure bool       // dialing: do not verify the server
	Verify   opt.Switch // socat's word: off is Insecure, and ClientAuth "none" of a listener; on is "need"

	// ClientAuth is "none", "want" or "need". "" means "need" if there are
	// a CA or Pins to hold clients against, else "none".
	ClientAuth string

	ALPN   []string // protocols offered, the best first
	Min    string   // oldest version of the protocol, "1.2" or "1.3"; "" means 1.2
	Max    string   // newest version; "" means 1.3
	KeyLog string   // file to which the session keys are appended, for debugging

	// IgnoreUnexpectedEOF takes an end of file beneath TLS that no close_notify
	// announced for the end, which anybody on the way can forge.
	IgnoreUnexpectedEOF bool
}

// A text is a string that is not empty: ca=$FILE with FILE unset must not let
// everybody in.
type text string

// UnmarshalText takes what is not empty.
func (t *text) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		return &opt.ValueError{Msg: "must not be empty"}
	}
	*t = text(b)
	return nil
}

func bindText(s *opt.Set, p *string, name, typ, usage string) *opt.Def {
	return s.Text((*text)(p), name, typ, usage, func() string { return *p })
}

// bindCommon binds what both sides understand.
func (o *Options) bindCommon(s *opt.Set) {
	s.Group("TLS")
	bindText(s, &o.CA, "ca", "file", "trust the certificate authorities in this PEM file, and no others; it is read again when it changes").
		Alias("cafile", "openssl-cafile", "ssl-ca")
	bindText(s, &o.Cert, "cert", "file", "show the certificate in this PEM file, which is read again when it changes").
		Alias("certificate", "openssl-certificate", "openssl-cert", "ssl-cert")
	bindText(s, &o.Key, "key", "file", "its private key, if that is in another PEM file").
		Alias("openssl-key", "ssl-key")
	bindText(s, &o.CRL, "crl", "file", "refuse certificates that are revoked by the lists in this file, PEM or DER; each authority below which there are certificates must have one there that is in force; it is read again when it changes")
	s.Strings(&o.Pins, "pin", "sha256:hash", "accept exactly the peer whose public key has this hash, whoever signed it").
		Alias("pinnedpubkey")
	bindText(s, &o.CommonName, "commonname", "name", "expect this name in the certificate of the server (default: sni=), or of the client, letter for letter").
		Alias("cn", "openssl-commonname")
	s.Func("alpn", "protocols", "offer these protocols (ALPN), the best first", func(v string) error {
		names := strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ' ' })
		if len(names) == 0 {
			return &opt.ValueError{Msg: "must not be empty"}
		}
		o.ALPN = append(o.ALPN, names...)
		return nil
	})
	bindText(s, &o.KeyLog, "keylog", "file", "append the session keys to this file, so that Wireshark can read along")
}

// bindStream binds what there is only with TLS over a stream: QUIC has a version of
// its own, and ends of its own.
func (o *Options) bindStream(s *opt.Set) {
	s.Enum(&o.Min, "min", "oldest version of TLS", "1.2", "1.3").Alias("min-version", "tls-min")
	s.Enum(&o.Max, "max-version", "newest version of TLS", "1.3", "1.2").Alias("tls-max")
	s.Bool(&o.IgnoreUnexpectedEOF, "ignore-unexpected-eof", "take an end without close_notify for a clean one: for protocols that tell their own length, with peers that just hang up").
		Alias("allow-truncation")
}

// BindClient binds the options of an end that dials and has TLS built in, such as
// QUIC.
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
	o.bindStream(s)
	o.bindVerify(s)
	o.bindClientAuth(s)
}

func (o *Options) bindVerify(s *opt.Set) {
	bindText(s, &o.SNI, "sni", "name", "dialing: ask for the server of this name and expect it in its certificate (default: the host)").
		Alias("snihost", "openssl-snihost", "servername")
	s.Bool(&o.Insecure, "insecure", "dialing: do not verify the server, so that anybody in between can read and change everything")
	s.Switch(&o.Verify, "verify", true, "no is insecure when dialing, and client-auth=none when listening").
		Alias("openssl-verify").Default = ""
}

func (o *Options) bindClientAuth(s *opt.Set) {
	s.Enum(&o.ClientAuth, "client-auth", "listening: ask clients for a certificate", "none", "want", "need").
		Alias("clientauth").Default = "need with ca= or pin=, else none"
}

// insecure tells whether a server is not verified at all.
func (o *Options) insecure() bool {
	return (o.Insecure || o.Verify == opt.Off) && len(o.Pins) == 0
}

// clientAuth returns the word that is meant.
func (o *Options) clientAuth() string {
	switch {
	case o.ClientAuth != "":
		return o.ClientAuth
	case o.Verify == opt.Off:
		return "none"
	case o.Verify == opt.On, o.CA != "", len(o.Pins) > 0:
		return "need"
	}
	return "none"
}

// Authenticates tells whether no client gets through without a certificate.
func (o *Options) Authenticates() bool { return o.clientAuth() == "need" }

// Warnings are lines for the log about options that give safety away.
func (o *Options) Warnings() []string {
	var lines []string
	switch {
	case !o.insecure():
	case o.Insecure:
		lines = append(lines, "insecure: the certificate of the other side is not verified; anybody in between can read and change everything")
	default:
		lines = append(lines, "verify=no: the other side is not verified; a connection that is dialed so can be read and changed by anybody in between")
	}
	if o.KeyLog != "" {
		lines = append(lines, "keylog: the session keys are written to "+o.KeyLog+"; whoever reads it can read the traffic")
	}
	return lines
}
