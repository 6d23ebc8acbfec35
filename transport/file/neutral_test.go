package file

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

func shown(pieces ...string) string {
	var b bytes.Buffer
	n := &neutralizer{w: &b}
	for _, p := range pieces {
		n.Write([]byte(p))
	}
	n.Flush()
	return b.String()
}

func TestNeutralizer(t *testing.T) {
	for in, want := range map[string]string{
		"plain text\r\n\ttab":         "plain text\r\n\ttab",
		"\x1b]0;title\a\x1b[2J":       "^[]0;title^G^[[2J",
		"\x00\b\x7f":                  "^@^H^?",
		"grüße 世界 🙂":                  "grüße 世界 🙂",
		"\u009b31m":                   `\u009b31m`,
		"\x9b31m\xff":                 `\x9b31m\xff`,
		"a\u202eb\u2066c\u200fd":      `a\u202eb\u2066c\u200fd`,
		"cut \xe4\xb8":                `cut \xe4\xb8`,
		"overlong \xc0\x9b, \xc1\xbf": `overlong \xc0\x9b, \xc1\xbf`,
	} {
		if got := shown(in); got != want {
			t.Errorf("%q: shown as %q, want %q", in, got, want)
		}
		if got := shown(strings.Split(in, "")...); utf8.ValidString(in) && got != want {
			t.Errorf("%q, a character at a time: shown as %q, want %q", in, got, want)
		}
	}
}

func FuzzNeutralizer(f *testing.F) {
	for _, seed := range []string{"\x1b[31m", "世界", "\xe4\xb8", "\u202e", "a\x9bb", "\xc2\x9b"} {
		f.Add(seed, 1)
	}
	f.Fuzz(func(t *testing.T, in string, at int) {
		whole := shown(in)
		for _, r := range whole {
			if r < ' ' && r != '\n' && r != '\t' && r != '\r' || r >= 0x7f && r < 0xa0 || turns(r) {
				t.Fatalf("%q: %q comes through", in, r)
			}
		}
		if !utf8.ValidString(whole) {
			t.Fatalf("%q: shown as %q, which is no UTF-8", in, whole)
		}
		if len(in) > 0 {
			at = (at%len(in) + len(in)) % len(in)
			if got := shown(in[:at], in[at:]); got != whole {
				t.Fatalf("%q: %q, but %q when it is written in two", in, whole, got)
			}
		}
	})
}
