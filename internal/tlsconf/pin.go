package tlsconf

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
)

const pinPrefix = "sha256:"

// errPin is what a peer with a public key that no pin names fails with.
var errPin = errors.New("the certificate of the other side does not have the pinned key")

// Pin returns the pin of a certificate: "sha256:" and, in base64, the SHA-256 of
// its SubjectPublicKeyInfo in DER. That is the hash of RFC 7469, section 2.4, and
// of curl --pinnedpubkey. It is of the key and not of the certificate so that it
// stays the same when the certificate is renewed.
func Pin(c *x509.Certificate) string {
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return pinPrefix + base64.StdEncoding.EncodeToString(sum[:])
}

// ParsePin reads a pin: "sha256:", or "sha256//" as curl writes it, and then the
// hash in hex, with or without colons, or in base64.
func ParsePin(text string) ([]byte, error) {
	hash, ok := strings.CutPrefix(text, pinPrefix)
	if !ok {
		hash, ok = strings.CutPrefix(text, "sha256//")
	}
	if !ok {
		return nil, errors.New("pin= is written sha256:HASH")
	}
	if sum, err := hex.DecodeString(strings.ReplaceAll(hash, ":", "")); err == nil && len(sum) == sha256.Size {
		return sum, nil
	}
	hash = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(hash, "="))
	sum, err := base64.RawStdEncoding.DecodeString(hash)
	if err != nil || len(sum) != sha256.Size {
		return nil, errors.New("pin= needs a SHA-256 in 64 hexadecimal digits or 44 letters of base64")
	}
	return sum, nil
}

// pins returns the hashes of all Pins.
func (o *Options) pins() ([][]byte, error) {
	var sums [][]byte
	for _, p := range o.Pins {
		sum, err := ParsePin(p)
		if err != nil {
			return nil, err
		}
		sums = append(sums, sum)
	}
	return sums, nil
}

// checkPin looks for the key of the peer itself. The rest of the chain does not
// count: without verification, anybody can append certificates to one.
func checkPin(sums [][]byte, chain []*x509.Certificate) error {
	if len(chain) == 0 {
		return errNoCertificate
	}
	seen := sha256.Sum256(chain[0].RawSubjectPublicKeyInfo)
	for _, sum := range sums {
		if bytes.Equal(sum, seen[:]) {
			return nil
		}
	}
	return errPin
}
