package peer

import (
	"bytes"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"testing"

	"filippo.io/edwards25519"
)

// orderEight is a point of order 8, and notCanonical the neutral point with y + p.
const (
	orderEight   = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"
	notCanonical = "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"
	signOfZero   = "0100000000000000000000000000000000000000000000000000000000000080"
	neutral      = "0100000000000000000000000000000000000000000000000000000000000000"
)

func unhex(h string) []byte {
	b, err := hex.DecodeString(h)
	if err != nil {
		panic(err)
	}
	return b
}

// A bent signs as nobody does who keeps to RFC 8032, and so that the equation of its section 5.1.7 is true all the same.
type bent struct {
	key   byte   // the seed
	torsA bool   // a point of order 8 is added to the public key,
	torsR bool   // and to R
	r     string // in place of R, whose discrete logarithm is 0
}

func (x bent) sign(msg []byte) Signed {
	eight, err := new(edwards25519.Point).SetBytes(unhex(orderEight))
	if err != nil {
		panic(err)
	}
	h := sha512.Sum512(bytes.Join([][]byte{{x.key}, make([]byte, 31)}, nil))
	a, err := new(edwards25519.Scalar).SetBytesWithClamping(h[:32])
	if err != nil {
		panic(err)
	}
	A := new(edwards25519.Point).ScalarBaseMult(a)
	if x.torsA {
		A.Add(A, eight)
	}
	r, err := new(edwards25519.Scalar).SetUniformBytes(h[:])
	if err != nil {
		panic(err)
	}
	R := new(edwards25519.Point).ScalarBaseMult(r)
	if x.torsR {
		R.Add(R, eight)
	}
	s := Signed{Public: A.Bytes(), Msg: msg, Sig: R.Bytes()}
	if x.r != "" {
		r, s.Sig = edwards25519.NewScalar(), unhex(x.r)
	}
	S := new(edwards25519.Scalar).MultiplyAdd(ContextShare.challenge(s), a, r)
	s.Sig = append(s.Sig, S.Bytes()...)
	return s
}

// Members of a room take the same events only if one signature is judged alike by everybody, alone and beside others, each time. Where
// the cofactor is left out a batch takes some of these by chance.
func TestBatchJudgesAsEach(t *testing.T) {
	msg := []byte("the same for all")
	good := func(n byte) Signed {
		k, m := key(n), fmt.Appendf(nil, "message %d", n)
		return Signed{k.ID().Bytes(), m, k.SignAs(ContextShare, m)}
	}
	change := func(f func(*Signed)) Signed {
		s := good(1)
		f(&s)
		return s
	}
	flip := func(b []byte, at int) []byte {
		b = bytes.Clone(b)
		b[at] ^= 1
		return b
	}
	for name, c := range map[string]struct {
		Signed
		strict, want bool // by Verify, and by the others
	}{
		"good":                          {good(1), true, true},
		"made by hand":                  {bent{key: 1}.sign(msg), true, true},
		"R of order 8 more":             {bent{key: 1, torsR: true}.sign(msg), false, true},
		"R and A of order 8 more":       {bent{key: 6, torsA: true, torsR: true}.sign(msg), false, true},
		"R is neutral":                  {bent{key: 1, r: neutral}.sign(msg), true, true},
		"R is of order 8":               {bent{key: 1, r: orderEight}.sign(msg), false, true},
		"R is neutral, not canonical":   {bent{key: 1, r: notCanonical}.sign(msg), false, false},
		"R is neutral, with a sign":     {bent{key: 1, r: signOfZero}.sign(msg), false, false},
		"another message":               {change(func(s *Signed) { s.Msg = msg }), false, false},
		"another key":                   {change(func(s *Signed) { s.Public = key(2).ID().Bytes() }), false, false},
		"a key that is none":            {change(func(s *Signed) { s.Public = unhex("02" + neutral[2:]) }), false, false},
		"a key that is cut":             {change(func(s *Signed) { s.Public = s.Public[1:] }), false, false},
		"R changed":                     {change(func(s *Signed) { s.Sig = flip(s.Sig, 3) }), false, false},
		"S changed":                     {change(func(s *Signed) { s.Sig = flip(s.Sig, 33) }), false, false},
		"S is not reduced":              {change(func(s *Signed) { s.Sig = plusOrder(s.Sig) }), false, false},
		"a signature that is cut":       {change(func(s *Signed) { s.Sig = s.Sig[:63] }), false, false},
		"no signature":                  {change(func(s *Signed) { s.Sig = nil }), false, false},
		"good, of somebody who is here": {good(3), true, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Verify(c.Public, ContextShare, c.Msg, c.Sig); got != c.strict {
				t.Errorf("without the cofactor: %v", got)
			}
			if got := VerifyCofactored(c.Public, ContextShare, c.Msg, c.Sig); got != c.want {
				t.Errorf("alone: %v", got)
			}
			if VerifyCofactored(c.Public, ContextTicket, c.Msg, c.Sig) {
				t.Error("it is good in another context")
			}
			for i := range 24 {
				all := []Signed{good(2), good(3), good(3), good(4), good(5)}[i%5:]
				all = append(all, c.Signed)
				all[0], all[len(all)-1] = all[len(all)-1], all[0]
				if got := VerifyBatch(ContextShare, all); got != c.want {
					t.Fatalf("beside %d others, the %d. time: %v", len(all)-1, i, got)
				}
			}
		})
	}
	if !VerifyBatch(ContextShare, nil) {
		t.Error("none of none is wrong")
	}
	// What is wrong twice is not right together: without factors these two would be.
	a, b := good(1), good(1)
	up, down := edwards25519.NewScalar(), edwards25519.NewScalar()
	one := new(edwards25519.Scalar).Subtract(must(new(edwards25519.Scalar).SetCanonicalBytes(append([]byte{2}, make([]byte, 31)...))), must(new(edwards25519.Scalar).SetCanonicalBytes(append([]byte{1}, make([]byte, 31)...))))
	S := must(new(edwards25519.Scalar).SetCanonicalBytes(a.Sig[32:]))
	a.Sig = append(bytes.Clone(a.Sig[:32]), up.Add(S, one).Bytes()...)
	b.Sig = append(bytes.Clone(b.Sig[:32]), down.Subtract(S, one).Bytes()...)
	if VerifyBatch(ContextShare, []Signed{a, b}) {
		t.Error("two errors that cancel each other out are taken")
	}
}

func must[T any](x T, err error) T {
	if err != nil {
		panic(err)
	}
	return x
}

// plusOrder returns a signature whose S is one of the order of the base point more: the same number, in another form.
func plusOrder(sig []byte) []byte {
	order := unhex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
	sig = bytes.Clone(sig)
	carry := 0
	for i, o := range order {
		carry += int(sig[32+i]) + int(o)
		sig[32+i], carry = byte(carry), carry>>8
	}
	return sig
}

// FuzzVerifyBatch holds what one signature is worth alone and beside another one against each other, and against what Verify says.
func FuzzVerifyBatch(f *testing.F) {
	for _, x := range []bent{{key: 1}, {key: 1, torsR: true}, {key: 4, torsA: true, torsR: true}, {key: 1, r: orderEight}, {key: 1, r: notCanonical}} {
		s := x.sign([]byte("fuzz"))
		f.Add(s.Public, s.Msg, s.Sig)
	}
	good := Signed{key(9).ID().Bytes(), []byte("good"), key(9).SignAs(ContextShare, []byte("good"))}
	f.Fuzz(func(t *testing.T, public, msg, sig []byte) {
		strict, alone := Verify(public, ContextShare, msg, sig), VerifyCofactored(public, ContextShare, msg, sig)
		if strict && !ContextShare.equation([]Signed{{public, msg, sig}}) {
			t.Error("Verify takes what the equation does not")
		}
		if beside := VerifyBatch(ContextShare, []Signed{good, {public, msg, sig}}); beside != alone {
			t.Errorf("alone %v, beside another one %v", alone, beside)
		}
	})
}

func BenchmarkVerifyBatch(b *testing.B) {
	var all []Signed
	for i := range 64 {
		k, m := key(1), fmt.Appendf(nil, "%032d", i)
		all = append(all, Signed{k.ID().Bytes(), m, k.SignAs(ContextShare, m)})
	}
	for _, n := range []int{1, 2, 8, 64} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for i := 0; i < b.N; i += n {
				if !VerifyBatch(ContextShare, all[:n]) {
					b.Fatal("refused")
				}
			}
		})
	}
}
