package rooms

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tenon-net/tenon/internal/chat"
	"github.com/tenon-net/tenon/internal/chat/event"
)

// mentionsIn returns the members that a text names, as @alice, outside of code. Names are those by which the user
// calls them; the longest that fits counts.
func mentionsIn(text string, names *names, i *chat.Info) (all []event.Identity) {
	if !strings.Contains(text, "@") {
		return nil
	}
	type called struct {
		name string
		who  event.Identity
	}
	var known []called
	for _, m := range i.Members {
		known = append(known, called{names.call(m.Identity), m.Identity})
	}
	slices.SortFunc(known, func(a, b called) int { return cmp.Compare(len(b.name), len(a.name)) })
	before := ' '
	for rest := withoutCode(text); rest != ""; {
		r, n := utf8.DecodeRuneInString(rest)
		rest = rest[n:]
		if r == '@' && !inName(before) {
			for _, k := range known {
				if begin, ok := cutFold(rest, k.name); ok && len(all) < event.MaxMentions && !slices.Contains(all, k.who) {
					all, rest, r = append(all, k.who), rest[begin:], 'x'
					break
				} else if ok {
					break
				}
			}
		}
		before = r
	}
	return all
}

// cutFold tells whether a text begins with a name that ends there, and where.
func cutFold(text, name string) (end int, ok bool) {
	if len(text) < len(name) || !strings.EqualFold(text[:len(name)], name) {
		return 0, false
	}
	next, _ := utf8.DecodeRuneInString(text[len(name):])
	return len(name), text[len(name):] == "" || !inName(next)
}

// inName tells whether a name goes on with r. Marks like . may end a sentence.
func inName(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.M, r) || r == '_' || r == '~'
}

// withoutCode replaces code, which is between as many backquotes on both sides, by blanks.
func withoutCode(text string) string {
	var b strings.Builder
	for text != "" {
		at := strings.IndexByte(text, '`')
		if at < 0 {
			break
		}
		n := ticks(text[at:])
		end := closing(text[at+n:], n)
		if end < 0 { // it is not closed
			b.WriteString(text[:at+n])
			text = text[at+n:]
			continue
		}
		b.WriteString(text[:at])
		b.WriteByte(' ')
		text = text[at+n+end+n:]
	}
	b.WriteString(text)
	return b.String()
}

// ticks counts the backquotes at the beginning.
func ticks(text string) int { return len(text) - len(strings.TrimLeft(text, "`")) }

// closing returns where the first run of exactly n backquotes is, or -1.
func closing(text string, n int) int {
	for at := 0; ; {
		i := strings.IndexByte(text[at:], '`')
		if i < 0 {
			return -1
		}
		at += i
		m := ticks(text[at:])
		if m == n {
			return at
		}
		at += m
	}
}
