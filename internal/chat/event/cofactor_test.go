package event

import (
	"crypto/sha512"
	"errors"
	"testing"

	"filippo.io/edwards25519"

	"github.com/tenon-net/tenon/internal/peer"
)

// bent signs an event as nobody does who keeps to RFC 8032: R is the point with this encoding, of small order. What is left of the equation of its
// section 5.1.7, with the cofactor, is true.
func bent(e *Event, seed byte, r [32]byte) *Event {
	h := sha512.Sum512(append([]byte{seed}, make([]byte, 31)...))
	a := must(new(edwards25519.Scalar).SetBytesWithClamping(h[:32]))
	k := sha512.New()
	k.Write(r[:])
	k.Write(e.Device[:])
	k.Write(content(e))
	c := *e
	copy(c.Sig[:], r[:])
	copy(c.Sig[32:], new(edwards25519.Scalar).Multiply(must(new(edwards25519.Scalar).SetUniformBytes(k.Sum(nil))), a).Bytes())
	return &c
}

// content is what is signed of an event.
func content(e *Event) []byte {
	var b []byte
	for range 64 {
		b = append(b, ' ')
	}
	return append(append(append(b, peer.ContextChatEvent...), 0), e.ID[:]...)
}

var (
	orderEight = [32]byte{0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
		0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05}
	signOfZero = [32]byte{0: 1, 31: 0x80} // the neutral point, with a sign that its x cannot have
)

// An event is taken or refused whatever comes with it.
func TestVerifyAll(t *testing.T) {
	good := func(n int) []*Event {
		var all []*Event
		for i := range n {
			all = append(all, must(draft(uint64(2+i), &Add{personOf(2), Member}).Sign(keyOf(11))))
		}
		return all
	}
	forged := *good(1)[0]
	forged.Sig[40] ^= 1
	entered := must(entering().Sign(keyOf(12)))
	uncertified := entering()
	uncertified.Body.(*Enter).Cert = Certify(keyOf(2), deviceOf(13))
	for name, c := range map[string]struct {
		e  *Event
		ok bool
	}{
		"an event":                      {good(1)[0], true},
		"a first one":                   {entered, true},
		"create":                        {create(), true},
		"R of small order":              {bent(good(1)[0], 11, orderEight), true},
		"R in another form":             {bent(good(1)[0], 11, signOfZero), false},
		"forged":                        {&forged, false},
		"another one's certificate":     {must(uncertified.Sign(keyOf(12))), false},
		"R of small order, another key": {bent(good(1)[0], 12, orderEight), false},
	} {
		if err := c.e.Verify(); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
		for _, n := range []int{0, 1, 7, together - 1, together, together + 1} {
			all := append(good(n), c.e)
			all = append(all, good(2)...)
			if err := VerifyAll(all); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrMalformed) {
				t.Errorf("%s, behind %d others: %v", name, n, err)
			}
		}
	}
	if err := VerifyAll(nil); err != nil {
		t.Error(err)
	}
}
