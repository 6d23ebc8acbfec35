//go:build linux

package bus

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
)

// A Member is the number by which the messages of a member are known, as the address
// of their sender: Meta.From.
type Member uint64

// Network returns "bus".
func (Member) Network() string { return kindName }

// String returns the number in hexadecimal.
func (m Member) String() string { return fmt.Sprintf("%016x", uint64(m)) }

// A secret is what a member proves with to each hub that it is the one who published
// before. Others know its origin only.
type secret [16]byte

func newSecret() (s secret) {
	rand.Read(s[:]) // never fails
	return s
}

// origin is the number by which the messages of a member are known: the beginning of
// the SHA-256 of its secret, and never 0.
func (s secret) origin() uint64 {
	sum := sha256.Sum256(s[:])
	return max(binary.BigEndian.Uint64(sum[:]), 1)
}

// newEpoch returns a number that no other hub has.
func newEpoch() uint64 {
	var p [8]byte
	rand.Read(p[:])
	return max(binary.BigEndian.Uint64(p[:])&math.MaxInt64, 1)
}
