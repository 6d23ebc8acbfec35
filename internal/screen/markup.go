package screen

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// A paragraph is a line of a message as it was written, before it is broken to the width there is.
type paragraph struct {
	line line
	code bool // it stands between lines of ```
}

// markup makes paragraphs of a message: *bold*, _italic_, `code` and blocks of ```. All characters of code and of
// addresses are shown as they were written, and so is what is not closed.
func markup(m ansi.Method, s string, st style) (out []paragraph) {
	lines := strings.Split(s, "\n")
	last := len(lines) - 1 // the last line that can close a block
	for last >= 0 && strings.TrimSpace(lines[last]) != fence {
		last--
	}
	block := false
	for i, l := range lines {
		mark, isFence := strings.CutPrefix(strings.TrimSpace(l), fence)
		switch {
		case isFence && block && mark == "", isFence && !block && !strings.Contains(mark, "`") && i < last:
			block = !block
		case block:
			out = append(out, paragraph{text(m, l, style{code, st.attr}), true})
		default:
			out = append(out, paragraph{inline(m, l, st), false})
		}
	}
	return out
}

// fence begins and ends a block of code.
const fence = "```"

// inline is markup of one line.
func inline(m ansi.Method, s string, st style) (out line) {
	begin := 0 // of what is not in out yet
	for i := 0; i < len(s); {
		n, special := marked(m, s, i, st)
		if n == 0 {
			i++
			continue
		}
		out = append(out.add(m, s[begin:i], st), special...)
		i += n
		begin = i
	}
	return out.add(m, s[begin:], st)
}

// marked returns how many bytes at s[i] look different from st, and how they do.
func marked(m ansi.Method, s string, i int, st style) (n int, l line) {
	switch s[i] {
	case '`':
		if n = strings.IndexByte(s[i+1:], '`') + 2; n > 2 {
			return n, text(m, s[i:i+n], style{code, st.attr})
		}
	case '*':
		if n = emphasis(s, i); n > 0 && st.attr&bold == 0 {
			return n, inline(m, s[i+1:i+n-1], st.with(bold))
		}
	case '_':
		if n = emphasis(s, i); n > 0 && st.attr&italic == 0 {
			return n, inline(m, s[i+1:i+n-1], st.with(italic))
		}
	case '@':
		if n = mention(s[i:]); n > 1 && atWord(s, i) {
			return n, text(m, s[i:i+n], st.with(bold))
		}
	case 'h':
		if n = address(s[i:]); n > 0 && atWord(s, i) {
			return n, text(m, s[i:i+n], st.with(underline))
		}
	}
	return 0, nil
}

// maxEmphasis is how many bytes can stand between two marks.
const maxEmphasis = 1000

// emphasis returns how long what is between two equal marks at i is, with them; 0 if there is no such thing. The
// marks are at the outside of words, so that 2*3*4 and snake_case_names are not meant.
func emphasis(s string, i int) int {
	first, _ := utf8.DecodeRuneInString(s[i+1:])
	if !atWord(s, i) || unicode.IsSpace(first) || first == rune(s[i]) {
		return 0
	}
	for j := i + 2; j < min(len(s), i+maxEmphasis); j++ {
		if s[j] != s[i] {
			continue
		}
		last, _ := utf8.DecodeLastRuneInString(s[:j])
		next, _ := utf8.DecodeRuneInString(s[j+1:])
		if !unicode.IsSpace(last) && !isWord(next) {
			return j + 1 - i
		}
	}
	return 0
}

// atWord tells whether no word reaches up to s[i].
func atWord(s string, i int) bool {
	r, _ := utf8.DecodeLastRuneInString(s[:i])
	return i == 0 || !isWord(r)
}

func isWord(r rune) bool { return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsNumber(r)) }

// address returns how many bytes of s are the address of a page; 0 if it does not begin with one.
func address(s string) int {
	if !strings.HasPrefix(s, "http://") && !strings.HasPrefix(s, "https://") {
		return 0
	}
	end := strings.IndexFunc(s, func(r rune) bool { return unicode.IsSpace(r) || r == '<' || r == '>' || r == '"' })
	if end < 0 {
		end = len(s)
	}
	return len(strings.TrimRight(s[:end], ".,;:!?)'*_"))
}

// mention returns how many bytes of s are a name behind an "@".
func mention(s string) int {
	end := strings.IndexFunc(s[1:], func(r rune) bool { return !isWord(r) && r != '-' && r != '_' && r != '.' })
	if end < 0 {
		end = len(s) - 1
	}
	return 1 + len(strings.TrimRight(s[1:1+end], "._-"))
}
