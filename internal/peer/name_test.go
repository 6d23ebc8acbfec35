package peer

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestNames(t *testing.T) {
	for _, text := range []string{
		"alice", "Alice", "bob-2", "a", "jürgen", "Zoë", "łukasz", "nguyễn", "мария", "Ελένη", "田中", "田中さん", "김철수",
		"שרה", "سارة", "o.k", "under_score", "7of9", strings.Repeat("x", MaxName), strings.Repeat("田", MaxName),
	} {
		if n, err := ParseName(text); err != nil || string(n) != text {
			t.Errorf("%q: %q, %v", text, n, err)
		}
	}
	for _, text := range []string{
		"", " ", "a b", "alice ", "-a", "a-", "a--b", "a/b", "a:b", "a,b", "a+b", "a@b", "a'b", "~", "*", "42",
		"a\nb", "a\x00b", "a\u202eb", "a\u200bb", "a\u200db", "\ufeffa", "a\u00adb", "a\U000e0041", "\xff", "a\u2028",
		"\u0301a", "a\u0301\u0301\u0301\u0301", "аlice" /* Cyrillic а */, "асе" /* all Cyrillic */, "ΑΒΕ", /* all Greek */
		"ａｌｉｃｅ", "ﬁn", "x²", "①", "ɑlice" /* IPA */, "аліcе", "１２a", "a٣",
		"me", "Anyone", "PAIRED", "tenon1abc", "TENONID1x", "👍", "a👍", strings.Repeat("x", MaxName+1), strings.Repeat("x", 100000),
	} {
		if n, err := ParseName(text); !errors.Is(err, ErrName) {
			t.Errorf("%q: %q, %v", text, n, err)
		}
	}
	if n, err := ParseName("Zoe\u0308"); err != nil || n != "Zo\u00eb" {
		t.Errorf("not in the form NFC: %q, %v", n, err)
	}
}

func TestNamesAreComparedAsPeopleDo(t *testing.T) {
	for _, c := range []struct {
		a, b           Name
		same, resemble bool
	}{
		{"alice", "Alice", true, true},
		{"STRASSE", "strasse", true, true},
		{"Σ", "ς", true, true},
		{"alice", "al1ce", false, false},
		{"alice", "a1ice", false, true},
		{"alice", "aIice", false, true},
		{"bob", "b0b", false, true},
		{"zoe", "zoë", false, true},
		{"tim", "tirn", false, true},
		{"a-b", "a.b", false, true},
		{"alice", "bob", false, false},
		{"мама", "mama", false, false},
	} {
		if same := c.a.Key() == c.b.Key(); same != c.same {
			t.Errorf("%q, %q: same is %v", c.a, c.b, same)
		}
		if c.a.Resembles(c.b) != c.resemble || c.b.Resembles(c.a) != c.resemble {
			t.Errorf("%q, %q: resemble is not %v", c.a, c.b, c.resemble)
		}
	}
}

func TestAlikeLettersStandInPairs(t *testing.T) {
	if utf8.RuneCountInString(alikeOthers) != len(alikeLatin) {
		t.Fatalf("%d and %d", utf8.RuneCountInString(alikeOthers), len(alikeLatin))
	}
	for r, want := range map[rune]rune{'а': 'a', 'ԝ': 'w', 'Α': 'A', 'Χ': 'X', 'κ': 'k', 'օ': 'o', 'ж': 0, 'a': 0} {
		if got := latin(r); got != want {
			t.Errorf("%q looks like %q, want %q", r, got, want)
		}
	}
}

func TestSuggestedNames(t *testing.T) {
	for text, want := range map[string]Name{
		"alice":                   "alice",
		"Alice's laptop":          "Alice-s-laptop",
		"  bob  ":                 "bob",
		"\x1b[31mred\x1b[0m":      "31mred-0m",
		"eve\u202egnp":            "evegnp",
		"ａｌｉｃｅ":                   "alice",
		"😀":                       "",
		"аlice":                   "",
		"anyone":                  "",
		"":                        "",
		"\xff\xfe":                "",
		strings.Repeat("ab", 100): Name(strings.Repeat("ab", 15) + "a"),
		strings.Repeat("a", 2000): "",
	} {
		got, ok := Suggested(text)
		if ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q, %v, want %q", text, got, ok, want)
		}
	}
}

func TestServices(t *testing.T) {
	for text, want := range map[string]Service{"db": "db", "Web": "web", "a.b-c_d": "a.b-c_d", "8080": "8080", strings.Repeat("a", MaxService): Service(strings.Repeat("a", MaxService))} {
		if got, err := ParseService(text); err != nil || got != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "-a", "a-", "a b", "a/b", "a\n", "\x1b[2J", "é", "a\u202e", "a\x00", strings.Repeat("a", MaxService+1)} {
		if got, err := ParseService(text); !errors.Is(err, ErrName) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

func FuzzNames(f *testing.F) {
	f.Add("Zoe\u0308")
	f.Add("Alice's laptop")
	f.Fuzz(func(t *testing.T, text string) {
		if n, err := ParseName(text); err == nil {
			if again, err := ParseName(string(n)); err != nil || again != n {
				t.Fatalf("%q is %q is %q, %v", text, n, again, err)
			}
			if strings.ContainsAny(string(n), "/:,+@ \t\n\"'\\=") || utf8.RuneCountInString(string(n)) > MaxName {
				t.Fatalf("%q", n)
			}
		}
		if n, ok := Suggested(text); ok {
			if again, err := ParseName(string(n)); err != nil || again != n {
				t.Fatalf("%q is suggested as %q, which is no name: %v", text, n, err)
			}
		}
		if s, err := ParseService(text); err == nil {
			if again, err := ParseService(string(s)); err != nil || again != s {
				t.Fatalf("%q is %q is %q, %v", text, s, again, err)
			}
		}
	})
}
