package peer

import (
	"crypto/ed25519"
	"crypto/subtle"
	"errors"
	"fmt"

	"filippo.io/edwards25519"

	"github.com/tenon-net/tenon/internal/ticket"
)

// idPrefix is what the text of an ID begins with; the rest is as in tickets.
const idPrefix = "tenonid1"

// ErrID: the bytes or the text are nobody's ID.
var ErrID = errors.New("not the ID of a peer")

// An ID says who a peer is: its Ed25519 public key. IDs are compared with ==. The
// zero ID is nobody's.
type ID struct{ key [ed25519.PublicKeySize]byte }

// NewID returns the ID of a public key. It refuses a key that does not stand for one
// private key alone: points of small order, for which anybody can sign, and other
// ways to write a point (RFC 8032 section 5.1.3), which would be two IDs of one
// peer.
func NewID(public []byte) (ID, error) {
	if len(public) != ed25519.PublicKeySize {
		return ID{}, ErrID
	}
	p, err := new(edwards25519.Point).SetBytes(public)
	if err != nil || subtle.ConstantTimeCompare(p.Bytes(), public) != 1 {
		return ID{}, ErrID
	}
	if new(edwards25519.Point).MultByCofactor(p).Equal(edwards25519.NewIdentityPoint()) == 1 {
		return ID{}, ErrID
	}
	return ID{[ed25519.PublicKeySize]byte(public)}, nil
}

// ParseID reads the text of an ID, in lower or upper case. A mistake in it is a
// [ticket.SlipError], which says where.
func ParseID(text string) (ID, error) {
	b, err := ticket.DecodeText(idPrefix, text)
	switch {
	case err != nil && ticket.Is(text):
		return ID{}, fmt.Errorf("%w: it is a ticket", ErrID)
	case errors.Is(err, ticket.ErrPrefix):
		return ID{}, fmt.Errorf("%w: they begin with %s", ErrID, idPrefix)
	case err != nil:
		return ID{}, fmt.Errorf("the ID has a mistake: %w", err)
	}
	return NewID(b)
}

// IsZero tells whether it is nobody's.
func (id ID) IsZero() bool { return id == ID{} }

// Bytes returns the public key.
func (id ID) Bytes() []byte { return id.key[:] }

// String returns the whole ID in 70 characters that can be read aloud, or "" for
// the zero ID.
func (id ID) String() string {
	if id.IsZero() {
		return ""
	}
	return ticket.EncodeText(idPrefix, id.key[:])
}

// Short returns 12 of the characters, in groups of four, by which people tell the
// peers they know from each other. It is never taken for an ID: who wants to be
// taken for another can find a key that begins like his.
func (id ID) Short() string {
	if id.IsZero() {
		return "nobody"
	}
	s := id.String()[len(idPrefix):]
	return s[:4] + "-" + s[4:8] + "-" + s[8:12]
}

// MarshalText returns the text of the ID.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads the text of an ID; no text is the zero ID.
func (id *ID) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*id = ID{}
		return nil
	}
	parsed, err := ParseID(string(text))
	if err == nil {
		*id = parsed
	}
	return err
}

// Verify tells whether sig is what the holder of the key made by [Key.SignAs].
func (id ID) Verify(c Context, msg, sig []byte) bool {
	return !id.IsZero() && Verify(id.key[:], c, msg, sig)
}

// Verify is [ID.Verify] for a public key that [NewID] has taken before: whoever verifies
// much by few keys checks each of them once.
func Verify(public []byte, c Context, msg, sig []byte) bool {
	return len(public) == ed25519.PublicKeySize && ed25519.Verify(public, c.content(msg), sig)
}
