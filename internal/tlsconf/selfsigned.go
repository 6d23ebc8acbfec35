package tlsconf

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"os"
	"sync"
	"time"
)

// How long a certificate made for the occasion is good for, and how long before
// its end it is made anew.
const (
	selfSignedLife  = 365 * 24 * time.Hour
	selfSignedRenew = 30 * 24 * time.Hour
)

// SelfSigned is a certificate for a listener that was given none: of an ECDSA key
// on P-256 that lives in memory only, for this machine's names and addresses. The
// zero SelfSigned makes it when it is first asked. The key, and so the pin, stays
// the same for as long as the value lives.
type SelfSigned struct {
	mu   sync.Mutex // guards all below
	key  *ecdsa.PrivateKey
	cert *tls.Certificate
}

// Certificate returns the certificate, always the same but for a new date.
func (s *SelfSigned) Certificate() (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.cert != nil && now.Add(selfSignedRenew).Before(s.cert.Leaf.NotAfter) {
		return s.cert, nil
	}
	if s.key == nil {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		s.key = key
	}
	cert, err := sign(s.key, now)
	if err == nil {
		s.cert = cert
	}
	return cert, err
}

// Announce returns the line that tells people the certificate's pin.
func (s *SelfSigned) Announce() ([]string, error) {
	cert, err := s.Certificate()
	if err != nil {
		return nil, err
	}
	return []string{"made a certificate for this listener; clients trust it with pin=" + Pin(cert.Leaf)}, nil
}

func sign(key *ecdsa.PrivateKey, now time.Time) (*tls.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	names, ips := localNames()
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: names[len(names)-1]},
		NotBefore:             now.Add(-time.Hour), // the clocks of others may be slow
		NotAfter:              now.Add(selfSignedLife),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		DNSNames:              names,
		IPAddresses:           ips,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

// localNames returns the names and addresses by which clients may know this
// machine. What the system does not tell is left out.
func localNames() (names []string, ips []net.IP) {
	names = []string{"localhost"}
	if host, err := os.Hostname(); err == nil && host != "" && host != "localhost" {
		names = append(names, host)
	}
	ips = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
			ips = append(ips, n.IP)
		}
	}
	return names, ips
}
