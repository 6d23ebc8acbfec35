package neutral

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// What people write is left as it is.
func TestProseLeaves(t *testing.T) {
	for what, s := range map[string]string{
		"plain":                        "plain text,\twith a tab",
		"letters with marks":           "größer, Tiê\u0301ng Viê\u0323t, 日本",
		"a family":                     "👨\u200d👩\u200d👧\u200d👦",
		"skins, a heart, a kiss":       "👩🏽\u200d❤\ufe0f\u200d💋\u200d👨🏿",
		"a rainbow flag":               "🏳\ufe0f\u200d🌈 and 🏴\u200d☠\ufe0f",
		"she runs to the right":        "🏃🏻\u200d♀\ufe0f\u200d➡\ufe0f",
		"hearts as text and as icon":   "❤\ufe0e ❤\ufe0f",
		"keycaps":                      "1\ufe0f\u20e3 #\ufe0f\u20e3",
		"flags of regions":             "🇩🇪🇮🇷",
		"flags of parts of a kingdom":  "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f 🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
		"Persian":                      "می\u200cخواهم، خانه\u200cای",
		"Persian, where nothing joins": "کار\u200cها",
		"Persian, with a vowel":        "مَ\u200cن",
		"Hindi, with a half letter":    "क्\u200dष and क्\u200cष",
		"Sinhala":                      "ශ්\u200dරී ලංකා",
		"Malayalam, in the old way":    "അവന്\u200d",
		"Bengali ya-phalaa":            "র\u200d্যাব",
		"Mongolian":                    "ᠠ\u180b",
		"Tibetan":                      "བསྒྲུབས",
		"Hebrew, pointed":              "בְּרֵאשִׁ֖ית",
		"the long form of an escape":   `C:\x1b\u200d`,
	} {
		if got := Prose(s); got != s {
			t.Errorf("%s: %q becomes %q", what, s, got)
		}
	}
}

// What shows nothing, hides or turns something around is shown.
func TestProseEscapes(t *testing.T) {
	for in, want := range map[string]string{
		"a\x1b[2J\r\n\x00\xff":                                `a\x1b[2J\r\n\x00\xff`,
		"abc\u202edef\u2066\u200f\u2028x":                     `abc\u202edef\u2066\u200f\u2028x`,
		"pay\u200dpal, pay\u200cpal":                          `pay\u200dpal, pay\u200cpal`,
		"\u200d👩\u200d":                                       `\u200d👩\u200d`,
		"👩\u200d\u200d👩":                                      `👩\u200d\u200d👩`,
		"👩\u200dx":                                            `👩\u200dx`,
		"👩\u200d🏽":                                            `👩\u200d🏽`,
		"👨\u200d👩\u200d👧\u200d👦\u200d👦":                       "👨\u200d👩\u200d👧\u200d👦\\u200d👦",
		"a\ufe0f, 1\ufe0f, ❤\ufe0f\ufe0f":                     "a\\ufe0f, 1\\ufe0f, ❤\ufe0f\\ufe0f",
		"葛\U000e0100":                                         `葛\U000e0100`,
		"🏴\U000e0067\U000e0062":                               `🏴\U000e0067\U000e0062`,
		"x\U000e0069\U000e0067":                               `x\U000e0069\U000e0067`,
		"🏴\U000e0075\U000e0073\U000e0063\U000e0061\U000e007f": `🏴\U000e0075\U000e0073\U000e0063\U000e0061\U000e007f`,
		"می\u200c ":                                           `می\u200c `,
		"می\u200cx":                                           `می\u200cx`,
		"م\u200dن":                                            `م\u200dن`,
		"क्\u200c\u200c":                                      "क्\u200c\\u200c",
		"\u3164\u115f\u034f\u2060":                            `\u3164\u115f\u034f\u2060`,
		"a" + times(10):                                       "a" + times(8) + `\u0301\u0301`,
		"क" + times(7) + "्\u200d्ष":                          "क" + times(7) + "्\u200d" + `\u094dष`,
		"👨\u202e\u200d👩":                                      `👨\u202e\u200d👩`,
		"9\u2069\ufe0f\u20e3":                                 `9\u2069\ufe0f\u20e3`,
		"می\u202e\u200cخ":                                     `می\u202e\u200cخ`,
		"\U0001f3fb\ufe0f\u200d\U0001f3fb":                    "\U0001f3fb\\ufe0f\\u200d\U0001f3fb",
	} {
		if got := Prose(in); got != want {
			t.Errorf("Prose(%q)\n  = %q\nwant %q", in, got, want)
		}
	}
}

func times(n int) string { return strings.Repeat("\u0301", n) }

// Names are stricter: nothing that cannot be seen is left in them.
func TestLineIsStricter(t *testing.T) {
	for _, s := range []string{"👩\u200d👩", "می\u200cخواهم", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"} {
		if Line(s) == s || Text(s) == s {
			t.Errorf("%q is left as it is", s)
		}
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		s    string
		n    int
		want string
	}{
		{"abc", 3, "abc"},
		{"abc", 2, "ab"},
		{"aö", 2, "a"},
		{"ab👩\u200d👩", 9, "ab"},
		{"ab👩\u200d👩", 13, "ab👩\u200d👩"},
		{"ab👩🏽c", 8, "ab"},
		{"xe\u0301", 2, "x"},
		{"👩\u200d👩", 5, "👩"}, // it has to be cut somewhere
		{"ö", 1, ""},
	} {
		if got := Cut(c.s, c.n); got != c.want {
			t.Errorf("Cut(%q, %d) = %q, want %q", c.s, c.n, got, c.want)
		}
	}
}

func FuzzProse(f *testing.F) {
	f.Add("a\x1b]0;title\x07\u202e\xff\t", 3)
	f.Add("👨\u200d👩\u200d👧\u200d👦 🏳\ufe0f\u200d🌈 1\ufe0f\u20e3 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", 9)
	f.Add("می\u200cخواهم क्\u200dष র\u200d্য ᠠ\u180b"+times(12), 20)
	f.Fuzz(func(t *testing.T, s string, n int) {
		out := Prose(s)
		if !utf8.ValidString(out) {
			t.Fatalf("%q is not UTF-8", out)
		}
		if len(out) > 4*len(s) {
			t.Fatalf("%d bytes become %d", len(s), len(out))
		}
		marks, before := 0, rune(0)
		for _, r := range out {
			switch {
			case r == zwj || r == zwnj || r >= 0xe0061 && r <= 0xe007f:
				if before == 0 || before == zwj || before == zwnj || before == ' ' {
					t.Fatalf("%q has %U behind %U", out, r, before)
				}
			case unicode.IsControl(r) && r != '\t', unicode.Is(unicode.Cf, r), unicode.Is(unicode.Bidi_Control, r), r == '\u2028', r == '\u2029', r >= 0xe0100 && r <= 0xe01ef:
				t.Fatalf("%q has %U", out, r)
			case unicode.In(r, unicode.Mn, unicode.Me) && !unicode.Is(invisible, r):
				if marks++; marks > maxMarks {
					t.Fatalf("%q has more than %d marks on a letter", out, maxMarks)
				}
			case !unicode.Is(unicode.M, r):
				marks = 0
			}
			before = r
		}
		if again := Prose(out); again != out {
			t.Fatalf("%q changes again, into %q", out, again)
		}
		if n >= 0 {
			if c := Cut(out, n); len(c) > n && n < len(out) || !strings.HasPrefix(out, c) || !utf8.ValidString(c) {
				t.Fatalf("Cut(%q, %d) is %q", out, n, c)
			}
		}
	})
}

func BenchmarkProse(b *testing.B) {
	for name, s := range map[string]string{"ASCII": strings.Repeat("what people say ", 64), "Persian": strings.Repeat("می\u200cخواهم ", 64), "emoji": strings.Repeat("👨\u200d👩\u200d👧 ", 64)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(s)))
			b.ReportAllocs()
			for b.Loop() {
				Prose(s)
			}
		})
	}
}
