package event

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/tenon-net/tenon/internal/peer"
)

// sealedMore is how much longer a sealed body is: its nonce and its tag.
const sealedMore = chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead

// Errors of what is sealed.
var (
	// ErrSealed: the secret is not the one that it was sealed with, or it was changed.
	ErrSealed = errors.New("it cannot be opened with this key")

	// ErrErased: the payload is not there any more.
	ErrErased = errors.New("the message has been erased")
)

// A Secret is what an epoch is about: 32 random bytes that its recipients know. It is
// never printed.
type Secret struct {
	key  [32]byte
	body aead // what bodies are sealed with
}

// NewSecret makes one.
func NewSecret() *Secret {
	var key [32]byte
	rand.Read(key[:]) //nolint:errcheck // it does not fail
	return SecretFrom(key)
}

// SecretFrom returns the secret that Reveal has given, from one's own records.
func SecretFrom(key [32]byte) *Secret {
	s := &Secret{key: key}
	s.body = newAEAD(s.derive("tenon chat payload 1", chacha20poly1305.KeySize))
	return s
}

// Reveal returns the bytes, for one's own records.
func (s *Secret) Reveal() [32]byte { return s.key }

func (s *Secret) String() string   { return "a secret" }
func (s *Secret) GoString() string { return "a secret" }

// Commit returns what an epoch says of its secret, so that all recipients know that they
// have the same one.
func (s *Secret) Commit() [32]byte { return hash("tenon chat commit 1", s.key[:]) }

// derive returns n bytes for one purpose (RFC 5869, without a salt).
func (s *Secret) derive(purpose string, n int) []byte {
	b, err := hkdf.Key(sha256.New, s.key[:], nil, purpose, n)
	if err != nil {
		panic(err) // the lengths are constants
	}
	return b
}

// Seal makes a content event, sealed with the secret of the draft's epoch.
func (d Draft) Seal(device *peer.Key, s *Secret) (*Event, error) {
	var nonce [chacha20poly1305.NonceSizeX]byte
	rand.Read(nonce[:]) //nolint:errcheck // it does not fail
	return d.sealWith(device, s, nonce)
}

func (d Draft) sealWith(device *peer.Key, s *Secret, nonce [chacha20poly1305.NonceSizeX]byte) (*Event, error) {
	if d.Body.kind().Control() {
		return nil, ErrNotSealed
	}
	e := d.event(device)
	body := d.Body.append(nil)
	if len(body) > MaxBody {
		return nil, malformed("a body of %d bytes", len(body))
	}
	if _, err := parseBody(e.Kind, body); err != nil {
		return nil, err // nobody seals what others could not read
	}
	e.Payload = s.body.Seal(nonce[:], nonce[:], body, e.appendPrefix(nil))
	return e.sign(device)
}

// Open returns what a content event says. The body is nil if its kind is not known; the
// error is [ErrErased], [ErrSealed] or [ErrMalformed].
func (e *Event) Open(s *Secret) (Body, error) {
	switch {
	case e.Kind.Control():
		return e.Body, nil
	case e.Erased():
		return nil, ErrErased
	}
	const n = chacha20poly1305.NonceSizeX
	body, err := s.body.Open(nil, e.Payload[:n], e.Payload[n:], e.header[:len(e.header)-tailSize])
	if err != nil {
		return nil, ErrSealed
	}
	return parseBody(e.Kind, body)
}

// outerTag is what the outer blobs of an epoch begin with: those who know its secret
// recognize them, and nobody else learns more than that they belong together.
const outerTag = 16

// MaxOuter is how many bytes an outer blob may have.
const MaxOuter = outerTag + sealedMore + MaxBytes

// OuterTag returns what the outer blobs of the epoch begin with.
func (s *Secret) OuterTag() [outerTag]byte {
	return [outerTag]byte(s.derive("tenon chat outer tag 1", outerTag))
}

// Outer seals a whole event for those who carry it and may not see who has written
// what to whom: all who do it get the same bytes.
func (s *Secret) Outer(e *Event) []byte { return s.sealOuter(e.Bytes()) }

// outerPrekey is what the blob of a prekey has in front of it: no event begins so.
const outerPrekey = 0xff

// OuterPrekey is Outer for a prekey, which is no event.
func (s *Secret) OuterPrekey(p *Prekey) []byte {
	return s.sealOuter(append([]byte{outerPrekey}, p.Bytes()...))
}

func (s *Secret) sealOuter(plain []byte) []byte {
	tag := s.OuterTag()
	nonce := s.outerNonce(plain)
	b := append(tag[:], nonce...)
	return s.outer().Seal(b, nonce, plain, tag[:])
}

// OpenOuter opens what Outer has made, and reads it as [Parse] does. The error matches
// [ErrSealed] or [ErrMalformed].
func (s *Secret) OpenOuter(b []byte) (*Event, error) {
	plain, err := s.openOuter(b)
	if err != nil {
		return nil, err
	}
	return Parse(plain)
}

// OpenOuterPrekey opens what OuterPrekey has made, and verifies it as [ParsePrekey] does. The errors are those of
// OpenOuter.
func (s *Secret) OpenOuterPrekey(b []byte) (*Prekey, error) {
	plain, err := s.openOuter(b)
	if err != nil {
		return nil, err
	}
	if len(plain) == 0 || plain[0] != outerPrekey {
		return nil, malformed("no prekey")
	}
	return ParsePrekey(plain[1:])
}

func (s *Secret) openOuter(b []byte) ([]byte, error) {
	const n = outerTag + chacha20poly1305.NonceSizeX
	if len(b) < n || len(b) > MaxOuter || [outerTag]byte(b) != s.OuterTag() {
		return nil, ErrSealed
	}
	plain, err := s.outer().Open(nil, b[outerTag:n], b[n:], b[:outerTag])
	// The nonce is checked so that there is one blob of an event: not even a member can have a mailbox keep many.
	if err != nil || !hmac.Equal(b[outerTag:n], s.outerNonce(plain)) {
		return nil, ErrSealed
	}
	return plain, nil
}

func (s *Secret) outer() aead {
	return newAEAD(s.derive("tenon chat outer 1", chacha20poly1305.KeySize))
}

// outerNonce is a function of all that is sealed, so that one nonce never seals two
// things (as in RFC 8452, by HMAC instead of POLYVAL).
func (s *Secret) outerNonce(plain []byte) []byte {
	mac := hmac.New(sha256.New, s.derive("tenon chat outer nonce 1", 32))
	mac.Write(plain)
	return mac.Sum(nil)[:chacha20poly1305.NonceSizeX]
}

type aead interface {
	Seal(dst, nonce, plaintext, additionalData []byte) []byte
	Open(dst, nonce, ciphertext, additionalData []byte) ([]byte, error)
}

func newAEAD(key []byte) aead {
	a, err := chacha20poly1305.NewX(key)
	if err != nil {
		panic(err) // the length is a constant
	}
	return a
}

// MeetSecret returns what members of a room name it by when they meet, so that nobody else
// learns which room it is.
func (c *Create) MeetSecret() [32]byte { return hash("tenon chat meet 1", c.Salt[:]) }
