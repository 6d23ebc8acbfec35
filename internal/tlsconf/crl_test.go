package tlsconf

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/tlsconf/tlstest"
	"github.com/tenon-net/tenon/transport"
)

// Who cannot be shown not to be revoked is refused.
func TestRevocationLists(t *testing.T) {
	ca, other := tlstest.New(t), tlstest.New(t) // of the same name, with other keys
	alice, bob := tlstest.Read(t, ca.Issue(t, "alice")), tlstest.Read(t, ca.Issue(t, "bob"))
	soon := time.Now().Add(time.Hour)
	list := func(by *tlstest.Authority, next time.Time, revoked ...*x509.Certificate) string {
		data, err := os.ReadFile(by.Revoke(t, filepath.Join(t.TempDir(), "crl"), next, revoked...))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	der, _ := pem.Decode([]byte(list(ca, soon, bob)))
	caPEM, err := os.ReadFile(ca.File)
	if err != nil {
		t.Fatal(err)
	}
	const revoked, stale, none = "has been revoked", "has run out", "crl= has no list of the authority \"Test Authority\""
	for name, tt := range map[string]struct{ file, alice, bob string }{
		"PEM":                          {list(ca, soon, bob), "", revoked},
		"DER":                          {string(der.Bytes), "", revoked},
		"nobody revoked":               {list(ca, soon), "", ""},
		"several lists, and other PEM": {list(other, soon, alice) + string(caPEM) + list(ca, soon, bob), "", revoked},
		"two of one authority":         {list(ca, soon, bob) + list(ca, soon, alice), revoked, revoked},
		"out of date":                  {list(ca, time.Now().Add(-time.Minute), bob), stale, revoked},
		"not valid yet":                {list(ca, time.Now().Add(3*time.Hour), bob), stale, revoked},
		"an old one, and a new one":    {list(ca, time.Now().Add(-time.Minute), bob) + list(ca, soon), "", revoked},
		"of another, of the same name": {list(other, soon, bob), none, none},
	} {
		o := Options{CA: ca.File, CRL: filepath.Join(t.TempDir(), "crl")}
		if err := os.WriteFile(o.CRL, []byte(tt.file), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := o.read()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for c, want := range map[*x509.Certificate]string{alice: tt.alice, bob: tt.bob} {
			for range 2 { // the signature is verified once
				err := Explain(f.verifyChain([]*x509.Certificate{c}, "", x509.ExtKeyUsageClientAuth))
				if want == "" && err != nil || want != "" && (!errors.Is(err, transport.ErrDenied) || !strings.Contains(err.Error(), want)) {
					t.Errorf("%s: %s is verified with %v, want %q", name, c.Subject.CommonName, err, want)
				}
			}
		}
	}
}

// A list that says something which is not understood must not be used.
func TestListsThatAreRefused(t *testing.T) {
	ca := tlstest.New(t)
	dir := t.TempDir()
	critical := pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: true, Value: []byte{0x30, 0}} // issuing distribution point
	template := x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour), ExtraExtensions: []pkix.Extension{critical}}
	ca.WriteList(t, filepath.Join(dir, "part"), &template)
	template.ExtraExtensions = nil
	template.RevokedCertificateEntries = []x509.RevocationListEntry{{SerialNumber: big.NewInt(7), RevocationTime: time.Now(), ExtraExtensions: []pkix.Extension{critical}}}
	ca.WriteList(t, filepath.Join(dir, "entry"), &template)
	for name, text := range map[string]string{"empty": "", "garbage": "tenon", "cut": "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"part", "entry", "empty", "garbage", "cut", "missing"} {
		o := Options{CA: ca.File, CRL: filepath.Join(dir, file)}
		if err := o.Validate(); !errors.Is(err, transport.ErrUsage) || !strings.Contains(err.Error(), "crl=") {
			t.Errorf("%s: %v, want transport.ErrUsage about crl=", file, err)
		}
	}
}
