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

// fewIDs is how many events are not worth to be looked for in a row.
const fewIDs = 4

// selectRun has events that follow each other. It is the statement that costs most when others catch up.
const selectRun = `SELECT time, id, bytes, payload FROM chat_events WHERE room = ?1 AND (time, id) >= (?2, ?3) ORDER BY time, id LIMIT ?4`

// Sent returns those of the events that are there, in the order asked for. What others lack is mostly all that was said in a
// while, and asked for in its order: then it is read as it stands in the table, and not found one by one.
func (r *Room) Sent(ctx context.Context, ids ...ID) (all []Sent, err error) {
	all = make([]Sent, 0, len(ids))
	err = r.log.db.View(ctx, func(tx *sql.Tx) error {
		for len(ids) > fewIDs {
			found, err := r.run(ctx, tx, &all, ids)
			if err != nil {
				return err
			}
			ids = ids[found:]
			if found < fewIDs {
				break
			}
		}
		for part := range slices.Chunk(ids, idsPart) {
			where, args := r.byIDs("id", part)
			at := make(map[ID]Sent, len(part))
			err := sent(func(x Sent) bool { at[x.ID] = x; return true }, func() (*sql.Rows, error) {
				return tx.QueryContext(ctx, `SELECT time, id, bytes, payload FROM chat_events INDEXED BY chat_by_id WHERE `+where, args...)
			})
			if err != nil {
				return err
			}
			for _, id := range part {
				if x, ok := at[id]; ok {
					all = append(all, x)
				}
			}
		}
		return nil
	})
	return all, err
}

// run appends the events that follow the first one as the IDs do, and returns how many these are: 0 if that one is not there.
func (r *Room) run(ctx context.Context, tx *sql.Tx, all *[]Sent, ids []ID) (found int, err error) {
	var time int64
	err = tx.QueryRowContext(ctx, `SELECT time FROM chat_events INDEXED BY chat_by_id WHERE substr(id, 1, 8) = substr(?1, 1, 8) AND id = ?1 AND room = ?2`,
		ids[0][:], r.n).Scan(&time)
	if err != nil {
		if errors.Is(err, sql.ErrNoRows) {
			err = nil
		}
		return 0, err
	}
	err = sent(func(x Sent) bool {
		if x.ID != ids[found] {
			return false
		}
		found++
		*all = append(*all, x)
		return true
	}, func() (*sql.Rows, error) {
		return r.log.stmt(ctx, tx, selectRun).QueryContext(ctx, r.n, time, ids[0][:], len(ids))
	})
	return found, err
}

// sent calls f with what a query has found, until it is false.
func sent(f func(Sent) bool, query func() (*sql.Rows, error)) error {
	rows, err := query()
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
		x.Bytes = slices.Concat(head, payload)
		if !f(x) {
			break
		}
	}
	return rows.Err()
}
