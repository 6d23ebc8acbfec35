package log

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Query is what is searched for. What is in it is text of people: no text is an error.
type Query struct {
	// Text has words, all of which must be there; a word that ends in * stands for all that
	// begin so, with at least two letters, and "in quotes" are words that follow each other. Case and accents do not matter. Of writing
	// that has no spaces between words any part is found.
	Text   string
	Author ID    // if it is not zero, who has written it
	Prefix bool  // the last word may be the beginning of one, as somebody types it
	Older  int64 // than the last result of a search before; 0 = from the newest on
	Limit  int
}

const (
	maxQuery = 1 << 10 // bytes
	maxTerms = 32

	// minPrefix is how many letters the beginning of a word must have: what begins with one letter may be
	// every message of a room.
	minPrefix = 2
)

// Search returns events that are shown, those that came last first, and a number for the next search. It
// is 0 if there is nothing more.
func (r *Room) Search(ctx context.Context, q Query) (events []Event, older int64, err error) {
	return r.log.search(ctx, q, r.first(), r.last())
}

// Search is [Room.Search] in all rooms.
func (l *Log) Search(ctx context.Context, q Query) (events []Event, older int64, err error) {
	return l.search(ctx, q, 0, 1<<63-1)
}

// A search is a Query, as it is asked.
type search struct {
	match       string
	first, last int64 // numbers of events
	limit       int
}

// matching are events that an expression finds, those that came last first.
const matching = ` FROM chat_text JOIN chat_events e ON e.n = chat_text.rowid
	WHERE chat_text MATCH ? AND chat_text.rowid BETWEEN ? AND ? AND e.status IN (1, 4) ORDER BY chat_text.rowid DESC LIMIT ?`

func (l *Log) search(ctx context.Context, q Query, first, last int64) (events []Event, older int64, err error) {
	if q.Older != 0 {
		last = min(last, q.Older-1)
	}
	var author int64
	if q.Author != (ID{}) {
		err := l.db.View(ctx, func(tx *sql.Tx) error {
			return tx.QueryRowContext(ctx, `SELECT coalesce((SELECT n FROM chat_names WHERE id = ?), 0)`, q.Author[:]).Scan(&author)
		})
		if err != nil || author == 0 {
			return nil, 0, err
		}
	}
	terms := q.terms()
	x := search{expression(terms, author), first, last, max(min(q.Limit, MaxPage), 1)}
	if x.match == "" {
		return nil, 0, nil
	}
	var numbers []int64
	enough := false
	if short, longer := shorten(terms); longer {
		if numbers, enough, err = l.lately(ctx, x, expression(short, author)); err != nil {
			return nil, 0, err
		}
	}
	err = l.db.View(ctx, func(tx *sql.Tx) error {
		if !enough {
			numbers = nil
			events, err = l.rows(ctx, tx, &numbers, `SELECT e.n, `+columns+matching, x.match, x.first, x.last, x.limit)
			return err
		}
		for _, n := range numbers {
			one, err := l.rows(ctx, tx, nil, getNumber, n)
			if err != nil {
				return err
			}
			events = append(events, one...)
		}
		return nil
	})
	if len(numbers) == x.limit {
		older = numbers[x.limit-1]
	}
	return events, older, err
}

const getNumber = `SELECT ` + columns + ` FROM chat_events e WHERE n = ? AND status IN (1, 4) AND text IS NOT NULL`

// terms returns what a query looks for, each word or phrase quoted.
func (q *Query) terms() []string {
	terms := terms(q.Text)
	if q.Prefix && len(terms) > 0 && strings.HasSuffix(terms[len(terms)-1], `"`) && letters(terms[len(terms)-1]) >= minPrefix {
		terms[len(terms)-1] += "*"
	}
	return terms
}

// expression writes a query in the language of FTS5. It is empty if nothing is searched for.
func expression(terms []string, author int64) string {
	var all []string
	if author != 0 {
		all = append(all, `author : "`+strconv.FormatInt(author, 10)+`"`)
	}
	if len(terms) > 0 {
		all = append(all, "text : ("+strings.Join(terms, " AND ")+")")
	}
	return strings.Join(all, " AND ")
}

// terms returns the words and phrases of a text, each quoted.
func terms(text string) (terms []string) {
	if len(text) > maxQuery {
		text = text[:maxQuery]
	}
	text = strings.ToValidUTF8(text, " ")
	for text != "" && len(terms) < maxTerms {
		var term string
		if rest, ok := strings.CutPrefix(text, `"`); ok {
			term, text, _ = strings.Cut(rest, `"`)
		} else {
			end := strings.IndexFunc(text, func(r rune) bool { return unicode.IsSpace(r) || r == '"' })
			if end < 0 {
				end = len(text)
			}
			term, text = text[:end], text[end:]
		}
		text = strings.TrimLeftFunc(text, unicode.IsSpace)
		// What has no letter and no digit in it is nothing that could be found.
		if !strings.ContainsFunc(term, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }) {
			continue
		}
		term = separate(term)
		beginning := (strings.HasSuffix(term, "*") || strings.HasPrefix(text, "*")) && letters(term) >= minPrefix
		text = strings.TrimPrefix(text, "*")
		term = `"` + strings.ReplaceAll(term, "\x00", " ") + `"`
		if beginning {
			term += "*"
		}
		terms = append(terms, term)
	}
	return terms
}

// letters returns how many letters and digits the last word of a term has.
func letters(term string) (n int) {
	words := strings.FieldsFunc(term, notOfWord)
	if len(words) > 0 {
		n = utf8.RuneCountInString(words[len(words)-1])
	}
	return n
}

func notOfWord(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r)
}
