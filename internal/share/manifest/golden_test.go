package manifest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "write testdata/manifests.txt")

const goldenPath = "testdata/manifests.txt"

const goldenIntro = `# Manifests, what is in them, and what is refused: docs/protocol/share.md, chapter "Manifest".
#
# "manifest" is one, in hexadecimal, with its entries in order behind it:
#   dir     path, mode, time
#   file    path, mode, time, size, root, and "holes" if it has some
#   symlink path, time, target
# Paths and targets are between quotes, where \xNN is a byte and all else UTF-8; modes are octal, times nanoseconds since 1970.
# "large" is too long to be here: it is made by a rule, and has a length and a SHA-256 (its root is a BLAKE3, of which there is a test elsewhere).
# "refused" is what every reader refuses, and why.
`

// golden are the manifests of the file.
func golden() map[string][]Entry {
	return map[string][]Entry{
		"empty":         nil,
		"one file":      {file("hello.txt", 6)},
		"every kind":    some(),
		"front coding":  {dir("a"), file("a/image-1.jpg", 10), file("a/image-10.jpg", 10), file("a/image-2.jpg", 10), dir("ab"), file("ab/image-2.jpg", 10), dir("abc")},
		"deep and back": {dir("a"), dir("a/b"), dir("a/b/c"), file("a/b/c/d", 1), file("a/bb", 1), dir("b"), file("b/a", 1)},
	}
}

// large makes directories by the rule in the file.
func large() []Entry {
	all := []Entry{dir("d")}
	for i := range 20_000 {
		e := dir(fmt.Sprintf("d/%05d", i))
		e.ModTime = 1_700_000_000e9 + int64(i)*1_000_000_007
		all = append(all, e)
	}
	return all
}

const largeRule = `the directory "d", then "d/00000" to "d/19999", mode 0755, times 1700000000000000000 + 1000000007 n (of "d": n = 0)`

// broken are the manifests that are refused.
func brokenOnes() []string {
	var all []string
	for _, c := range []struct {
		rule Rule
		b    []byte
	}{
		{RuleMagic, []byte("tenon share 2\n\x00\x00\x04\x00\x00\x00")},
		{RuleNumber, []byte("tenon share 1\n\x01\x00\x04\x00\x00\x00")},
		{RuleVarint, []byte("tenon share 1\n\x00\x00\x04\x80\x00\x00\x00")},
		{RuleFooter, []byte("tenon share 1\n\x00\x00\x04\x01\x00\x00")},
		{RuleAfter, []byte("tenon share 1\n\x00\x00\x04\x00\x00\x00\x00")},
		{RuleCut, []byte("tenon share 1\n\x00\x00\x04\x00\x00")},
		{RuleDots, raw(folder(0, ".."))},
		{RuleChar, raw(folder(0, "a/b"))},
		{RuleParent, raw(folder(1, "a"))},
		{RuleParent, raw(folder(0, "a"), item{kind: File, suffix: []byte("b"), root: EmptyRoot}, folder(1, "c"))},
		{RuleOrder, raw(folder(0, "b"), folder(0, "a"))},
		{RuleOrder, raw(folder(0, "a"), item{kind: Dir, shared: 1})},
		{RulePrefix, raw(folder(0, "abc"), folder(0, "abd"))},
		{RuleKind, raw(item{kind: 5, suffix: []byte("a")})},
		{RuleKind, raw(item{kind: File, holes: true, suffix: []byte("a"), root: EmptyRoot})},
		{RuleRaw, raw(folder(0, "\xff"))},
		{RuleRaw, raw(item{kind: Dir, raw: true, suffix: []byte("a")})},
		{RuleMode, raw(item{kind: Dir, suffix: []byte("a"), mode: 0o1755})},
		{RuleSize, raw(item{kind: File, suffix: []byte("a"), size: -1})},
		{RuleTarget, raw(item{kind: Symlink, suffix: []byte("a")})},
	} {
		all = append(all, fmt.Sprintf("refused %s\n%s", c.rule, wrap(c.b)))
	}
	return all
}

// wrap writes bytes in hexadecimal, 64 a line.
func wrap(b []byte) string {
	var s strings.Builder
	for ; len(b) > 64; b = b[64:] {
		fmt.Fprintf(&s, "  %x\n", b[:64])
	}
	fmt.Fprintf(&s, "  %x\n", b)
	return s.String()
}

// quote keeps what is visible as it is.
func quote(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 || r < ' ' || r == 0x7f || r == '"' || r == '\\' {
			fmt.Fprintf(&b, `\x%02x`, s[0])
		} else {
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return `"` + b.String() + `"`
}

func describe(e Entry) string {
	switch e.Kind {
	case Dir:
		return fmt.Sprintf("dir %s %#o %d", quote(e.Path), e.Mode, e.ModTime)
	case Symlink:
		return fmt.Sprintf("symlink %s %d %s", quote(e.Path), e.ModTime, quote(e.Target))
	}
	s := fmt.Sprintf("file %s %#o %d %d %x", quote(e.Path), e.Mode, e.ModTime, e.Size, e.Root)
	if e.Holes {
		s += " holes"
	}
	return s
}

func describeAll(name string, manifest []byte, entries []Entry) string {
	var b strings.Builder
	fmt.Fprintf(&b, "manifest %s\n%s", name, wrap(manifest))
	for _, e := range entries {
		fmt.Fprintln(&b, describe(e))
	}
	return b.String()
}

// The file is what other programs may be checked with. It is read as they would read
// it, and written only by "go test -update".
func TestGolden(t *testing.T) {
	largeManifest := encode(t, 0, large()...)
	largeText := fmt.Sprintf("large %s\n%d bytes, SHA-256 %x\n", largeRule, len(largeManifest), sha256.Sum256(largeManifest))
	if *update {
		parts := []string{goldenIntro}
		for _, name := range []string{"empty", "one file", "every kind", "front coding", "deep and back"} {
			parts = append(parts, describeAll(name, encode(t, 0, golden()[name]...), golden()[name]))
		}
		parts = append(append(parts, largeText), brokenOnes()...)
		if err := os.WriteFile(goldenPath, []byte(strings.Join(parts, "\n")), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(goldenPath)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for i, part := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n\n") {
		if part += "\n"; i == 0 {
			continue
		}
		first, rest, _ := strings.Cut(part, "\n")
		sort, what, _ := strings.Cut(first, " ")
		seen[sort]++
		var inHex strings.Builder
		for strings.HasPrefix(rest, "  ") {
			line, after, _ := strings.Cut(rest, "\n")
			inHex.WriteString(line[2:])
			rest = after
		}
		manifest, err := hex.DecodeString(inHex.String())
		if err != nil {
			t.Fatal(err)
		}
		got, err := decode(0, manifest)
		switch sort {
		case "large":
			if part != largeText {
				t.Errorf("the large one is\n%s, want\n%s", part, largeText)
			}
		case "refused":
			if !errors.Is(err, Rule(what)) {
				t.Errorf("%x: %v, want %s", manifest, err, what)
			}
		case "manifest":
			if all := describeAll(what, manifest, got); err != nil || all != part {
				t.Errorf("%s is\n%s, want\n%s (%v)", what, all, part, err)
			}
			if again := encode(t, 0, golden()[what]...); string(again) != string(manifest) {
				t.Errorf("%s is written\n%x, want\n%x", what, again, manifest)
			}
		}
	}
	if seen["manifest"] != len(golden()) || seen["large"] != 1 || seen["refused"] != len(brokenOnes()) {
		t.Errorf("the file has %v", seen)
	}
}
