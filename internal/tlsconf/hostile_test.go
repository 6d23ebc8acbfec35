package tlsconf

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tenon-net/tenon/transport"
)

// mustBeHarmless checks a line that may have a peer's words in it.
func mustBeHarmless(t testing.TB, line string) {
	t.Helper()
	if !utf8.ValidString(line) || len(line) > 2000 {
		t.Fatalf("%d bytes, or not UTF-8: %q", len(line), line)
	}
	for _, r := range line {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
			t.Fatalf("%q has %U", line, r)
		}
	}
}

// hostile returns every error that carries text of a peer.
func hostile(said string) []error {
	c := &x509.Certificate{Raw: []byte{1}, Subject: pkix.Name{CommonName: said}, Issuer: pkix.Name{CommonName: said, Organization: []string{said}}, DNSNames: []string{said, said},
		EmailAddresses: []string{said}, URIs: []*url.URL{{Opaque: said, Scheme: "x"}}}
	unverified := func(err error) error {
		return &tls.CertificateVerificationError{UnverifiedCertificates: []*x509.Certificate{c}, Err: err}
	}
	return []error{
		unverified(x509.HostnameError{Certificate: c, Host: "example.org"}),
		unverified(x509.UnknownAuthorityError{Cert: c}),
		unverified(x509.CertificateInvalidError{Cert: c, Reason: x509.Expired, Detail: said}),
		unverified(x509.CertificateInvalidError{Cert: c, Reason: x509.CANotAuthorizedForThisName, Detail: said}),
		unverified(x509.CertificateInvalidError{Cert: c, Reason: x509.NameMismatch, Detail: said}),
		unverified(errors.New(said)),
		&errName{"alice", clientNames(c)},
		errPin,
		fmt.Errorf("tls: client requested unsupported application protocols ([%s])", said),
		&net.OpError{Op: "remote error", Err: errors.New(said)},
	}
}

// FuzzHostileNames puts text of a peer into every error that can have some.
func FuzzHostileNames(f *testing.F) {
	f.Add("a\x1b[2J\ntenon: listening on 0.0.0.0:22")
	f.Add("\u202e\u2028\xff\x00" + strings.Repeat("x", 10_000))
	f.Fuzz(func(t *testing.T, said string) {
		for _, err := range hostile(said) {
			err := Explain(err)
			mustBeHarmless(t, err.Error())
			mustBeHarmless(t, transport.Hint(err))
			if len(said) > 8 && strings.Contains(transport.Hint(err), said) && !strings.Contains(pinHint+nameHint+caHint, said) {
				t.Errorf("the hint has what the peer says: %q", transport.Hint(err))
			}
		}
	})
}

// A common name does not count for a server, and the error says what is missing.
func TestCommonNameOnly(t *testing.T) {
	c := &x509.Certificate{Raw: []byte{1}, Subject: pkix.Name{CommonName: "example.org"}}
	err := Explain(unverified([]*x509.Certificate{c}, x509.HostnameError{Certificate: c, Host: "example.org"}))
	if want := `the certificate of the other side is for nobody (it has no subjectAltName), and not for "example.org"`; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}

// A server whose certificate has control characters in its names writes nothing to
// the terminal of who refuses it, and chooses no value that the hint offers.
func TestCertificateWithHostileNames(t *testing.T) {
	const evil = "evil\x1b[2K\rtenon: connected\n.example"
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), Subject: pkix.Name{CommonName: evil}, DNSNames: []string{evil}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	for _, trusted := range []*x509.CertPool{nil, roots} {
		l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			if b, err := l.Accept(); err == nil {
				b.(*tls.Conn).Handshake()
				b.Close()
			}
		}()
		a, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c, err := new(Options).Client(Files{roots: trusted}, "example.org")
		if err != nil {
			t.Fatal(err)
		}
		err = Explain(tls.Client(a, c).Handshake())
		a.Close()
		l.Close()
		if !errors.Is(err, transport.ErrDenied) {
			t.Fatalf("error %v", err)
		}
		mustBeHarmless(t, err.Error())
		mustBeHarmless(t, transport.Hint(err))
		if hint := transport.Hint(err); strings.Contains(hint, "evil") || strings.Contains(hint, Pin(leaf)) {
			t.Errorf("the hint offers what the server chose: %s", hint)
		}
	}
}
