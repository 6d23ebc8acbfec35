package peer

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha512"

	"filippo.io/edwards25519"
)

// A Signed is a message that the holder of a key is said to have signed by [Key.SignAs].
type Signed struct {
	Public   []byte // a key that NewID has taken before
	Msg, Sig []byte
}

// VerifyCofactored is [Verify] with the cofactor: the equation of RFC 8032 section 5.1.7 itself, and not the stronger one that the section
// allows. The two differ only in signatures that nobody makes who keeps to the RFC. It judges each signature as VerifyBatch does.
func VerifyCofactored(public []byte, c Context, msg, sig []byte) bool {
	return Verify(public, c, msg, sig) || c.equation([]Signed{{public, msg, sig}})
}

// VerifyBatch tells whether VerifyCofactored says yes to all of them. For each of 64 it takes a fourth of the time. If it is false, who wants to know
// which one is wrong verifies each.
func VerifyBatch(c Context, all []Signed) bool {
	if len(all) == 1 {
		return VerifyCofactored(all[0].Public, c, all[0].Msg, all[0].Sig)
	}
	return c.equation(all)
}

// equation works out a combination of the equations of RFC 8032 section 5.1.7, each [8][S]B = [8]R + [8][k]A, with factors z that nobody
// can foresee (Bernstein and others, "High-speed high-security signatures", section 5):
//
//	[8] ( Σ [z]R + Σ [z·k]A - [Σ z·S]B ) = 0
//
// If one of them is not true, this one is with a chance of 2^-128. The cofactor is what makes that so: without it an error of small order
// would pass by chance, and those who judge would differ.
func (c Context) equation(all []Signed) bool {
	n, keys := len(all), map[string]int{}
	points, scalars := make([]*edwards25519.Point, n, n+2), make([]*edwards25519.Scalar, n, n+2)
	sum := edwards25519.NewScalar() // of the products z·S
	factors := make([]byte, 16*n)
	rand.Read(factors) //nolint:errcheck // it does not fail
	for i, s := range all {
		if len(s.Public) != ed25519.PublicKeySize || len(s.Sig) != ed25519.SignatureSize || !onlyForm(s.Sig[:32]) {
			return false
		}
		r, err := new(edwards25519.Point).SetBytes(s.Sig[:32])
		if err != nil {
			return false
		}
		S, err := new(edwards25519.Scalar).SetCanonicalBytes(s.Sig[32:])
		if err != nil {
			return false
		}
		var z [32]byte
		copy(z[:], factors[16*i:][:16])
		points[i] = r
		scalars[i], _ = new(edwards25519.Scalar).SetCanonicalBytes(z[:]) // it is less than 2^128
		sum.MultiplyAdd(scalars[i], S, sum)

		at, ok := keys[string(s.Public)]
		if !ok {
			a, err := new(edwards25519.Point).SetBytes(s.Public)
			if err != nil {
				return false
			}
			at = len(points)
			keys[string(s.Public)] = at
			points, scalars = append(points, a), append(scalars, edwards25519.NewScalar())
		}
		scalars[at].MultiplyAdd(scalars[i], c.challenge(s), scalars[at])
	}
	points, scalars = append(points, edwards25519.NewGeneratorPoint()), append(scalars, sum.Negate(sum))
	p := new(edwards25519.Point).VarTimeMultiScalarMult(scalars, points)
	return p.MultByCofactor(p).Equal(edwards25519.NewIdentityPoint()) == 1
}

// challenge is the k of RFC 8032 section 5.1.7.
func (c Context) challenge(s Signed) *edwards25519.Scalar {
	h := sha512.New()
	h.Write(s.Sig[:32])
	h.Write(s.Public)
	h.Write(c.content(s.Msg))
	k, _ := new(edwards25519.Scalar).SetUniformBytes(h.Sum(nil)) // they are 64
	return k
}

// onlyForm tells whether bytes are the form of RFC 8032 section 5.1.2 of a point, if they are one: SetBytes also takes y + p, and the sign of an x that
// is zero.
func onlyForm(b []byte) bool {
	top := b[31] & 0x7f
	if top == 0x7f && bytes.Equal(b[1:31], ones[:]) && b[0] >= 0xec { // y is at least p - 1
		return b[0] == 0xec && b[31] == top // p - 1, whose x is zero
	}
	return b[31] != 0x80 || b[0] != 1 || !bytes.Equal(b[1:31], zeros[:]) // y is 1, whose x is zero
}

var zeros, ones = [30]byte{}, [30]byte(bytes.Repeat([]byte{0xff}, 30))
