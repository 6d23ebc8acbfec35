package ticket

import "unicode/utf8"

// lookalikes are characters that the alphabet leaves out, and what they are
// mistaken for.
var lookalikes = map[rune]string{'1': "l", 'i': "l", 'b': "8", 'o': "0"}

// strange describes the character at body[i], which is not in the alphabet.
func strange(body string, i, before int) *SlipError {
	r, n := utf8.DecodeRuneInString(body[i:])
	return &SlipError{Foreign, before + i, body[i : i+n], lookalikes[r]}
}

// times returns a multiplied by the symbol v, all ten coefficients at once.
func times(v byte, a uint64) uint64 {
	const ones = (1<<50 - 1) / 31 // the lowest bit of each symbol
	var r uint64
	for ; v != 0; v >>= 1 {
		if v&1 != 0 {
			r ^= a
		}
		carry := a >> 4 & ones
		a = a&^(ones<<4)<<1 ^ carry*9 // y^5 = y^3 + 1
	}
	return r
}

// divide returns the symbol v with times(v, a) == b.
func divide(b, a uint64) (v byte, ok bool) {
	for v := byte(1); v < 32; v++ {
		if times(v, a) == b {
			return v, true
		}
	}
	return 0, false
}

// findSlip returns nil if the symbols after the remainder r have the right length
// and checksum, and else what is most likely wrong. Pos counts from the first
// symbol.
func findSlip(r uint64, symbols []byte) *SlipError {
	start := r
	for _, v := range symbols {
		r = polymod(r, v)
	}
	odd := len(symbols)%2 != 0
	if r == target && !odd {
		return nil
	}
	power := make([]uint64, len(symbols)+2) // power[k] is x^k
	for i, p := 0, uint64(1); i < len(power); i++ {
		power[i], p = p, polymod(p, 0)
	}
	if odd {
		return findShift(start, symbols, power)
	}
	return findChange(r^target, symbols, power)
}

// findChange finds the one character, or the two neighbours, whose change explains
// the difference of the remainders. There is one way at most: two would be words
// of the code that are less than 5 apart.
func findChange(diff uint64, symbols []byte, power []uint64) *SlipError {
	for i, v := range symbols {
		k := len(symbols) - 1 - i
		if e, ok := divide(diff, power[k]); ok {
			return &SlipError{Wrong, i, char(v), char(v ^ e)}
		}
		if k > 0 {
			w := symbols[i+1]
			if e := v ^ w; e != 0 && times(e, power[k]^power[k-1]) == diff {
				return &SlipError{Swapped, i, char(v) + char(w), char(w) + char(v)}
			}
		}
	}
	return &SlipError{Slip: Unclear, Pos: -1}
}

// findShift finds the character that is missing or too many. There may be several
// ways to explain it, though that is as rare as a checksum that is right by
// chance; then the place is not known.
func findShift(start uint64, symbols []byte, power []uint64) *SlipError {
	var found []*SlipError
	n := len(symbols)

	// The remainder with a zero put in front of symbols[i], for every i.
	r := polymod(start, 0)
	for _, v := range symbols {
		r = polymod(r, v)
	}
	for i := 0; i <= n; i++ {
		v, ok := divide(r^target, power[n-i])
		if ok || r == target {
			if i == 0 || symbols[i-1] != v { // in a run of equal characters, the first place
				found = append(found, &SlipError{Slip: Missing, Pos: i, Want: char(v)})
			}
		}
		if i < n {
			r ^= times(symbols[i], power[n-i]^power[n-i-1])
		}
	}

	// The remainder without symbols[i], for every i.
	r = start
	for _, v := range symbols[1:] {
		r = polymod(r, v)
	}
	for i, v := range symbols {
		if r == target && (i == 0 || symbols[i-1] != v) {
			found = append(found, &SlipError{Slip: Extra, Pos: i, Got: char(v)})
		}
		if i+1 < n {
			r ^= times(v^symbols[i+1], power[n-2-i])
		}
	}
	if len(found) == 1 {
		return found[0]
	}
	return &SlipError{Slip: Missing, Pos: -1}
}

func char(v byte) string { return alphabet[v : v+1] }
