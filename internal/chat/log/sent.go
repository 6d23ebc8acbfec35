package log

import (
	"context"
	"database/sql"
	"errors"
	"slices"
)

// A Sent is an event as it is sent: what is never erased, and what is left of the payload behind it.
type Sent struct {
	Key
	Bytes []byte
}

const (
	sentColumns = `e.time, e.id, e.bytes, e.payload`
	sentEvents  = asked + `SELECT ` + sentColumns + ofAsked
	sentRun     = `SELECT ` + sentColumns + ` FROM chat_events e WHERE room = ?1 AND (time, id) >= (?2, ?3) ORDER BY time, id LIMIT ?4`
	timeOf      = `SELECT time FROM chat_events INDEXED BY chat_by_id WHERE substr(id, 1, 8) = substr(?1, 1, 8) AND id = ?1 AND room = ?2`

	shortRun = 4 // events; what is not more is as well found one by one
)

// Sent returns those of the events that are there, in the order asked for. What others lack is mostly all that was said in a
// while, and asked for in its order: then it is read as it stands in the table, and not found one by one.
func (r *Room) Sent(ctx context.Context, ids ...ID) (all []Sent, err error) {
	all = make([]Sent, 0, len(ids))
	err = r.log.db.View(ctx, func(tx *sql.Tx) error {
		for len(ids) > shortRun {
			found, err := r.run(ctx, tx, &all, ids)
			if err != nil {
				return err
			}
			if ids = ids[found:]; found <= shortRun {
				break
			}
		}
		if len(ids) == 0 {
			return nil
		}
		return r.log.sent(ctx, tx, func(x Sent) bool {
			all = append(all, x)
			return true
		}, sentEvents, r.n, join(ids))
	})
	return all, err
}

// run appends the events that follow the first one as the IDs do, and returns how many these are: 0 if that one is not there.
func (r *Room) run(ctx context.Context, tx *sql.Tx, all *[]Sent, ids []ID) (found int, err error) {
	var time int64
	err = tx.QueryRowContext(ctx, timeOf, ids[0][:], r.n).Scan(&time)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return 0, nil
	case err != nil:
		return 0, err
	}
	err = r.log.sent(ctx, tx, func(x Sent) bool {
		if x.ID != ids[found] {
			return false
		}
		found++
		*all = append(*all, x)
		return true
	}, sentRun, r.n, time, ids[0][:], len(ids))
	return found, err
}

// sent calls f with what a query finds, until it is false.
func (l *Log) sent(ctx context.Context, tx *sql.Tx, f func(Sent) bool, query string, args ...any) error {
	rows, err := l.query(ctx, tx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	for rows.Next() {
		var x Sent
		var id, head, payload sql.RawBytes
		if err := rows.Scan(&x.Time, &id, &head, &payload); err != nil {
			return err
		}
		copy(x.ID[:], id)
		if x.Bytes = slices.Concat(head, payload); !f(x) {
			break
		}
	}
	return rows.Err()
}
