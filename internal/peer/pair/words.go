package pair

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
)

//go:embed words.txt
var wordsFile string

// list is the list of words, in order, which is that of the alphabet.
var list = sync.OnceValue(func() []string {
	var all []string
	for line := range strings.Lines(wordsFile) {
		if !strings.HasPrefix(line, "#") {
			all = append(all, strings.TrimSpace(line))
		}
	}
	return all
})

// wordBits is how many bits a word stands for.
const wordBits = 11

// lookUp finds the word that somebody has typed: itself, its first letters, four at
// least, or the only word that it is one slip away from.
func lookUp(typed string) (index int, exact bool) {
	all := list()
	i, found := slices.BinarySearch(all, typed)
	if found {
		return i, true
	}
	if len(typed) >= 4 && i < len(all) && strings.HasPrefix(all[i], typed) {
		return i, true // no other word begins so
	}
	near := -1
	for i, w := range all {
		if slips(typed, w, 1) <= 1 {
			if near >= 0 {
				return -1, false
			}
			near = i
		}
	}
	return near, false
}

// nearest returns up to three words that somebody may have meant.
func nearest(typed string) []string {
	var near []string
	for most := 1; most <= 2; most++ {
		for _, w := range list() {
			if len(near) < 3 && slips(typed, w, most) == most {
				near = append(near, w)
			}
		}
	}
	return near
}

// Complete returns the words that begin with what has been typed so far, for a
// prompt.
func Complete(typed string) []string {
	all := list()
	typed = strings.ToLower(typed)
	from, _ := slices.BinarySearch(all, typed)
	to := from
	for to < len(all) && strings.HasPrefix(all[to], typed) {
		to++
	}
	return slices.Clone(all[from:to])
}

// slips counts the slips between two words, up to most and one more: letters that
// are wrong, missing or too many, and neighbours that changed places
// (Damerau-Levenshtein, optimal string alignment).
func slips(a, b string, most int) int {
	var rows [3][32]int
	if len(a)-len(b) > most || len(b)-len(a) > most || len(b) >= len(rows[0]) {
		return most + 1
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		row, above, above2 := &rows[i%3], &rows[(i+2)%3], &rows[(i+1)%3]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			wrong := above[j-1]
			if a[i-1] != b[j-1] {
				wrong++
			}
			row[j] = min(wrong, above[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], above2[j-2]+1)
			}
		}
	}
	return rows[len(a)%3][len(b)]
}
