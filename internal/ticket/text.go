package ticket

import (
	"errors"
	"fmt"
	"strings"
)

// MaxText is the length in characters of the longest text that is encoded or read.
const MaxText = 4096

// alphabet is that of BIP 173: 32 characters of one case, without 1, b, i and o. The
// value of a character is its place.
const alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

// checkLen is the number of characters of the checksum.
const checkLen = 10

// The checksum is a BCH code over GF(32) = GF(2)[y]/(y^5+y^3+1), as in BIP 173, but
// of length 32,767 and distance 5: the generator polynomial has the zeros a^0, a^1,
// a^2 and a^3, where a is a root of a^15+a+1, and their conjugates. Whatever the
// text, up to four characters that are wrong are detected, and two adjacent ones
// that are swapped; what is wrong with a single one, or a swap, is found.
//
// Ten symbols of five bits fit into a uint64, the one of x^9 on top. step has the
// generator polynomial without x^10, times 1, y, y^2, y^3 and y^4.
var step = [5]uint64{0x32bb30a6d479d, 0x3762e14ceae33, 0x3e5566989d96f, 0x2eaa6c39796de, 0xf40fc5bf28b5}

// target is the remainder of every text that is right: the first 50 bits of
// SHA-256("tenon1").
const target = 0x977c7052b240

// polymod appends a symbol to the polynomial whose remainder is r.
func polymod(r uint64, symbol byte) uint64 {
	top := r >> 45
	r = r&(1<<45-1)<<5 ^ uint64(symbol)
	for i, s := range step {
		if top>>i&1 != 0 {
			r ^= s
		}
	}
	return r
}

// begin is the remainder after the prefix, so that one prefix does not pass for
// another.
func begin(prefix string) uint64 {
	r := uint64(1)
	for _, c := range []byte(prefix) {
		r = polymod(polymod(r, c>>5), c&31)
	}
	return r
}

// EncodeText writes data after the prefix, which is in lower case and ends with 1:
// five bits to a character and a checksum behind. The number of characters is
// even, so that one that is missing shows; for that, the length of data modulo 5
// must be 0, 1 or 2.
func EncodeText(prefix string, data []byte) string {
	if len(data)%5 > 2 {
		panic("ticket: EncodeText with a length that is not 0, 1 or 2 modulo 5")
	}
	r := begin(prefix)
	var b strings.Builder
	b.WriteString(prefix)
	put := func(symbol byte) {
		r = polymod(r, symbol)
		b.WriteByte(alphabet[symbol])
	}
	var bits uint
	var n int
	for _, c := range data {
		for bits, n = bits<<8|uint(c), n+8; n >= 5; n -= 5 {
			put(byte(bits>>(n-5)) & 31)
		}
	}
	if n > 0 {
		put(byte(bits<<(5-n)) & 31)
	}
	for range checkLen {
		r = polymod(r, 0)
	}
	r ^= target
	for i := checkLen - 1; i >= 0; i-- {
		b.WriteByte(alphabet[r>>(5*i)&31])
	}
	return b.String()
}

// Errors about text that is not what was asked for. What may be a slip of the
// person who typed it is a [SlipError].
var (
	// ErrPrefix: it does not begin as it should, so it is something else.
	ErrPrefix = errors.New("it does not begin as it should")

	// ErrLength: more than MaxText characters, or too few for a checksum.
	ErrLength = errors.New("its length is impossible")

	// ErrCase: some letters are capital and some are not.
	ErrCase = errors.New("capital and small letters are mixed")

	// ErrCanonical: whoever has made it did not keep to the format.
	ErrCanonical = errors.New("it is not written as it should be")
)

// DecodeText reads what [EncodeText] has written, in lower or upper case.
func DecodeText(prefix, text string) ([]byte, error) {
	if len(text) > MaxText {
		return nil, ErrLength
	}
	lower, ok := oneCase(text)
	if !ok {
		return nil, ErrCase
	}
	body, ok := strings.CutPrefix(lower, prefix)
	if !ok {
		return nil, ErrPrefix
	}
	symbols := make([]byte, len(body))
	for i := range body {
		v := strings.IndexByte(alphabet, body[i])
		if v < 0 {
			return nil, strange(body, i, len(prefix))
		}
		symbols[i] = byte(v)
	}
	if len(symbols) < checkLen-1 { // with one less, one may be missing
		return nil, ErrLength
	}
	if slip := findSlip(begin(prefix), symbols); slip != nil {
		if slip.Pos >= 0 {
			slip.Pos += len(prefix)
		}
		return nil, slip
	}
	return unpack(symbols[:len(symbols)-checkLen])
}

// oneCase returns text in lower case, and false if ASCII letters of both cases are
// in it. Other letters stay: Unicode has more than one that is k in lower case.
func oneCase(text string) (string, bool) {
	b := []byte(text)
	var upper, lower bool
	for i, c := range b {
		switch {
		case 'A' <= c && c <= 'Z':
			upper = true
			b[i] += 'a' - 'A'
		case 'a' <= c && c <= 'z':
			lower = true
		}
	}
	return string(b), !upper || !lower
}

// unpack puts the bits of data characters together.
func unpack(symbols []byte) ([]byte, error) {
	data := make([]byte, 0, len(symbols)*5/8)
	var bits uint
	var n int
	for _, v := range symbols {
		bits, n = bits<<5|uint(v), n+5
		if n >= 8 {
			n -= 8
			data = append(data, byte(bits>>n))
		}
	}
	if n >= 5 || bits&(1<<n-1) != 0 || len(data)%5 > 2 {
		return nil, ErrCanonical
	}
	return data, nil
}

// A Slip is what somebody has done when copying a text.
type Slip int

// The slips that can be told from each other.
const (
	Unclear Slip = iota // more than one, or nobody knows where
	Wrong               // a character in place of another
	Swapped             // two neighbours changed places
	Missing             // a character was left out
	Extra               // a character too many
	Foreign             // a character that the alphabet does not have
)

// A SlipError says what is wrong with a text and where, as far as that can be told.
// Nothing is corrected: that is for the person who knows the original.
type SlipError struct {
	Slip Slip
	Pos  int    // counted from 0 in the whole text; -1 if it is not known
	Got  string // what stands there
	Want string // what should, if that is known
}

func (e *SlipError) Error() string {
	at := fmt.Sprintf("character %d", e.Pos+1)
	switch e.Slip {
	case Wrong:
		return fmt.Sprintf("%s is wrong: %q should be %q", at, e.Got, e.Want)
	case Swapped:
		return fmt.Sprintf("%s and the next have changed places: %q should be %q", at, e.Got, e.Want)
	case Missing:
		if e.Pos >= 0 {
			return fmt.Sprintf("%s is missing: it is %q", at, e.Want)
		}
		return "a character is missing, or there is one too many"
	case Extra:
		return fmt.Sprintf("%s is too many: %q", at, e.Got)
	case Foreign:
		if e.Want != "" {
			return fmt.Sprintf("%s is wrong: there is no %q in it; is it %q?", at, e.Got, e.Want)
		}
		return fmt.Sprintf("%s is wrong: there is no %q in it", at, e.Got)
	}
	return "some characters are wrong or missing"
}
