package neutral

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestLine(t *testing.T) {
	for in, want := range map[string]string{
		"plain text":          "plain text",
		"größer 日本 👍":         "größer 日本 👍",
		"a\x1b[2Jb":           `a\x1b[2Jb`,
		"one\ntwo\r\n":        `one\ntwo\r\n`,
		"\x00\x7f\u0085":      `\x00\x7f\u0085`,
		"abc\u202edef\u2028x": `abc\u202edef\u2028x`,
		"\xff\xfe":            `\xff\xfe`,
		"\u200b\ufeff":        `\u200b\ufeff`,
		"tab\there":           `tab\there`,
		"":                    "",
		`C:\x1b`:              `C:\x1b`,
	} {
		if got := Line(in); got != want {
			t.Errorf("Line(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestText(t *testing.T) {
	for in, want := range map[string]string{"a\tb": "a\tb", "a\tb\n\x1b": `a	b\n\x1b`, "plain": "plain"} {
		if got := Text(in); got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzLine(f *testing.F) {
	f.Add("a\x1b]0;title\x07\u202e\xff")
	f.Fuzz(func(t *testing.T, s string) {
		out := Line(s)
		if !utf8.ValidString(out) {
			t.Fatalf("%q is not UTF-8", out)
		}
		for _, r := range out {
			if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
				t.Fatalf("%q has %U", out, r)
			}
		}
		if Line(out) != out {
			t.Fatalf("%q changes again", out)
		}
	})
}

func TestFileName(t *testing.T) {
	for in, want := range map[string]string{
		"plain.txt":             "plain.txt",
		"größer 日本 👍 10:30.pdf": "größer 日本 👍 10:30.pdf",
		"a\x1b[2Jb\n":           "a_[2Jb_",
		"photo\u202egpj.exe":    "photo_gpj.exe",
		"../../etc/passwd":      "_._.._etc_passwd",
		`C:\x`:                  "C:_x",
		".bashrc":               "_bashrc",
		"-rf":                   "_rf",
		"~":                     "_",
		" . ":                   "_",
		"..":                    "_",
		"":                      "_",
		"a. .":                  "a",
		"\xff":                  "_",
	} {
		if got := FileName(in); got != want {
			t.Errorf("FileName(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzFileName(f *testing.F) {
	f.Add("-a/b\\c\x1b\u202e\xff. ")
	f.Add("..")
	f.Fuzz(func(t *testing.T, s string) {
		out := FileName(s)
		if out == "" || len(out) > max(len(s), 1) || Line(out) != out || strings.ContainsAny(out, "/\\") || strings.ContainsAny(out[:1], ".-~ ") || strings.TrimRight(out, ". ") != out {
			t.Fatalf("%q is made %q", s, out)
		}
		if FileName(out) != out {
			t.Fatalf("%q changes again", out)
		}
	})
}
