package log

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"unicode"
)

// What FTS5 does for the beginning of a word is to merge all that there is of all words that begin so, before it has the first result: seconds, where
// these are in most of a million messages. Beginnings of [minPrefix] letters have an index of their own, in which that was done before. So of longer ones
// the latest messages that have a word which begins with the same two letters are looked through first: mostly there are as many
// results among them as are wanted.

// How many messages are looked through: a few, which is enough if most have such a word, and then more.
const firstCandidates, maxCandidates = 200, 1000

const words = `tokenize='unicode61 remove_diacritics 2'`

// shorten returns an expression of FTS5 that finds what the terms find, and more, with beginnings of two letters; false: there is
// none that is longer.
func shorten(terms []string) (short []string, longer bool) {
	for _, t := range terms {
		if begin, ok := strings.CutSuffix(t, `"*`); ok && letters(t) > minPrefix {
			// The last word alone: it is in the message if a phrase is that ends with it.
			words := strings.FieldsFunc(begin, notOfWord)
			t, longer = `"`+firstLetters(words[len(words)-1])+`"*`, true
		}
		short = append(short, t)
	}
	return short, longer
}

// firstLetters returns the first [minPrefix] letters of a word, with marks between them.
func firstLetters(word string) string {
	n := 0
	for i, r := range word {
		if unicode.IsMark(r) {
			continue
		}
		if n == minPrefix {
			return word[:i]
		}
		n++
	}
	return word
}

// lately looks for an expression among the latest messages that a shorter one finds. It returns the numbers of those that are found, the latest first,
// and whether there is no need to look further.
func (l *Log) lately(ctx context.Context, q search, short string) (numbers []int64, enough bool, err error) {
	some, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return nil, false, err
	}
	defer some.Close() //nolint:errcheck // it is gone
	some.SetMaxOpenConns(1)
	tx, err := some.BeginTx(ctx, nil)
	if err != nil {
		return nil, false, err
	}
	defer tx.Rollback() //nolint:errcheck // it is gone
	if _, err := tx.ExecContext(ctx, `CREATE VIRTUAL TABLE some USING fts5(text, author, content='', `+words+`)`); err != nil {
		return nil, false, err
	}
	add, err := tx.PrepareContext(ctx, `INSERT INTO some (rowid, text, author) VALUES (?, ?, ?)`)
	if err != nil {
		return nil, false, err
	}
	look := func() error {
		numbers = numbers[:0]
		return l.each(ctx, tx, `SELECT rowid FROM some WHERE some MATCH ? ORDER BY rowid DESC LIMIT ?`, func(scan func(...any) error) error {
			var n int64
			err := scan(&n)
			numbers = append(numbers, n)
			return err
		}, q.match, q.limit)
	}
	candidates := 0
	err = l.db.View(ctx, func(from *sql.Tx) error {
		return l.each(ctx, from, `SELECT e.n, e.text, e.author`+matching, func(scan func(...any) error) error {
			var n, author int64
			var text sql.RawBytes
			if err := scan(&n, &text, &author); err != nil {
				return err
			}
			if _, err := add.ExecContext(ctx, n, string(text), author); err != nil {
				return err
			}
			if candidates++; candidates != firstCandidates {
				return nil
			}
			if err := look(); err != nil || len(numbers) < q.limit {
				return err
			}
			return errEnough
		}, short, q.first, q.last, maxCandidates)
	})
	if errors.Is(err, errEnough) {
		return numbers, true, nil
	}
	if err == nil {
		err = look()
	}
	return numbers, len(numbers) == q.limit || candidates < maxCandidates, err
}

// errEnough ends a look at messages.
var errEnough = errors.New("there are enough")
