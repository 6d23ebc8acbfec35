package rbsr

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/bits"
)

// A Key is what an event is sorted by: its time, then its ID, which is a hash.
type Key struct {
	Time uint64
	ID   [32]byte
}

// End is greater than every key of a [Set].
var End = func() (k Key) {
	k.Time = math.MaxUint64
	for i := range k.ID {
		k.ID[i] = 0xff
	}
	return k
}()

// Compare returns -1, 0 or 1.
func (k Key) Compare(o Key) int {
	if k.Time != o.Time {
		return cmp.Compare(k.Time, o.Time)
	}
	return bytes.Compare(k.ID[:], o.ID[:])
}

// Less tells whether k comes before o.
func (k Key) Less(o Key) bool { return k.Compare(o) < 0 }

// between returns the shortest bound that is above a and not above b, which is above a.
func between(a, b Key) Key {
	bound := Key{Time: b.Time}
	if a.Time != b.Time {
		return bound
	}
	for i := range b.ID {
		bound.ID[i] = b.ID[i]
		if a.ID[i] != b.ID[i] {
			break
		}
	}
	return bound
}

// A sum of IDs modulo 2^256, the lowest limb first.
type sum [4]uint64

func sumOf(id *[32]byte) sum {
	return sum{binary.BigEndian.Uint64(id[24:]), binary.BigEndian.Uint64(id[16:]), binary.BigEndian.Uint64(id[8:]), binary.BigEndian.Uint64(id[:])}
}

func (s *sum) add(o sum) {
	var c uint64
	s[0], c = bits.Add64(s[0], o[0], 0)
	s[1], c = bits.Add64(s[1], o[1], c)
	s[2], c = bits.Add64(s[2], o[2], c)
	s[3], _ = bits.Add64(s[3], o[3], c)
}

func (s *sum) sub(o sum) {
	var b uint64
	s[0], b = bits.Sub64(s[0], o[0], 0)
	s[1], b = bits.Sub64(s[1], o[1], b)
	s[2], b = bits.Sub64(s[2], o[2], b)
	s[3], _ = bits.Sub64(s[3], o[3], b)
}

// A Fingerprint stands for the keys of a range. Sums alone could be forged, by keys that
// add up; through the hash one would have to find them for a given fingerprint.
type Fingerprint [16]byte

func (s sum) fingerprint(count int) (f Fingerprint) {
	var b [40]byte
	for i, limb := range s {
		binary.BigEndian.PutUint64(b[24-8*i:], limb)
	}
	binary.BigEndian.PutUint64(b[32:], uint64(count))
	h := sha256.Sum256(b[:])
	copy(f[:], h[:])
	return f
}
