package peer

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
)

// A Key signs in the name of a peer. It cannot be read out, printed or marshaled:
// the private part is nowhere but in the function that signs.
type Key struct {
	id   ID
	sign func(rand io.Reader, msg []byte, opts crypto.SignerOpts) ([]byte, error)
}

var _ crypto.Signer = (*Key)(nil)

// NewKey makes a new key.
func NewKey() *Key {
	var seed [ed25519.SeedSize]byte
	rand.Read(seed[:]) //nolint:errcheck // it does not fail
	defer clear(seed[:])
	return KeyFromSeed(seed)
}

// KeyFromSeed makes the key that belongs to a seed (RFC 8032 section 5.1.5): for
// tests, whose peers are the same in every run.
func KeyFromSeed(seed [ed25519.SeedSize]byte) *Key {
	return keyFrom(ed25519.NewKeyFromSeed(seed[:]))
}

func keyFrom(private ed25519.PrivateKey) *Key {
	public, ok := private.Public().(ed25519.PublicKey)
	if !ok {
		panic("peer: an Ed25519 key has a public key of another kind")
	}
	id, err := NewID(public)
	if err != nil {
		panic(err) // the public key of a private one is never of small order
	}
	return &Key{id, private.Sign}
}

// ID returns whose key it is.
func (k *Key) ID() ID { return k.id }

// Public returns the public key, an [ed25519.PublicKey].
func (k *Key) Public() crypto.PublicKey { return ed25519.PublicKey(k.id.Bytes()) }

// Sign makes a plain Ed25519 signature, for protocols that keep what is signed
// apart themselves, such as TLS (RFC 8446 section 4.4.3). All that is Tenon's own is
// signed by SignAs.
func (k *Key) Sign(rand io.Reader, msg []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.sign(rand, msg, opts)
}

// SignAs signs msg so that the signature means nothing in any other [Context].
func (k *Key) SignAs(c Context, msg []byte) []byte {
	sig, err := k.sign(nil, c.content(msg), crypto.Hash(0))
	if err != nil {
		panic(err) // Ed25519 signs everything
	}
	return sig
}

// Format prints whose key it is, whatever the verb.
func (k Key) Format(s fmt.State, verb rune) {
	fmt.Fprint(s, "key of ", k.id.Short()) //nolint:errcheck // the State keeps the error
}

// MarshalText fails: a key is not to be written down.
func (k Key) MarshalText() ([]byte, error) { return nil, errors.New("a key is never written down") }

// A Context says what a signature is for. Each has its own, so that what a peer has
// signed for one purpose cannot be shown for another.
type Context string

// The contexts. They are part of the protocols and never change.
const (
	ContextPairing  Context = "tenon pairing 1"
	ContextTicket   Context = "tenon ticket 1"
	ContextRotation Context = "tenon rotation 1"
	ContextShare    Context = "tenon share 1"
	ContextReset    Context = "tenon reset 1" // never shown: a secret is derived from it

	ContextChatEvent   Context = "tenon chat event 1"
	ContextChatDevice  Context = "tenon chat device 1"
	ContextChatRevoke  Context = "tenon chat revoke 1"
	ContextChatInvite  Context = "tenon chat invite 1"
	ContextChatPrekey  Context = "tenon chat prekey 1"
	ContextChatMark    Context = "tenon chat mark 1"
	ContextChatKeep    Context = "tenon chat keep 1" // never shown: a secret is derived from it
	ContextChatMailbox Context = "tenon chat mailbox 1"
)

// content is what is signed, in the form of RFC 8446 section 4.4.3: 64 spaces, the
// context, a zero, the message. No protocol that keeps to that form, and none whose
// messages begin otherwise, has such signatures.
func (c Context) content(msg []byte) []byte {
	return fmt.Appendf(nil, "%s%s\x00%s", strings.Repeat(" ", 64), string(c), msg)
}
