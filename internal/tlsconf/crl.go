package tlsconf

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// A revocationList is what one authority says of the certificates that it has taken
// back (RFC 5280, section 5).
type revocationList struct {
	*x509.RevocationList
	serials map[string]bool                  // of what is revoked
	signer  atomic.Pointer[x509.Certificate] // whose signature was found good last
}

// revocationLists are the lists of one file; nil means that none is asked for.
type revocationLists []*revocationList

// An errRevoked is what a peer fails with whose certificate was revoked, or cannot be
// shown not to be.
type errRevoked string

func (e errRevoked) Error() string { return string(e) }

// lists reads the file of CRL: one list in DER, or any number in PEM.
func (o *Options) lists() (revocationLists, error) {
	if o.CRL == "" {
		return nil, nil
	}
	data, err := os.ReadFile(o.CRL)
	if err != nil {
		return nil, fmt.Errorf("crl=: %w", err)
	}
	var all revocationLists
	rest := data
	for {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			break
		}
		if b.Type != "X509 CRL" { // RFC 7468, section 7
			continue
		}
		if all, err = all.add(b.Bytes); err != nil {
			return nil, fmt.Errorf("crl=%s: %w", o.CRL, err)
		}
	}
	if len(all) > 0 {
		return all, nil
	}
	if all, err = all.add(data); err != nil {
		return nil, fmt.Errorf("crl=: there is no list of revoked certificates in %s, in PEM or DER: %w", o.CRL, err)
	}
	return all, nil
}

// add parses one list. One with a critical extension must not be used by who does not
// know the extension (RFC 5280, sections 5.2 and 5.3): it may be about a part of the
// certificates only, or about those of another authority.
func (r revocationLists) add(der []byte) (revocationLists, error) {
	parsed, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, err
	}
	l := &revocationList{RevocationList: parsed, serials: make(map[string]bool, len(parsed.RevokedCertificateEntries))}
	extensions := parsed.Extensions
	for _, e := range parsed.RevokedCertificateEntries {
		l.serials[string(e.SerialNumber.Bytes())] = true
		extensions = append(extensions, e.Extensions...)
	}
	for _, e := range extensions {
		if e.Critical {
			return nil, fmt.Errorf("the list has the critical extension %v, which is not known here: a list that is complete has none", e.Id)
		}
	}
	return append(r, l), nil
}

// check returns nil if one of the chains is good: none of its certificates has been
// revoked, the authority at its end aside, which ca= itself trusts.
func (r revocationLists) check(chains [][]*x509.Certificate, now time.Time) (err error) {
	for _, chain := range chains {
		if err = r.checkChain(chain, now); err == nil {
			return nil
		}
	}
	return err
}

func (r revocationLists) checkChain(chain []*x509.Certificate, now time.Time) error {
	for i, c := range chain[:len(chain)-1] {
		if err := r.checkOne(c, chain[i+1], now); err != nil {
			return err
		}
	}
	return nil
}

// checkOne looks for c in the lists of its issuer, of which one must be in force.
func (r revocationLists) checkOne(c, issuer *x509.Certificate, now time.Time) error {
	var found, stale bool
	for _, l := range r {
		switch {
		case !l.isBy(issuer):
			continue
		case l.serials[string(c.SerialNumber.Bytes())]:
			return errRevoked("the certificate of the other side, or one in its chain, has been revoked by the authority " + quoted([]string{certName(issuer)}))
		case now.Before(l.ThisUpdate), !l.NextUpdate.IsZero() && now.After(l.NextUpdate):
			stale = true
		default:
			found = true
		}
	}
	switch who := quoted([]string{certName(issuer)}); {
	case found:
		return nil
	case stale:
		return errRevoked("crl= has no list of the authority " + who + " that is in force: the one that is there has run out, or is not valid yet")
	default:
		return errRevoked("crl= has no list of the authority " + who + ", which is in the chain of the other side's certificate")
	}
}

// isBy tells whether issuer has signed the list. It is called for every connection, and
// verifies a signature once.
func (l *revocationList) isBy(issuer *x509.Certificate) bool {
	if last := l.signer.Load(); last != nil && last.Equal(issuer) {
		return true
	}
	if !bytes.Equal(l.RawIssuer, issuer.RawSubject) || l.CheckSignatureFrom(issuer) != nil {
		return false
	}
	l.signer.Store(issuer)
	return true
}

// checkCRL refuses CRL where no chain is verified in which anybody could be revoked.
func (o *Options) checkCRL(verified bool) error {
	if o.CRL == "" || verified {
		return nil
	}
	return errors.New("crl= has no effect where no authority is asked for: it needs ca=, and certificates that are verified")
}
