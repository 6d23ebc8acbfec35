package log

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// FTS5 takes what stands between spaces as a word. In writing that has none between words, a sentence would be one word, and
// nothing in it could be found: so each character of it is a word of its own, and what is searched for is those that follow each
// other. What keeps them apart is in what is searched alone.
const apart = "\x1f"

// unspaced is writing that has no spaces between words.
var unspaced = []*unicode.RangeTable{unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Bopomofo, unicode.Yi, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar, unicode.Tibetan}

// separate makes words of the characters of a text that has no spaces between words.
func separate(text string) string {
	if strings.IndexFunc(text, isUnspaced) < 0 {
		return text
	}
	var b strings.Builder
	last, was := utf8.RuneError, false
	for _, r := range text {
		is := isUnspaced(r)
		if (is || was) && !notOfWord(last) && !notOfWord(r) {
			b.WriteString(apart)
		}
		b.WriteRune(r)
		last, was = r, is
	}
	return b.String()
}

// together is what separate has made a text from.
func together(text string) string { return strings.ReplaceAll(text, apart, "") }

func isUnspaced(r rune) bool {
	const first = 0x0e00 // Thai
	return r >= first && unicode.IsOneOf(unspaced, r)
}
