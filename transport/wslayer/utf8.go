package wslayer

import "unicode/utf8"

// A utf8Check validates text that arrives in pieces, and fails with the first byte
// that cannot be part of it. The zero utf8Check is at the beginning of a text.
type utf8Check struct {
	tail [utf8.UTFMax]byte // a character of which more is to come
	n    int
}

// write tells whether the text goes on well with p.
func (u *utf8Check) write(p []byte) bool {
	for u.n > 0 && len(p) > 0 {
		u.tail[u.n] = p[0]
		u.n++
		p = p[1:]
		if !utf8.FullRune(u.tail[:u.n]) {
			continue
		}
		if _, size := utf8.DecodeRune(u.tail[:u.n]); size != u.n {
			return false
		}
		u.n = 0
	}
	cut := len(p)
	for i := len(p) - 1; i >= 0 && i >= len(p)-(utf8.UTFMax-1); i-- {
		if utf8.RuneStart(p[i]) {
			if !utf8.FullRune(p[i:]) {
				cut = i
			}
			break
		}
	}
	u.n += copy(u.tail[u.n:], p[cut:])
	return utf8.Valid(p[:cut])
}

// done tells whether the text may end here.
func (u *utf8Check) done() bool { return u.n == 0 }
