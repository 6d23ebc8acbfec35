package log

import (
	"context"
	"database/sql"
	"encoding/hex"
	"slices"
	"strings"
)

const arrivedAfter = `SELECT e.n, ` + columns + ` FROM chat_events e WHERE n > ? AND n <= ? ORDER BY n LIMIT ?`

// Arrived returns events in the order in which they came, also those that are not shown, above a number of
// this room, and the number of the last: who goes on from there misses none, and gets none twice.
func (r *Room) Arrived(ctx context.Context, after int64, limit int) (events []Event, last int64, err error) {
	last = after
	err = r.log.db.View(ctx, func(tx *sql.Tx) error {
		var numbers []int64
		events, err = r.log.rows(ctx, tx, &numbers, arrivedAfter,
			r.first()+max(after, 0), r.last(), min(limit, MaxPage))
		if n := len(numbers); n > 0 {
			last = numbers[n-1] - r.first()
		}
		return err
	})
	return events, last, err
}

// Latest returns the number of the event that came last; 0 if there is none.
func (r *Room) Latest(ctx context.Context) (n int64, err error) {
	err = r.log.db.View(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `SELECT coalesce(max(n), ?1) - ?1 FROM chat_events WHERE n > ?1 AND n <= ?2`, r.first(), r.last()).Scan(&n)
	})
	return n, err
}

// Find returns events whose IDs begin with these hexadecimal digits, at most limit.
func (r *Room) Find(ctx context.Context, digits string, limit int) (ids []ID, err error) {
	digits = strings.ToLower(digits)
	from, err1 := edge(digits, "0")
	to, err2 := edge(digits, "f")
	if err1 != nil || err2 != nil || len(digits) > 64 {
		return nil, nil
	}
	err = r.log.db.View(ctx, func(tx *sql.Tx) error {
		return r.log.each(ctx, tx, `SELECT id FROM chat_events INDEXED BY chat_by_id WHERE substr(id, 1, 8) BETWEEN ? AND ? AND room = ?`, func(scan func(...any) error) error {
			var b []byte
			if err := scan(&b); err != nil {
				return err
			}
			if strings.HasPrefix(hex.EncodeToString(b), digits) && len(ids) < limit {
				ids = append(ids, ID(b))
			}
			return nil
		}, from, to, r.n)
	})
	return ids, err
}

// edge returns the 8 bytes with which an ID begins that begins with these digits, and goes on with fill.
func edge(digits, fill string) ([]byte, error) {
	return hex.DecodeString((digits + strings.Repeat(fill, 16))[:16])
}

// Pins returns the last events of kind 133, the latest first.
func (r *Room) Pins(ctx context.Context, limit int) ([]Event, error) {
	return r.read(ctx, `SELECT `+columns+` FROM chat_events e INDEXED BY chat_pins WHERE room = ? AND kind = 133 ORDER BY time DESC, id DESC LIMIT ?`,
		r.n, min(limit, MaxPage))
}

// Files returns the last events of kind 132 that are shown, in order.
func (r *Room) Files(ctx context.Context, limit int) ([]Event, error) {
	events, err := r.read(ctx, `SELECT `+columns+` FROM chat_events e INDEXED BY chat_files WHERE room = ? AND kind = 132 AND status IN (1, 4) ORDER BY time DESC, id DESC LIMIT ?`,
		r.n, min(limit, MaxPage))
	slices.Reverse(events)
	return events, err
}

// AllMarks returns how far devices have got, those that were put.
func (r *Room) AllMarks(ctx context.Context) (all []Mark, err error) {
	for last := int64(0); ; {
		part, next, err := r.Marks(ctx, last, MaxPage)
		if err != nil || len(part) == 0 {
			return all, err
		}
		all, last = append(all, part...), next
	}
}
