// Package neutral makes text that somebody else wrote harmless before a person, a
// terminal or a log meets it: what a peer says of itself, a name in a certificate,
// the bytes in an error. All lines that the program prints, all errors and all
// events go through [Line], dumps through [Text], and what people say to each other
// through [Prose], which has more of what their languages need. Names go through Line.
package neutral

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line returns s as one line without control characters: everything that moves the
// cursor, changes the direction of writing, hides, or is not valid UTF-8 is shown
// as a Go escape, such as \x1b or \u202e. Text without such characters is returned
// as it is.
func Line(s string) string { return escape(s, -1) }

// Text is [Line] for what somebody else has written at length: tabs stay.
func Text(s string) string { return escape(s, '\t') }

// escape escapes what is not harmless, save for one character.
func escape(s string, but rune) string {
	if clean(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if harmless(r) && (r != utf8.RuneError || n > 1) || r == but {
			b.WriteString(s[:n])
		} else {
			b.WriteString(quoted(s[:n]))
		}
		s = s[n:]
	}
	return b.String()
}

// quoted is the escape for one character.
func quoted(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if r == utf8.RuneError && n == 1 || r < ' ' && r != '\n' && r != '\r' && r != '\t' {
		return `\x` + hex(s[0])
	}
	q := strconv.QuoteRuneToASCII(r)
	return q[1 : len(q)-1]
}

func clean(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= utf8.RuneSelf {
			return utf8.ValidString(s[i:]) && strings.IndexFunc(s[i:], func(r rune) bool { return !harmless(r) }) < 0
		} else if c < ' ' || c == 0x7f {
			return false
		}
	}
	return true
}

// harmless tells whether r only shows itself: letters, marks, numbers, symbols,
// punctuation and spaces. Format characters (Cf), among them those that turn the
// direction of writing around, do not, nor do line and paragraph separators.
func harmless(r rune) bool { return unicode.IsPrint(r) || unicode.Is(unicode.Zs, r) }

func hex(c byte) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[c>>4], digits[c&15]})
}
