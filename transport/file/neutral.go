package file

import (
	"fmt"
	"io"
	"unicode/utf8"
)

// A neutralizer makes text safe to show on a terminal. What a peer sends could
// otherwise move the cursor, change the title, type answers, or turn the direction
// of letters so that the text reads as another. Newlines, tabs, carriage returns
// and all other text in UTF-8 pass; the rest is shown, not obeyed:
//
//	C0 control characters and DEL    ^X, so ESC is ^[
//	C1 control characters            \u009b
//	what turns the direction         \u202e
//	bytes that are not UTF-8         \xff
//
// It is used by one goroutine at a time.
type neutralizer struct {
	w       io.Writer
	pending []byte // the beginning of a character, less than utf8.UTFMax bytes
	buf     []byte
}

// Write shows p. It reports all of p as written or, if w fails, none of it.
func (n *neutralizer) Write(p []byte) (int, error) {
	text := p
	if len(n.pending) > 0 {
		text = append(n.pending, p...)
	}
	n.buf = n.buf[:0]
	for len(text) > 0 {
		if c := text[0]; c < utf8.RuneSelf {
			n.buf = appendASCII(n.buf, c)
			text = text[1:]
			continue
		}
		if !utf8.FullRune(text) {
			break
		}
		r, size := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && size == 1:
			n.buf = fmt.Appendf(n.buf, `\x%02x`, text[0])
		case r < 0xa0 || turns(r):
			n.buf = fmt.Appendf(n.buf, `\u%04x`, r)
		default:
			n.buf = append(n.buf, text[:size]...)
		}
		text = text[size:]
	}
	n.pending = append([]byte(nil), text...)
	if _, err := n.w.Write(n.buf); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush shows the beginning of a character that never came to its end.
func (n *neutralizer) Flush() error {
	n.buf = n.buf[:0]
	for _, c := range n.pending {
		n.buf = fmt.Appendf(n.buf, `\x%02x`, c)
	}
	n.pending = nil
	if len(n.buf) == 0 {
		return nil
	}
	_, err := n.w.Write(n.buf)
	return err
}

func appendASCII(b []byte, c byte) []byte {
	if c >= ' ' && c != 0x7f || c == '\n' || c == '\t' || c == '\r' {
		return append(b, c)
	}
	return append(b, '^', c^0x40)
}

// turns tells whether r changes the direction of text, or breaks lines where
// terminals do not (Unicode UAX #9, section 2, and UAX #14).
func turns(r rune) bool {
	switch {
	case r == 0x061c, r == 0x200e, r == 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
		return true
	case r == 0x2028, r == 0x2029:
		return true
	}
	return false
}
