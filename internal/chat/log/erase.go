package log

import (
	"context"
	"database/sql"
)

// Which events a statement erases the payloads of.
const (
	byID    = `substr(id, 1, 8) = substr(?1, 1, 8) AND id = ?1 AND room = ?2`
	byTime  = `n IN (SELECT n FROM chat_events WHERE room = ?2 AND time < ?1 AND payload IS NOT NULL AND flags & 2 = 0 LIMIT 1000)`
	byDue   = `n IN (SELECT n FROM chat_events WHERE due <= ?1 AND room = ?2 LIMIT 1000)`
	wordsOf = `INSERT INTO chat_text (chat_text, rowid, text, author) SELECT 'delete', n, text, author FROM chat_events WHERE text IS NOT NULL AND `
	payload = `UPDATE chat_events SET payload = NULL, text = NULL, due = NULL WHERE `
)

// erase erases payloads, with the words by which they were found, and returns how many there were.
func erase(ctx context.Context, tx *sql.Tx, which string, args ...any) (n int, err error) {
	if _, err := tx.ExecContext(ctx, wordsOf+which, args...); err != nil {
		return 0, err
	}
	res, err := tx.ExecContext(ctx, payload+which, args...)
	if err != nil {
		return 0, err
	}
	changed, err := res.RowsAffected()
	return int(changed), err
}

// Erase erases the payloads of events; what they are and what they follow stays.
func (r *Room) Erase(ctx context.Context, ids ...ID) error {
	return r.log.db.Update(ctx, func(tx *sql.Tx) error {
		for _, id := range ids {
			if _, err := erase(ctx, tx, byID, id[:], r.n); err != nil {
				return err
			}
		}
		return nil
	})
}

// Expire erases the payloads of all events below a time, but those that are to be kept, and of those that
// come later. It goes on in parts, and can be cut.
func (r *Room) Expire(ctx context.Context, before uint64) (erased int, err error) {
	before = min(before, Last.Time)
	var from uint64
	err = r.log.db.Update(ctx, func(tx *sql.Tx) error {
		// What comes meanwhile is erased as it comes, from here on.
		if err := tx.QueryRowContext(ctx, `SELECT expired FROM chat_rooms WHERE n = ?`, r.n).Scan(&from); err != nil || from >= before {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE chat_rooms SET expired = ? WHERE n = ?`, int64(before), r.n)
		return err
	})
	if err != nil {
		return 0, err
	}
	return r.inParts(ctx, byTime, int64(before), r.n)
}

// EraseDue erases the payloads whose time has come.
func (r *Room) EraseDue(ctx context.Context, now uint64) (erased int, err error) {
	return r.inParts(ctx, byDue, int64(min(now, Last.Time)), r.n)
}

func (r *Room) inParts(ctx context.Context, which string, args ...any) (erased int, err error) {
	for {
		var n int
		err := r.log.db.Update(ctx, func(tx *sql.Tx) error {
			n, err = erase(ctx, tx, which, args...)
			return err
		})
		if erased += n; err != nil || n == 0 {
			return erased, err
		}
	}
}

// Sealed returns the 32 bytes at a place of those events, of kinds from one on, whose payloads are there.
func (r *Room) Sealed(ctx context.Context, at int, from byte) (map[ID]bool, error) {
	all := map[ID]bool{}
	return all, r.log.db.View(ctx, func(tx *sql.Tx) error {
		return r.log.each(ctx, tx, `SELECT DISTINCT substr(bytes, ?, 32) FROM chat_events WHERE n BETWEEN ? AND ? AND kind >= ? AND payload IS NOT NULL`, func(scan func(...any) error) error {
			var b []byte
			err := scan(&b)
			if len(b) == 32 {
				all[ID(b)] = true
			}
			return err
		}, at+1, r.first(), r.last(), from)
	})
}
