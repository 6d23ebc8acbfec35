package event

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/tenon-net/tenon/internal/peer"
)

// ErrMalformed: the bytes are no event, or no body of its kind, in the one form that
// there is for each.
var ErrMalformed = errors.New("not an event")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// An ID names an event: the hash of its header. A room has the ID of the event that
// has created it. The zero ID names none.
type ID [32]byte

// IsZero tells whether it names no event.
func (id ID) IsZero() bool { return id == ID{} }

// String returns the ID in hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Less is the order of the bytes.
func (id ID) Less(other ID) bool { return bytes.Compare(id[:], other[:]) < 0 }

// An Identity is a person in a room: an Ed25519 public key, which certifies devices.
type Identity [32]byte

// A Device is what signs events for an identity: an Ed25519 public key.
type Device [32]byte

// checkKey refuses keys that do not stand for one private key, for which more than
// their owner can sign.
func checkKey(key [32]byte) error {
	if _, err := peer.NewID(key[:]); err != nil {
		return malformed("a key that is nobody's")
	}
	return nil
}

// verify tells whether sig is the signature of msg by key, which has been checked.
func verify(key [32]byte, c peer.Context, msg, sig []byte) bool {
	id, err := peer.NewID(key[:])
	return err == nil && id.Verify(c, msg, sig)
}

// A Key is the place of an event in the order that all see: by time, then by ID. A
// child's is greater than those of its parents.
type Key struct {
	Time uint64
	ID   ID
}

// Compare returns -1, 0 or +1.
func (k Key) Compare(other Key) int {
	if c := cmp.Compare(k.Time, other.Time); c != 0 {
		return c
	}
	return bytes.Compare(k.ID[:], other.ID[:])
}

// Less tells whether k comes before other.
func (k Key) Less(other Key) bool { return k.Compare(other) < 0 }

// A Blob is what those who keep and carry events need to know of one.
type Blob struct {
	Key
	Parents []ID   // all that must be there before it: [Event.Links]
	Bytes   []byte // at most MaxBytes
}

func hash(label string, parts ...[]byte) (sum [32]byte) {
	h := sha256.New()
	h.Write([]byte(label))
	h.Write([]byte{0})
	for _, p := range parts {
		h.Write(p)
	}
	h.Sum(sum[:0])
	return sum
}
