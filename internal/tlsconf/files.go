package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"sync"
)

// Files is what the files that the options name say.
type Files struct {
	roots *x509.CertPool   // of CA; nil means the system's
	cert  *tls.Certificate // of Cert and Key; nil means none
	crl   revocationLists  // of CRL; nil means that none is asked for
}

// read reads all of them.
func (o *Options) read() (f Files, err error) {
	if f.roots, err = o.roots(); err == nil && o.Cert != "" {
		f.cert, err = o.loadCert()
	}
	if err == nil {
		f.crl, err = o.lists()
	}
	if err != nil {
		return Files{}, usage(err)
	}
	return f, nil
}

// roots returns the authorities in CA; nil means the system's.
func (o *Options) roots() (*x509.CertPool, error) {
	if o.CA == "" {
		return nil, nil
	}
	data, err := os.ReadFile(o.CA)
	if err != nil {
		return nil, fmt.Errorf("ca=: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("ca=: there is no certificate in %s", o.CA)
	}
	return pool, nil
}

func (o *Options) keyFile() string {
	if o.Key != "" {
		return o.Key
	}
	return o.Cert
}

// loadCert reads Cert and Key.
func (o *Options) loadCert() (*tls.Certificate, error) {
	certPEM, err := os.ReadFile(o.Cert)
	if err != nil {
		return nil, fmt.Errorf("cert=: %w", err)
	}
	keyPEM := certPEM
	if o.Key != "" {
		if keyPEM, err = os.ReadFile(o.Key); err != nil {
			return nil, fmt.Errorf("key=: %w", err)
		}
	}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	switch {
	case err == nil:
		return &cert, nil
	case isEncrypted(keyPEM):
		return nil, fmt.Errorf("key=: the key in %s is encrypted: decrypt it with openssl pkey", o.keyFile())
	case o.Key == "" && !hasKey(keyPEM):
		return nil, fmt.Errorf("cert=: there is no private key in %s: name its file with key=", o.Cert)
	}
	return nil, fmt.Errorf("cert=%s: %w", o.Cert, err)
}

func isEncrypted(data []byte) bool {
	return anyBlock(data, func(b *pem.Block) bool {
		return b.Type == "ENCRYPTED PRIVATE KEY" || b.Headers["DEK-Info"] != ""
	})
}

func hasKey(data []byte) bool {
	return anyBlock(data, func(b *pem.Block) bool {
		return b.Type == "PRIVATE KEY" || b.Type == "EC PRIVATE KEY" || b.Type == "RSA PRIVATE KEY"
	})
}

func anyBlock(data []byte, is func(*pem.Block) bool) bool {
	for {
		var b *pem.Block
		if b, data = pem.Decode(data); b == nil {
			return false
		}
		if is(b) {
			return true
		}
	}
}

// A keyLog appends lines in the format of SSLKEYLOGFILE. The file is open only
// while a line is written, so there is nothing to close.
type keyLog struct {
	path string
	mu   sync.Mutex // one line at a time
}

func (k *keyLog) Write(line []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f, err := os.OpenFile(k.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return 0, fmt.Errorf("keylog=: %w", err)
	}
	n, err := f.Write(line)
	return n, errors.Join(err, f.Close())
}
