package log

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// What is found by the beginning of a word is the same whether it is found among the latest messages or in all of them: the last ones that
// have such a word, page by page.
func TestBeginnings(t *testing.T) {
	r := room(t, open(t, t.TempDir()), "room")
	rnd := rand.New(rand.NewPCG(3, 3))
	words := []string{"thema", "Thesis", "theatre", "thé", "the\u0301orie", "thin", "other", "tho"}
	const messages, pages = maxCandidates + 500, 2
	has := map[string][]int{} // by a word, the messages that have it
	var events []Event
	for n := range messages {
		text := ""
		for _, i := range []int{rnd.IntN(len(words)), n * len(words) / messages} {
			text += words[i] + " "
			if all := has[words[i]]; len(all) == 0 || all[len(all)-1] != n {
				has[words[i]] = append(all, n)
			}
		}
		text += "tail"
		e := said(n, text)
		e.Author = id(fmt.Sprint("author ", n%2))
		events = append(events, e)
	}
	add(t, r, events...)
	for _, c := range []struct {
		query Query
		words []string
	}{
		{Query{Text: "the*"}, []string{"thema", "Thesis", "theatre", "thé", "the\u0301orie"}},
		{Query{Text: "THE", Prefix: true}, []string{"thema", "Thesis", "theatre", "thé", "the\u0301orie"}},
		{Query{Text: "the\u0301o*"}, []string{"the\u0301orie"}},
		{Query{Text: "them*"}, []string{"thema"}}, // in the oldest messages most
		{Query{Text: "them* tail"}, []string{"thema"}},
		{Query{Text: "tho* tai*"}, []string{"tho"}},
		{Query{Text: `"other tai"*`}, nil}, // words that follow each other
		{Query{Text: "thes*", Author: id("author 1")}, []string{"Thesis"}},
		{Query{Text: "thx*"}, []string{}},
	} {
		limit := 20 // there are enough among the first candidates
		if c.query.Author == (ID{}) && strings.HasPrefix(c.query.Text, "th") {
			limit = 300 // or among more
		}
		t.Run(c.query.Text, func(t *testing.T) {
			var want []int
			for n := range messages {
				in := slices.ContainsFunc(c.words, func(w string) bool { _, ok := slices.BinarySearch(has[w], n); return ok })
				if c.words == nil {
					in = strings.HasSuffix(events[n].Text, "other tail")
				}
				if in && (c.query.Author == ID{} || n%2 == 1) {
					want = append(want, n)
				}
			}
			slices.Reverse(want)
			want = want[:min(len(want), pages*limit)]
			var got []int
			q := c.query
			q.Limit = limit
			for range pages {
				page, older, err := r.Search(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				for i := range page {
					got = append(got, int(page[i].Time>>16)-1)
				}
				if q.Older = older; older == 0 {
					break
				}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%d messages in place of %d", len(got), len(want))
			}
		})
	}
}
