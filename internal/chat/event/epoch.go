package event

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hpke"
	"errors"
	"slices"
)

// Lengths of the public keys of a prekey, in bytes.
const (
	ClassicKeySize = 32
	HybridKeySize  = 1184 + 32
)

// A Suite says how the secret of an epoch is wrapped: HPKE (RFC 9180) with HKDF-SHA256 and
// ChaCha20Poly1305, each with its own KEM.
type Suite uint8

// The suites.
const (
	SuiteClassic Suite = 1 // DHKEM(X25519, HKDF-SHA256), KEM 0x0020
	SuiteHybrid  Suite = 2 // MLKEM768-X25519, KEM 0x647a (draft-ietf-hpke-pq)
)

// HybridDevices is for how many devices an epoch is wrapped with [SuiteHybrid]; for more, its
// event would be too large.
const HybridDevices = 32

// MaxWraps is for how many devices one event may wrap a secret: those beyond have a
// [Share].
const MaxWraps = 512

func (s Suite) kem() hpke.KEM {
	if s == SuiteHybrid {
		return hpke.MLKEM768X25519()
	}
	return hpke.DHKEM(ecdh.X25519())
}

// sealed is the length of a wrapped secret: an encapsulated key, the secret, a tag.
func (s Suite) sealed() int {
	if s == SuiteHybrid {
		return 1088 + 32 + 32 + 16
	}
	return 32 + 32 + 16
}

// A Wrap is a secret for one device.
type Wrap struct {
	Device Device
	Prekey [8]byte // [Prekey.Tag]
	Sealed []byte
}

// Epoch gives a secret to the devices of all members.
type Epoch struct {
	Suite  Suite
	Commit [32]byte // [Secret.Commit]
	Wraps  []Wrap   // ascending by device
}

// Share gives the secret of an epoch to more devices: those that one event could not hold,
// or that have entered later.
type Share struct {
	Suite Suite
	Of    ID // the epoch
	Wraps []Wrap
}

func (*Epoch) kind() Kind    { return KindEpoch }
func (*Share) kind() Kind    { return KindShare }
func (s *Share) links() []ID { return []ID{s.Of} }

func (e *Epoch) append(b []byte) []byte {
	b = appendField(appendByte(b, tagSuite, byte(e.Suite)), tagCommit, e.Commit[:])
	return appendWraps(b, e.Wraps)
}

func (e *Epoch) read(f *fields) {
	e.Suite, e.Commit = f.suite(), f.id(tagCommit)
	e.Wraps = f.wraps(e.Suite)
}

func (s *Share) append(b []byte) []byte {
	b = appendWraps(appendByte(b, tagSuite, byte(s.Suite)), s.Wraps)
	return appendField(b, tagTarget, s.Of[:])
}

func (s *Share) read(f *fields) {
	s.Suite, s.Of = f.suite(), f.id(tagTarget)
	s.Wraps = f.wraps(s.Suite)
}

func appendWraps(b []byte, wraps []Wrap) []byte {
	for _, w := range wraps {
		b = appendField(b, tagWrap, slices.Concat(w.Device[:], w.Prekey[:], w.Sealed))
	}
	return b
}

func (f *fields) suite() Suite {
	s := Suite(f.flag(tagSuite, byte(SuiteHybrid)))
	if s == 0 {
		f.fail("a suite is missing")
	}
	return s
}

func (f *fields) wraps(s Suite) (all []Wrap) {
	size := 32 + 8 + s.sealed()
	for _, v := range f.list(tagWrap, MaxWraps, size, size) {
		w := Wrap{Device(v[:32]), [8]byte(v[32:40]), v[40:]}
		if n := len(all); n > 0 && bytes.Compare(all[n-1].Device[:], w.Device[:]) >= 0 {
			f.fail("recipients that do not ascend")
			return nil
		}
		all = append(all, w)
	}
	if len(all) == 0 {
		f.fail("a secret for nobody")
	}
	return all
}

// wrapInfo binds a wrapped secret to the room, to who makes it, to its recipient and to what
// the epoch says of it.
func wrapInfo(room ID, maker, to Device, commit [32]byte) []byte {
	return slices.Concat([]byte("tenon chat epoch 1\x00"), room[:], maker[:], to[:], commit[:])
}

// SuiteFor returns the suite for so many devices.
func SuiteFor(devices int) Suite {
	if devices <= HybridDevices {
		return SuiteHybrid
	}
	return SuiteClassic
}

// WrapAll wraps the secret to each of the prekeys, which must be of different devices.
func (s *Secret) WrapAll(suite Suite, room ID, maker Device, to []*Prekey) ([]Wrap, error) {
	wraps := make([]Wrap, 0, len(to))
	for _, p := range to {
		w, err := s.wrap(suite, room, maker, p)
		if err != nil {
			return nil, err
		}
		wraps = append(wraps, w)
	}
	slices.SortFunc(wraps, func(a, b Wrap) int { return bytes.Compare(a.Device[:], b.Device[:]) })
	return wraps, nil
}

func (s *Secret) wrap(suite Suite, room ID, maker Device, to *Prekey) (Wrap, error) {
	public := to.Classic[:]
	if suite == SuiteHybrid {
		public = to.Hybrid[:]
	}
	key, err := suite.kem().NewPublicKey(public)
	if err != nil {
		return Wrap{}, malformed("a prekey that nothing can be wrapped to")
	}
	sealed, err := hpke.Seal(key, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), wrapInfo(room, maker, to.Device, s.Commit()), s.key[:])
	if err != nil { // a public key of small order
		return Wrap{}, malformed("a prekey that nothing can be wrapped to")
	}
	return Wrap{to.Device, to.Tag(), sealed}, nil
}

// A PrekeySecret has the private keys of a prekey. It is never printed.
type PrekeySecret struct{ classic, hybrid hpke.PrivateKey }

// NewPrekeySecret makes one.
func NewPrekeySecret() (*PrekeySecret, error) {
	classic, err1 := SuiteClassic.kem().GenerateKey()
	hybrid, err2 := SuiteHybrid.kem().GenerateKey()
	return &PrekeySecret{classic, hybrid}, errors.Join(err1, err2)
}

// PrekeySecretFrom makes the one that belongs to a seed: for tests, which have the same
// in every run.
func PrekeySecretFrom(seed [32]byte) (*PrekeySecret, error) {
	classic, err1 := SuiteClassic.kem().DeriveKeyPair(seed[:])
	hybrid, err2 := SuiteHybrid.kem().DeriveKeyPair(seed[:])
	return &PrekeySecret{classic, hybrid}, errors.Join(err1, err2)
}

func (k *PrekeySecret) public(p *Prekey) error {
	classic, hybrid := k.classic.PublicKey().Bytes(), k.hybrid.PublicKey().Bytes()
	if copy(p.Classic[:], classic) != len(classic) || copy(p.Hybrid[:], hybrid) != HybridKeySize {
		return malformed("a prekey of another length")
	}
	return nil
}

func (k *PrekeySecret) String() string   { return "a secret" }
func (k *PrekeySecret) GoString() string { return "a secret" }

// Reveal returns the private keys, for one's own records: the classic one and the hybrid one,
// 32 bytes each.
func (k *PrekeySecret) Reveal() ([]byte, error) {
	classic, err1 := k.classic.Bytes()
	hybrid, err2 := k.hybrid.Bytes()
	return append(classic, hybrid...), errors.Join(err1, err2)
}

// ReadPrekeySecret reads what Reveal has returned.
func ReadPrekeySecret(b []byte) (*PrekeySecret, error) {
	if len(b) != 64 {
		return nil, malformed("private keys of another length")
	}
	classic, err1 := SuiteClassic.kem().NewPrivateKey(b[:32])
	hybrid, err2 := SuiteHybrid.kem().NewPrivateKey(b[32:])
	return &PrekeySecret{classic, hybrid}, errors.Join(err1, err2)
}

// Unwrap takes the secret out of a wrap that maker has made in the room, and checks that it
// is the one that the epoch names. The error is [ErrSealed].
func (k *PrekeySecret) Unwrap(suite Suite, room ID, maker Device, commit [32]byte, w Wrap) (*Secret, error) {
	key := k.classic
	if suite == SuiteHybrid {
		key = k.hybrid
	}
	b, err := hpke.Open(key, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), wrapInfo(room, maker, w.Device, commit), w.Sealed)
	if err != nil || len(b) != 32 {
		return nil, ErrSealed
	}
	s := SecretFrom([32]byte(b))
	if s.Commit() != commit {
		return nil, ErrSealed
	}
	return s, nil
}
