package ticket

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
)

// The constants follow from the definition in the comment of step.
func TestTheCodeIsTheOneDescribed(t *testing.T) {
	mul := func(a, b, modulus uint, degree int) uint {
		var r uint
		for ; b != 0; b >>= 1 {
			if b&1 != 0 {
				r ^= a
			}
			if a <<= 1; a>>degree != 0 {
				a ^= modulus
			}
		}
		return r
	}
	mul15 := func(a, b uint) uint { return mul(a, b, 1<<15|1<<1|1, 15) }
	pow := func(a uint, e int) uint {
		r := uint(1)
		for range e {
			r = mul15(r, a)
		}
		return r
	}
	order, x := 1, uint(2)
	for ; x != 1; order++ {
		x = mul15(x, 2)
	}
	if order != 1<<15-1 {
		t.Fatalf("a has order %d", order)
	}
	// y is the first power of a^1057, which generates the 31 elements of GF(32), that
	// is a root of y^5+y^3+1.
	y := uint(0)
	for k := 0; y == 0; k++ {
		if b := pow(2, 1057*k); pow(b, 5)^pow(b, 3)^1 == 0 {
			y = b
			t.Logf("y = a^(1057*%d)", k)
		}
	}
	symbol := map[uint]byte{}
	for v := range 32 {
		var e uint
		for i := range 5 {
			if v>>i&1 != 0 {
				e ^= pow(y, i)
			}
		}
		symbol[e] = byte(v)
	}
	g := []uint{1} // highest power first
	for _, e := range []int{0, 1, 32, 1024, 2, 64, 2048, 3, 96, 3072} {
		zero, next := pow(2, e), make([]uint, len(g)+1)
		for i, c := range g {
			next[i] ^= c
			next[i+1] ^= mul15(c, zero)
		}
		g = next
	}
	for i := range step {
		var want uint64
		for _, c := range g[1:] {
			v, ok := symbol[c]
			if !ok {
				t.Fatal("a coefficient is not in GF(32)")
			}
			want = want<<5 | uint64(mul(uint(v), 1<<i, 0x29, 5))
		}
		if step[i] != want {
			t.Errorf("step[%d] is %#x, want %#x", i, step[i], want)
		}
	}
	sum := sha256.Sum256([]byte(Prefix))
	if want := binary.BigEndian.Uint64(sum[:]) >> 14; want != target {
		t.Errorf("target is %#x, want %#x", uint64(target), want)
	}
}

// some returns n bytes that are the same in every run.
func some(seed uint64, n int) []byte {
	var key [32]byte
	binary.BigEndian.PutUint64(key[:], seed)
	b := make([]byte, n)
	rand.NewChaCha8(key).Read(b) //nolint:errcheck // it does not fail
	return b
}

func TestTextAndBack(t *testing.T) {
	for n := range 300 {
		if n%5 > 2 {
			continue
		}
		data := some(uint64(n), n)
		text := EncodeText("tenon1", data)
		for _, s := range []string{text, strings.ToUpper(text)} {
			back, err := DecodeText("tenon1", s)
			if err != nil || !bytes.Equal(back, data) {
				t.Fatalf("%d bytes: %x, %v", n, back, err)
			}
		}
		if _, err := DecodeText("tenonid1", "tenonid1"+text[6:]); err == nil {
			t.Fatalf("%d bytes pass with another prefix", n)
		}
	}
}

// lengths are those of an empty text, of an ID and of a short ticket.
var lengths = []int{0, 32, 82}

// slipOf decodes a text that is wrong.
func slipOf(t *testing.T, text string) *SlipError {
	t.Helper()
	_, err := DecodeText("tenon1", text)
	var slip *SlipError
	if !errors.As(err, &slip) {
		t.Fatalf("%s: %v", text, err)
	}
	return slip
}

func TestEveryWrongCharacterIsFound(t *testing.T) {
	for _, n := range lengths {
		text := EncodeText("tenon1", some(1, n))
		for i := len("tenon1"); i < len(text); i++ {
			for _, c := range alphabet {
				if byte(c) == text[i] {
					continue
				}
				slip := slipOf(t, text[:i]+string(c)+text[i+1:])
				if slip.Slip != Wrong || slip.Pos != i || slip.Got != string(c) || slip.Want != text[i:i+1] {
					t.Fatalf("%q at %d: %v", c, i, slip)
				}
			}
			for c, want := range map[string]string{"o": "0", "1": "l", "b": "8", "-": "", "é": "", "\u212a": ""} {
				slip := slipOf(t, text[:i]+c+text[i+1:])
				if slip.Slip != Foreign || slip.Pos != i || slip.Got != c || slip.Want != want {
					t.Fatalf("%q at %d: %v", c, i, slip)
				}
			}
		}
	}
}

func TestEverySwapIsFound(t *testing.T) {
	for _, n := range lengths {
		text := EncodeText("tenon1", some(2, n))
		for i := len("tenon1"); i+1 < len(text); i++ {
			if text[i] == text[i+1] {
				continue
			}
			slip := slipOf(t, text[:i]+text[i+1:i+2]+text[i:i+1]+text[i+2:])
			if slip.Slip != Swapped || slip.Pos != i || slip.Want != text[i:i+2] {
				t.Fatalf("at %d: %v", i, slip)
			}
		}
	}
}

func TestEveryMissingOrExtraCharacterIsFound(t *testing.T) {
	for _, n := range lengths {
		text := EncodeText("tenon1", some(3, n))
		for i := len("tenon1"); i < len(text); i++ {
			slip := slipOf(t, text[:i]+text[i+1:])
			first := i // of a run of equal characters
			for text[first-1] == text[i] && first > len("tenon1") {
				first--
			}
			if slip.Slip != Missing || slip.Pos != first || slip.Want != text[i:i+1] {
				t.Fatalf("without %d: %v", i, slip)
			}
			for j := range 4 {
				c := alphabet[(i+8*j)%32]
				wrong := text[:i] + string(c) + text[i:]
				slip := slipOf(t, wrong)
				if slip.Slip != Extra || wrong[:slip.Pos]+wrong[slip.Pos+1:] != text {
					t.Fatalf("%q put in at %d: %v", c, i, slip)
				}
			}
		}
	}
}

// Four wrong characters are within the distance of the code, wherever they are.
func TestUpToFourWrongCharacters(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	text := EncodeText("tenon1", some(4, 2550))
	for range 200 {
		b := []byte(text)
		for range 2 + r.IntN(3) {
			b[6+r.IntN(len(b)-6)] = alphabet[r.IntN(32)]
		}
		if string(b) == text {
			continue
		}
		if _, err := DecodeText("tenon1", string(b)); err == nil {
			t.Fatalf("%s passes", b)
		}
	}
}

func TestTextThatIsNoSlip(t *testing.T) {
	good := EncodeText("tenon1", some(5, 32))
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"empty":      {"", ErrPrefix},
		"prefix":     {"tenon1", ErrLength},
		"short":      {"tenon1qqqq", ErrLength},
		"mixed":      {strings.ToUpper(good[:8]) + good[8:], ErrCase},
		"other":      {"tenonid1" + good[6:], ErrPrefix},
		"long":       {"tenon1" + strings.Repeat("q", MaxText), ErrLength},
		"slip first": {"tenom1" + good[6:], ErrPrefix},
	} {
		if _, err := DecodeText("tenon1", c.text); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	// Bits that stand for nothing must be zero, and lengths that EncodeText does not
	// write are refused though the checksum is right.
	for _, symbols := range [][]byte{{0, 1}, {0, 0, 0, 0, 0, 0}, append(make([]byte, 51), 1)} {
		r := begin("tenon1")
		var b strings.Builder
		for _, v := range symbols {
			r = polymod(r, v)
			b.WriteByte(alphabet[v])
		}
		for range checkLen {
			r = polymod(r, 0)
		}
		for i := checkLen - 1; i >= 0; i-- {
			b.WriteByte(alphabet[(r^target)>>(5*i)&31])
		}
		if _, err := DecodeText("tenon1", "tenon1"+b.String()); !errors.Is(err, ErrCanonical) {
			t.Errorf("%v: %v", symbols, err)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add(EncodeText("tenon1", some(6, 32)))
	f.Add("tenon1")
	f.Add("TENON1QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L")
	f.Fuzz(func(t *testing.T, text string) {
		data, err := DecodeText("tenon1", text)
		var slip *SlipError
		if errors.As(err, &slip) && (slip.Pos < -1 || slip.Pos > len(text)) {
			t.Fatalf("%q: a slip at %d", text, slip.Pos)
		}
		if err == nil && EncodeText("tenon1", data) != strings.ToLower(text) {
			t.Fatalf("%q is %q in another way", text, EncodeText("tenon1", data))
		}
	})
}
