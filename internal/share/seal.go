package share

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// A sealed copy is kept by a holder, who can neither read nor change it, for those who have the
// share's secret. It consists of units: the answers, byte for byte, that the sharer gives to who asks for 64
// groups of the manifest, and for each piece. So who opens a unit verifies what is in it, and has
// what it needs to hand it on, as if the sharer had answered. A unit is cut into frames, each of which is
// sealed for its place. docs/protocol/share.md, chapter "Sealed copies", has the bytes.

const (
	sealedMore = chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead
	sealedMost = tree.Group                    // bytes of a frame, sealed
	sealedText = sealedMost - sealedMore       // and of what is in it
	sealedStep = 16 << 10                      // all sealed frames have a multiple of so many bytes
	maxUnit    = (maxRequest + 2) * sealedMost // of a unit: its groups, and the nodes that lead to them
)

// MaxUnit is how many bytes a unit of a sealed copy has at most.
const MaxUnit = maxUnit

// errSealed is proof of a holder's fault: nobody else could have changed what it sends.
var errSealed = fmt.Errorf("%w: it is not what was sealed", tree.ErrWrongData)

var errNoSecret = errors.New("a share without a secret cannot be sealed")

// The sorts of units.
const (
	unitHead     = iota // there is one: the Head
	unitManifest        // groups of the manifest
	unitPiece
)

// A unit is the place of something in a sealed copy.
type unit struct {
	sort   byte
	number int64
}

// A seal has the keys of the sealed copies of a share: all of them are derived from its secret.
type seal struct {
	id     ID     // of the copies
	access []byte // which holders know, to tell who may have what they hold
	share  ID
	secret []byte
	aead   cipher.AEAD
}

func newSeal(id ID, secret []byte) (*seal, error) {
	if len(secret) == 0 {
		return nil, errNoSecret
	}
	s := &seal{share: id, secret: secret}
	copy(s.id[:], s.derive("tenon hold 1 id", len(s.id)))
	s.access = s.derive("tenon hold 1 access", 32)
	var err error
	s.aead, err = chacha20poly1305.NewX(s.derive("tenon hold 1 seal", chacha20poly1305.KeySize))
	return s, err
}

// derive is HKDF-SHA256 (RFC 5869), with the share's ID as the salt.
func (s *seal) derive(info string, n int) []byte {
	key, err := hkdf.Key(sha256.New, s.secret, s.share[:], info, n)
	if err != nil {
		panic(err) // only of a length that is none
	}
	return key
}

// version names what is sealed under a root to the holder, to whom it says nothing.
func (s *seal) version(root tree.Hash) (v ID) {
	copy(v[:], s.derive("tenon hold 1 version"+string(root[:]), len(v)))
	return v
}

// about is what a frame is sealed for.
func (u unit) about(b []byte, root tree.Hash, frame uint32) []byte {
	b = append(b, root[:]...)
	b = binary.BigEndian.AppendUint64(append(b, u.sort), uint64(u.number))
	return binary.BigEndian.AppendUint32(b, frame)
}

// seal appends a frame. Its nonce is random, and so long that none comes twice: what is sealed a
// second time need not be the same.
func (s *seal) seal(b []byte, root tree.Hash, u unit, frame uint32, text []byte) []byte {
	var nonce [chacha20poly1305.NonceSizeX]byte
	rand.Read(nonce[:]) //nolint:errcheck // it does not fail
	return s.sealWith(b, nonce, root, u, frame, text)
}

func (s *seal) sealWith(b []byte, nonce [chacha20poly1305.NonceSizeX]byte, root tree.Hash, u unit, frame uint32, text []byte) []byte {
	var about [64]byte
	return s.aead.Seal(append(b, nonce[:]...), nonce[:], text, u.about(about[:0], root, frame))
}

// open returns what is in a frame, in its place.
func (s *seal) open(root tree.Hash, u unit, frame uint32, sealed []byte) ([]byte, error) {
	const n = chacha20poly1305.NonceSizeX
	if len(sealed) < sealedMore {
		return nil, errSealed
	}
	var about [64]byte
	text, err := s.aead.Open(sealed[n:n], sealed[:n], sealed[n:], u.about(about[:0], root, frame))
	if err != nil {
		return nil, errSealed
	}
	return text, nil
}

// A sealer seals a unit as it is written.
type sealer struct {
	seal *seal
	root tree.Hash
	unit unit
	out  func(frame []byte) error // which does not keep it

	frame uint32
	text  []byte
	buf   []byte
}

func (w *sealer) Write(p []byte) (n int, err error) {
	for rest := p; len(rest) > 0; {
		if len(w.text) == sealedText {
			if err := w.flush(); err != nil {
				return 0, err
			}
		}
		cut := rest[:min(len(rest), sealedText-len(w.text))]
		w.text, rest = append(w.text, cut...), rest[len(cut):]
	}
	return len(p), nil
}

func (w *sealer) flush() error {
	w.buf = w.seal.seal(w.buf[:0], w.root, w.unit, w.frame, w.text)
	w.frame, w.text = w.frame+1, w.text[:0]
	return w.out(w.buf)
}

// end seals what is left, filled up with zeros.
func (w *sealer) end() error {
	if len(w.text) == 0 {
		return nil
	}
	w.text = append(w.text, make([]byte, padded(len(w.text)+sealedMore)-sealedMore-len(w.text))...)
	return w.flush()
}

func padded(n int) int { return (n + sealedStep - 1) / sealedStep * sealedStep }

// sealedSize is how many bytes a unit has, sealed, of n bytes.
func sealedSize(n int64) int64 {
	size := n / sealedText * sealedMost
	if rest := n % sealedText; rest > 0 {
		size += int64(padded(int(rest) + sealedMore))
	}
	return size
}

// heldID names a sealed copy among all that a holder has: it is of who has brought it, so that nobody can take the
// place of another's.
func heldID(owner peer.ID, copies ID) (id ID) {
	h := sha256.New()
	h.Write([]byte("tenon hold 1\x00")) //nolint:errcheck // hashes do not fail
	h.Write(owner.Bytes())              //nolint:errcheck // hashes do not fail
	h.Write(copies[:])                  //nolint:errcheck // hashes do not fail
	copy(id[:], h.Sum(nil))
	return id
}
