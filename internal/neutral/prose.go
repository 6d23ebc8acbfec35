package neutral

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	zwnj   = '\u200c' // zero width non-joiner
	zwj    = '\u200d' // zero width joiner
	vsText = '\ufe0e'
	vsIcon = '\ufe0f'
	keycap = '\u20e3'
	flag   = '\U0001f3f4' // a black one

	maxMarks = 8 // on one letter: Tibetan and pointed Hebrew have as many
	maxJoins = 3 // in one emoji: the longest that is recommended for interchange, a couple that kisses, has as many
)

// flags are the ends of the flags of England, Scotland and Wales, behind [flag]: the only sequences of tags that are
// recommended for interchange (UTS #51, ED-14a; emoji-sequences.txt).
var flags = []string{tags("gbeng"), tags("gbsct"), tags("gbwls")}

func tags(s string) string {
	var b strings.Builder
	for _, r := range s {
		b.WriteRune(0xe0000 + r)
	}
	return b.String() + "\U000e007f"
}

// Prose is [Text] for what people say to each other, in all their languages. What cannot be seen is left
// where Unicode says that it changes what can be:
//
//   - joiners between the parts of an emoji (UTS #51, ED-16);
//   - joiners behind a virama, and before one (RFC 5892, appendices A.1 and A.2; the Unicode standard, sections 12.2 and
//     12.8), and non-joiners between letters of a script whose letters join (A.1). Persian sets suffixes off by
//     one whether or not the letter before would join, so that does not matter here;
//   - selectors of presentation behind an emoji, and in a keycap; those of Mongolian behind a letter;
//   - the tags of three flags.
//
// Elsewhere it is shown as an escape, as are more than 8 marks on one letter. What is left so is left again,
// in the same place, when it is passed through once more. The result has at most four times as many bytes.
func Prose(s string) string {
	plain := func(r rune) bool { return r < utf8.RuneSelf && r >= ' ' && r != 0x7f || r == '\t' }
	i := strings.IndexFunc(s, func(r rune) bool { return !plain(r) })
	if i < 0 {
		return s
	}
	var b strings.Builder
	var p prose
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 || r < ' ' && r != '\t' {
			n = 0
		} else {
			n = p.keep(r, s[n:])
		}
		if n > 0 {
			b.WriteString(s[:n])
			s = s[n:]
			continue
		}
		r, n = utf8.DecodeRuneInString(s)
		b.WriteString(quoted(s[:n]))
		if p = (prose{}); unicode.Is(unicode.M, r) {
			p.marks = maxMarks // those that follow do not go onto the escape
		}
		s = s[n:]
	}
	return b.String()
}

// A prose is what stands before a character, back to the last escape.
type prose struct {
	last  rune // what is left
	base  rune // the last that is neither mark nor joiner nor selector
	marks int  // on it
	emoji bool // last ends what may be a part of an emoji
	joins int  // in the emoji
}

// keep returns how many bytes of r and what follows are left; 0: r is not.
func (p *prose) keep(r rune, rest string) int {
	next, _ := utf8.DecodeRuneInString(rest)
	n := utf8.RuneLen(r)
	switch {
	case unicode.IsLetter(r) && !unicode.Is(invisible, r):
		*p = prose{base: r}
	case r == zwj && p.emoji && p.joins < maxJoins && unicode.Is(pictographs, next) && unicode.IsPrint(next):
		p.joins++
		p.emoji = false
	case r == zwnj || r == zwj:
		if !unicode.Is(viramas, p.last) && !(r == zwnj && p.apart(next)) && !(r == zwj && unicode.IsLetter(p.last) && unicode.Is(viramas, next)) {
			return 0
		}
		p.emoji = false
	case r == vsText || r == vsIcon:
		if !unicode.Is(pictographs, p.last) && !(strings.ContainsRune("#*0123456789", p.last) && next == keycap) {
			return 0
		}
	case r >= 0x180b && r <= 0x180f && r != 0x180e: // free variation selectors
		if !unicode.Is(unicode.Mongolian, p.last) || !unicode.IsLetter(p.last) {
			return 0
		}
	case r == 0xe0067 && p.last == flag:
		for _, f := range flags {
			if after, ok := strings.CutPrefix(string(r)+rest, f); ok {
				*p = prose{last: r}
				return n + len(rest) - len(after)
			}
		}
		return 0
	case unicode.Is(invisible, r):
		return 0
	case unicode.In(r, unicode.Mn, unicode.Me):
		if p.marks == maxMarks {
			return 0
		}
		p.marks++
		p.emoji = false
	case unicode.Is(unicode.Mc, r):
		p.emoji = false
	case !harmless(r) && r != '\t':
		return 0
	default:
		modifies := r >= 0x1f3fb && r <= 0x1f3ff // the colour of a skin
		if p.emoji = unicode.Is(pictographs, r) || modifies && p.emoji; !p.emoji || p.last != zwj && !modifies {
			p.joins = 0
		}
		p.base, p.marks = r, 0
	}
	p.last = r
	return n
}

// apart tells whether a non-joiner before next keeps two letters of one script apart that might join.
func (p *prose) apart(next rune) bool {
	if p.last != p.base && !unicode.Is(unicode.M, p.last) || !unicode.IsLetter(p.base) || !unicode.IsLetter(next) {
		return false
	}
	for _, script := range joining {
		if unicode.Is(script, p.base) {
			return unicode.Is(script, next)
		}
	}
	return false
}

// Cut returns as much of s as fits into n bytes, and does not cut between what [Prose] leaves together, unless all
// of it is.
func Cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	for i := n; i > 0; {
		before, size := utf8.DecodeLastRuneInString(s[:i])
		next, _ := utf8.DecodeRuneInString(s[i:])
		if before != zwj && before != zwnj && !unicode.In(next, unicode.M, unicode.Cf) && (next < 0x1f3fb || next > 0x1f3ff) {
			return s[:i]
		}
		i -= size
	}
	return s[:max(n, 0)]
}
