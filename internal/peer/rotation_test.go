package peer

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

func rotation(from, to byte, seq uint64) Rotation {
	return NewRotation(key(from), key(to), seq, time.Unix(1_800_000_000, 0))
}

func TestRotationAndBack(t *testing.T) {
	r := rotation(1, 2, 1)
	b, err := r.MarshalBinary()
	if err != nil || len(b) != rotationSize {
		t.Fatal(len(b), err)
	}
	if back, err := ParseRotation(b); err != nil || back != r {
		t.Errorf("%+v, %v, want %+v", back, err, r)
	}
	for i := range b { // every byte counts
		b[i] ^= 4
		if _, err := ParseRotation(b); !errors.Is(err, ErrRotation) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
		b[i] ^= 4
	}
	if _, err := ParseRotation(b[:len(b)-1]); !errors.Is(err, ErrRotation) {
		t.Errorf("cut: %v", err)
	}
}

// Nobody can make somebody else his successor, or himself somebody's.
func TestBothKeysSign(t *testing.T) {
	b, _ := rotation(1, 2, 1).MarshalBinary()
	other, _ := rotation(1, 3, 1).MarshalBinary()
	third, _ := rotation(3, 2, 1).MarshalBinary()
	for name, forged := range map[string][]byte{
		"signed by the old key only": append(append([]byte(nil), b[:signedSize+64]...), other[signedSize+64:]...),
		"signed by the new key only": append(append(append([]byte(nil), b[:signedSize]...), third[signedSize:signedSize+64]...), b[signedSize+64:]...),
	} {
		if _, err := ParseRotation(forged); !errors.Is(err, ErrRotation) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFollow(t *testing.T) {
	id := func(n byte) ID { return key(n).ID() }
	long := make([]Rotation, MaxRotations)
	for i := range long {
		long[i] = rotation(byte(i+1), byte(i+2), uint64(i+1))
	}
	for _, c := range []struct {
		name string
		all  []Rotation
		want ID
		err  error
	}{
		{"nothing said", nil, id(1), nil},
		{"one", []Rotation{rotation(1, 2, 1)}, id(2), nil},
		{"in disorder", []Rotation{rotation(3, 4, 3), rotation(1, 2, 1), rotation(2, 3, 2)}, id(4), nil},
		{"heard twice", []Rotation{rotation(1, 2, 1), rotation(1, 2, 1)}, id(2), nil},
		{"of others", []Rotation{rotation(5, 6, 1)}, id(1), nil},
		{"forked", []Rotation{rotation(1, 2, 1), rotation(1, 3, 1)}, ID{}, ErrForked},
		{"forked, another number", []Rotation{rotation(1, 2, 1), rotation(1, 3, 2)}, ID{}, ErrForked},
		{"in a circle", []Rotation{rotation(1, 2, 1), rotation(2, 1, 2)}, ID{}, ErrRotation},
		{"backwards", []Rotation{rotation(1, 2, 5), rotation(2, 3, 4)}, ID{}, ErrRotation},
		{"as long as may be", long, id(MaxRotations + 1), nil},
	} {
		if got, err := Follow(id(1), c.all); got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %s, %v", c.name, got.Short(), err)
		}
	}
	b, _ := rotation(1, 2, MaxRotations+1).MarshalBinary()
	if _, err := ParseRotation(b); !errors.Is(err, ErrRotation) {
		t.Errorf("a number above the limit: %v", err)
	}
}

func FuzzRotation(f *testing.F) {
	b, _ := rotation(1, 2, 1).MarshalBinary()
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseRotation(b)
		if err != nil {
			return
		}
		if again, err := r.MarshalBinary(); err != nil || string(again) != string(b) {
			t.Fatalf("%x is written %x (%v)", b, again, err)
		}
	})
}

func TestSuccession(t *testing.T) {
	chain := MarshalRotations([]Rotation{rotation(1, 2, 1), rotation(2, 3, 2), rotation(3, 4, 3)})
	broken := append(bytes.Clone(chain[:rotationSize]), chain[2*rotationSize:]...)
	bad := bytes.Clone(chain)
	bad[2*rotationSize+100] ^= 1
	for _, c := range []struct {
		name     string
		shown    []byte
		known    byte
		old, now ID
		err      error
	}{
		{"from the first", chain, 1, key(1).ID(), key(4).ID(), nil},
		{"from the middle", chain, 3, key(3).ID(), key(4).ID(), nil},
		{"of the latest", chain, 4, ID{}, ID{}, ErrRotation},
		{"of a stranger", chain, 9, ID{}, ID{}, ErrRotation},
		{"one is missing", broken, 1, ID{}, ID{}, ErrRotation},
		{"what is before is not looked at", broken, 3, key(3).ID(), key(4).ID(), nil},
		{"a wrong signature", bad, 1, ID{}, ID{}, ErrRotation},
		{"nothing", nil, 1, ID{}, ID{}, ErrRotation},
		{"half of one", chain[:100], 1, ID{}, ID{}, ErrRotation},
		{"too long", bytes.Repeat(chain, MaxRotations), 1, ID{}, ID{}, ErrRotation},
	} {
		old, now, err := Succession(c.shown, func(k ID) bool { return k == key(c.known).ID() })
		if err != c.err || err == nil && (old != c.old || now != c.now) {
			t.Errorf("%s: %v, %v, %v", c.name, old, now, err)
		}
	}
}
