package peer

import (
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"time"
)

// MaxRotations is how many statements are followed from one key to its latest
// successor.
const MaxRotations = 64

// Errors about rotations.
var (
	// ErrRotation: it is no statement of the key that it names, or one that
	// makes no sense.
	ErrRotation = errors.New("not a statement about a new key")

	// ErrForked: a key has named two successors, so somebody else has it too.
	// Nobody can tell who is who: the peers have to pair again.
	ErrForked = errors.New("two keys claim to follow the same one")
)

// A Rotation says that who had the key Old has the key New from now on. Old has
// signed it, and New has agreed: nobody can name another peer as his successor.
// Every Rotation there is has been checked.
type Rotation struct {
	Old, New ID
	Seq      uint64    // which one it is in the life of the identity, from 1
	Time     time.Time // in whole seconds

	signatures [2 * ed25519.SignatureSize]byte
}

// rotationSize is the length of the statement: both keys, number and time in
// seconds since 1970, big-endian, and both signatures, over what is before them.
const rotationSize = signedSize + 2*ed25519.SignatureSize
const signedSize = 2*ed25519.PublicKeySize + 8 + 8

// NewRotation makes the statement.
func NewRotation(from, to *Key, seq uint64, at time.Time) Rotation {
	r := Rotation{Old: from.id, New: to.id, Seq: seq, Time: time.Unix(at.Unix(), 0).UTC()}
	msg := r.signed()
	copy(r.signatures[:], from.SignAs(ContextRotation, msg))
	copy(r.signatures[ed25519.SignatureSize:], to.SignAs(ContextRotation, msg))
	return r
}

func (r Rotation) signed() []byte {
	b := append(r.Old.Bytes(), r.New.Bytes()...)
	b = binary.BigEndian.AppendUint64(b, r.Seq)
	return binary.BigEndian.AppendUint64(b, uint64(r.Time.Unix()))
}

// MarshalBinary returns the statement, for other peers and for a file.
func (r Rotation) MarshalBinary() ([]byte, error) { return append(r.signed(), r.signatures[:]...), nil }

// ParseRotation reads and checks a statement.
func ParseRotation(b []byte) (Rotation, error) {
	if len(b) != rotationSize {
		return Rotation{}, ErrRotation
	}
	from, err := NewID(b[:32])
	if err != nil {
		return Rotation{}, ErrRotation
	}
	to, err := NewID(b[32:64])
	if err != nil || to == from {
		return Rotation{}, ErrRotation
	}
	seconds := binary.BigEndian.Uint64(b[72:])
	r := Rotation{Old: from, New: to, Seq: binary.BigEndian.Uint64(b[64:]), Time: time.Unix(int64(seconds), 0).UTC()}
	copy(r.signatures[:], b[signedSize:])
	if r.Seq == 0 || r.Seq > MaxRotations || seconds > 1<<40 ||
		!from.Verify(ContextRotation, b[:signedSize], r.signatures[:ed25519.SignatureSize]) ||
		!to.Verify(ContextRotation, b[:signedSize], r.signatures[ed25519.SignatureSize:]) {
		return Rotation{}, ErrRotation
	}
	return r, nil
}

// Follow returns the key that id has now, according to the statements, which may
// come from anywhere and in any order; without one about it, id itself.
func Follow(id ID, statements []Rotation) (ID, error) {
	seq := uint64(0)
	for {
		var next *Rotation
		for i := range statements {
			r := &statements[i]
			switch {
			case r.Old != id:
			case next != nil && next.New != r.New:
				return ID{}, ErrForked
			default:
				next = r
			}
		}
		if next == nil {
			return id, nil
		}
		if next.Seq <= seq { // so that there is no circle, and an end
			return ID{}, ErrRotation
		}
		id, seq = next.New, next.Seq
	}
}

// Succession reads what somebody shows who has a new key, as [MarshalRotations] has written
// it: statements that lead from key to key. It returns the first key that known says
// is known, and the one that it has become. Strangers send this: nothing is verified
// unless a key is known, and nothing behind the first statement that is wrong. The error
// is [ErrRotation], also if nobody in it is known.
func Succession(b []byte, known func(ID) bool) (old, now ID, err error) {
	if len(b)%rotationSize != 0 || len(b) > MaxRotations*rotationSize {
		return ID{}, ID{}, ErrRotation
	}
	for ; len(b) > 0; b = b[rotationSize:] {
		if old, err = NewID(b[:ed25519.PublicKeySize]); err == nil && known(old) {
			break
		}
	}
	chain, err := parseRotations(b)
	if err != nil || len(chain) == 0 {
		return ID{}, ID{}, ErrRotation
	}
	return old, chain[len(chain)-1].New, nil
}

// MarshalRotations puts statements one behind the other, for a file and for handshakes.
func MarshalRotations(all []Rotation) []byte {
	var b []byte
	for _, r := range all {
		one, _ := r.MarshalBinary() // it does not fail
		b = append(b, one...)
	}
	return b
}

// parseRotations reads what MarshalRotations has written.
func parseRotations(b []byte) ([]Rotation, error) {
	if len(b)%rotationSize != 0 || len(b) > MaxRotations*rotationSize {
		return nil, ErrRotation
	}
	var all []Rotation
	for len(b) > 0 {
		r, err := ParseRotation(b[:rotationSize])
		if err != nil {
			return nil, err
		}
		if n := len(all); n > 0 && (all[n-1].New != r.Old || all[n-1].Seq >= r.Seq) {
			return nil, ErrRotation
		}
		all, b = append(all, r), b[rotationSize:]
	}
	return all, nil
}
