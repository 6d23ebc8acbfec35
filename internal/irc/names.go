package irc

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ergochat/irc-go/ircmsg"
)

// Lengths in bytes, which clients are told.
const (
	maxNick    = 64
	maxChannel = 80
	maxTopic   = 390
	maxAway    = 200
)

// fold maps names that are the same to the same: clients are told CASEMAPPING=ascii.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// alike maps names that a person may take for each other to the same.
func alike(s string) string { return strings.ToLower(s) }

// safeNick makes a nick of a name: letters, digits, "-" and "_", and no digit or "-" in front. A "~" is what a node puts between a
// name and an ID when two look the same; nobody can call himself so.
func safeNick(name string) string {
	s := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.M, r) || r == '-' || r == '_' || r == '~' {
			return r
		}
		return '_'
	}, strings.ToValidUTF8(name, "_"))
	if first, _ := utf8.DecodeRuneInString(s); s == "" || first == '-' || first == '~' || unicode.IsDigit(first) || unicode.Is(unicode.M, first) {
		s = "_" + s
	}
	return ircmsg.TruncateUTF8Safe(s, maxNick-maxSuffix)
}

// safeChannel makes the name of a channel of that of a room: nothing in it that a client or a server takes for
// something else.
func safeChannel(name string) string {
	s := strings.Map(func(r rune) rune {
		switch {
		case strings.ContainsRune(" ,:*?!@#&~", r) || unicode.IsSpace(r):
			return '-'
		case unicode.IsPrint(r):
			return r
		}
		return '-'
	}, strings.ToValidUTF8(name, "-"))
	if s = strings.Trim(s, "-"); s == "" {
		s = "room"
	}
	return "#" + ircmsg.TruncateUTF8Safe(s, maxChannel-maxSuffix-1)
}

// A named is what needs a name of its own.
type named struct {
	id    string
	name  string // safe
	first bool   // of those that are alike it keeps its name
}

// maxSuffix is the length of the longest suffix of distinct.
const maxSuffix = 17

// distinct gives all of them different names, by their IDs. Those that are alike get a suffix, "~" and the beginning of the ID, all of them,
// whoever was there before: a name never means somebody else than it did. But if exactly one is to keep its name it does.
func distinct(all []named) map[string]string {
	groups := map[string][]named{}
	for _, n := range all {
		groups[alike(n.name)] = append(groups[alike(n.name)], n)
	}
	out, used := make(map[string]string, len(all)), map[string]bool{}
	var rest []named
	for _, g := range groups {
		firsts := 0
		for _, n := range g {
			if n.first {
				firsts++
			}
		}
		for _, n := range g {
			if len(g) == 1 || n.first && firsts == 1 {
				out[n.id], used[alike(n.name)] = n.name, true
			} else {
				rest = append(rest, n)
			}
		}
	}
	slices.SortFunc(rest, func(a, b named) int { return cmp.Compare(a.id, b.id) })
	for _, n := range rest {
		name := suffixed(n.name, n.id, func(s string) bool { return used[alike(s)] })
		out[n.id], used[alike(name)] = name, true
	}
	return out
}

// suffixed adds as much of the ID as it takes for a name that is not used.
func suffixed(name, id string, used func(string) bool) string {
	id = bare(id)
	for n := 4; ; n++ {
		s := name + "~" + id[:min(n, len(id))]
		if !used(s) || n >= maxSuffix-1 || n >= len(id) {
			return s
		}
	}
}

// bare is an ID without what all IDs of its sort begin with, in letters and digits.
func bare(id string) string {
	for _, prefix := range []string{"tenonid1"} {
		id = strings.TrimPrefix(id, prefix)
	}
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' {
			return r
		}
		return -1
	}, id)
}

// head is the beginning of an ID, as users, hosts and accounts have it.
func head(id string, n int) string {
	if id = bare(id); id == "" {
		return "none"
	}
	return id[:min(n, len(id))]
}
