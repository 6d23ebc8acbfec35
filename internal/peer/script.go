package peer

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// together are scripts that are written in one word.
var together = [][]string{
	{"Han", "Hiragana", "Katakana"}, // Japanese
	{"Han", "Hangul"},               // Korean
	{"Han", "Bopomofo"},             // Chinese
}

// oneScript refuses a word that mixes scripts, such as Latin with a Cyrillic а, or
// whose letters all look like Latin ones though they are others (UTS #39, sections
// 5.2 and 4).
func oneScript(word string) error {
	var scripts []string
	alike := true
	for _, r := range word {
		s := script(r)
		if s == "Common" || s == "Inherited" {
			continue
		}
		if !slices.Contains(scripts, s) {
			scripts = append(scripts, s)
		}
		if s == "Latin" {
			if r > 0x24f && (r < 0x1e00 || r > 0x1eff) {
				return fmt.Errorf("%q is a letter that looks like another", r)
			}
			alike = false
		} else if latin(r) == 0 {
			alike = false
		}
	}
	mixed := len(scripts) > 1 && !slices.ContainsFunc(together, func(set []string) bool {
		return !slices.ContainsFunc(scripts, func(s string) bool { return !slices.Contains(set, s) })
	})
	switch {
	case mixed:
		return fmt.Errorf("%q has letters of more than one script: %s", word, strings.Join(scripts, ", "))
	case alike && len(scripts) > 0:
		return fmt.Errorf("%q has %s letters, all of which look like Latin ones", word, scripts[0])
	}
	return nil
}

func script(r rune) string {
	if unicode.Is(unicode.Latin, r) {
		return "Latin"
	}
	for name, table := range unicode.Scripts {
		if unicode.Is(table, r) {
			return name
		}
	}
	return "Unknown"
}

// Letters of other scripts that look like Latin ones, in the order of the line
// below each.
const (
	alikeOthers = "АВЕЅІЈКМНОРСТУХЬаеѕіјорсухԁһӏԛԝ" + "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧοανιυρκ" + "ՕՍոսօ"
	alikeLatin  = "ABESIJKMHOPCTYXbaesijopcyxdhlqw" + "ABEZHIKMNOPTYXoaviupk" + "OUnuo"
)

// latin returns the Latin letter that r looks like, or 0.
func latin(r rune) rune {
	i := 0
	for _, other := range alikeOthers {
		if other == r {
			return rune(alikeLatin[i])
		}
		i++
	}
	return 0
}
