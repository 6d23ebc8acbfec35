package peer

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/tenon-net/tenon/internal/ticket"
)

// MaxName is the length in characters of the longest name.
const MaxName = 32

// ErrName: the text cannot be a name. The error says why.
var ErrName = errors.New("not a name")

// A Name is what this user calls a peer: nobody else's business, and never a proof
// of anything. It is typed, in addresses too, so it has nothing in it that cannot be
// seen or that an address would take for something else: letters of one script,
// digits, and - . _ between them.
type Name string

// reserved are words that commands understand in place of a name.
var reserved = map[string]bool{
	"me": true, "self": true, "paired": true, "anyone": true, "everyone": true, "nobody": true, "all": true, "none": true,
}

// ParseName checks a name that somebody has typed. It is kept as it was typed, in
// the form NFC of Unicode.
func ParseName(text string) (Name, error) {
	bad := func(format string, args ...any) (Name, error) {
		return "", fmt.Errorf("%w: %s", ErrName, fmt.Sprintf(format, args...))
	}
	if !utf8.ValidString(text) || len(text) > 8*MaxName {
		return bad("at most %d letters and digits", MaxName)
	}
	text = norm.NFC.String(text)
	if !norm.NFKC.IsNormalString(text) {
		return bad("%q looks like %q", text, norm.NFKC.String(text))
	}
	letters, last, before := 0, rune(0), rune(0)
	for i, r := range text {
		switch {
		case unicode.IsLetter(r):
			letters++
		case unicode.Is(unicode.M, r) && i > 0 && (unicode.IsLetter(last) || unicode.Is(unicode.M, last) && !unicode.Is(unicode.M, before)):
		case '0' <= r && r <= '9':
		case strings.ContainsRune("-._", r) && i > 0 && !strings.ContainsRune("-._", last):
		default:
			return bad("it has %q where a letter or a digit should be", r)
		}
		before, last = last, r
	}
	switch {
	case letters == 0:
		return bad("there must be a letter in it")
	case utf8.RuneCountInString(text) > MaxName:
		return bad("at most %d letters and digits", MaxName)
	case strings.ContainsRune("-._", last):
		return bad("it ends with %q", last)
	case reserved[Name(text).Key()]:
		return bad("%q means something else", text)
	case ticket.Is(text) || len(text) >= len(idPrefix) && strings.EqualFold(text[:len(idPrefix)], idPrefix):
		return bad("it begins like a ticket or an ID")
	}
	if err := oneScript(text); err != nil {
		return bad("%v", err)
	}
	return Name(text), nil
}

// Key returns what two names have in common that differ in capitals only.
func (n Name) Key() string { return norm.NFC.String(fold(string(n))) }

// fold maps every letter to the same one whatever its case.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		return unicode.ToLower(least)
	}, s)
}

// Resembles tells whether a person may take one name for the other: capitals aside,
// they differ in accents, or in characters that look alike.
func (n Name) Resembles(other Name) bool {
	return n.Key() == other.Key() || n.skeleton() == other.skeleton()
}

// Looks returns two texts such that names resemble each other if they have one of them in common: for who has
// many to compare.
func (n Name) Looks() [2]string { return [2]string{"same " + n.Key(), "like " + n.skeleton()} }

// skeleton is the name as it looks from afar.
func (n Name) skeleton() string {
	var b strings.Builder
	for _, r := range norm.NFD.String(string(n)) {
		switch {
		case unicode.Is(unicode.Mn, r) || strings.ContainsRune("-._", r):
		case r == 'I' || r == '1' || r == 'l':
			b.WriteByte('l')
		case r == '0':
			b.WriteByte('o')
		default:
			if plain := latin(r); plain != 0 {
				r = plain
			}
			b.WriteString(fold(string(r)))
		}
	}
	return strings.NewReplacer("rn", "m", "vv", "w").Replace(b.String())
}

// Suggested makes a name out of what a peer wants to be called, or returns false if
// nothing is left of it. It is a suggestion to the user and nothing else.
func Suggested(text string) (Name, bool) {
	if len(text) > 1024 {
		return "", false
	}
	var b strings.Builder
	n, gap := 0, false
	for _, r := range norm.NFKC.String(strings.ToValidUTF8(text, "")) {
		switch {
		case unicode.IsLetter(r) || '0' <= r && r <= '9' || unicode.Is(unicode.Mn, r) && n > 0 && !gap:
			if gap && n > 0 {
				b.WriteByte('-')
				n++
			}
			b.WriteRune(r)
			n, gap = n+1, false
		case unicode.IsSpace(r) || unicode.IsPunct(r):
			gap = true
		}
		if n >= MaxName-1 {
			break
		}
	}
	name, err := ParseName(b.String())
	return name, err == nil
}

// MaxService is the length in bytes of the longest name of a service.
const MaxService = 63

// A Service is the name of what a peer offers. Other peers say it, so it is plain:
// lower case ASCII letters, digits, and - . _ between them.
type Service string

// Hold is granted like a service to those who may have sealed copies of their shares held.
const Hold Service = "hold"

// ParseService checks the name of a service; capitals become small letters.
func ParseService(text string) (Service, error) {
	s := []byte(text)
	if len(s) == 0 || len(s) > MaxService {
		return "", fmt.Errorf("%w of a service: it has %d characters, and may have 1 to %d", ErrName, len(s), MaxService)
	}
	for i, c := range s {
		switch {
		case 'A' <= c && c <= 'Z':
			s[i] += 'a' - 'A'
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		case (c == '-' || c == '.' || c == '_') && i > 0 && i < len(s)-1:
		default:
			return "", fmt.Errorf("%w of a service: %q has %q at %d", ErrName, text, rune(c), i+1)
		}
	}
	return Service(s), nil
}
