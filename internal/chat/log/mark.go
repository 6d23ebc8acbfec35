package log

import (
	"context"
	"database/sql"
	"errors"
)

// A Mark says how far a device has got in a room. Of two of one device the one with the greater
// Stamp counts.
type Mark struct {
	Device    ID
	Stamp     uint64
	Read      Key
	Delivered Key
	Bytes     []byte // as it was signed
}

// PutMarks keeps those marks that are newer than what there is, and returns them.
func (r *Room) PutMarks(ctx context.Context, marks ...Mark) (newer []Mark, err error) {
	return r.putMarks(ctx, r.log.db.Update, marks)
}

// PutMarksOfOthers is PutMarks without waiting for the disk: others tell them again.
func (r *Room) PutMarksOfOthers(ctx context.Context, marks ...Mark) (newer []Mark, err error) {
	return r.putMarks(ctx, r.log.db.UpdateSoon, marks)
}

func (r *Room) putMarks(ctx context.Context, update update, marks []Mark) (newer []Mark, err error) {
	err = update(ctx, func(tx *sql.Tx) error {
		newer = nil
		for _, m := range marks {
			if m.Stamp > Last.Time || m.Read.Time > Last.Time || m.Delivered.Time > Last.Time {
				continue
			}
			res, err := tx.ExecContext(ctx, `INSERT INTO chat_marks VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, `+nextRow+`)
				ON CONFLICT (room, device) DO UPDATE SET stamp = excluded.stamp, read_time = excluded.read_time, read_id = excluded.read_id,
				delivered_time = excluded.delivered_time, delivered_id = excluded.delivered_id, bytes = excluded.bytes, n = excluded.n
				WHERE excluded.stamp > stamp`,
				r.n, m.Device[:], int64(m.Stamp), int64(m.Read.Time), m.Read.ID[:], int64(m.Delivered.Time), m.Delivered.ID[:], m.Bytes)
			if err != nil {
				return err
			}
			if n, _ := res.RowsAffected(); n > 0 {
				newer = append(newer, m)
			}
		}
		return nil
	})
	return newer, err
}

// Marks returns marks that came after a number, in the order in which they came, and the number of the last.
func (r *Room) Marks(ctx context.Context, after int64, limit int) (marks []Mark, last int64, err error) {
	last = after
	err = r.log.db.View(ctx, func(tx *sql.Tx) error {
		return r.log.each(ctx, tx, `SELECT n, device, stamp, read_time, read_id, delivered_time, delivered_id, bytes FROM chat_marks WHERE room = ? AND n > ? ORDER BY n LIMIT ?`, func(scan func(...any) error) error {
			var m Mark
			var device, read, delivered []byte
			if err := scan(&last, &device, &m.Stamp, &m.Read.Time, &read, &m.Delivered.Time, &delivered, &m.Bytes); err != nil {
				return err
			}
			copy(m.Device[:], device)
			copy(m.Read.ID[:], read)
			copy(m.Delivered.ID[:], delivered)
			marks = append(marks, m)
			return nil
		}, r.n, after, min(limit, MaxPage))
	})
	return marks, last, err
}

// Receipts returns to how many devices an event was delivered, and how many have read it.
func (r *Room) Receipts(ctx context.Context, k Key) (delivered, read int, err error) {
	err = r.log.db.View(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `SELECT coalesce(sum((delivered_time, delivered_id) >= (?1, ?2)), 0), coalesce(sum((read_time, read_id) >= (?1, ?2)), 0)
			FROM chat_marks WHERE room = ?3`, int64(k.Time), k.ID[:], r.n).Scan(&delivered, &read)
	})
	return delivered, read, err
}

// SetRead notes up to where the user has read, which only grows. It costs as much as was read
// since the last time.
func (r *Room) SetRead(ctx context.Context, k Key) error {
	if k.Compare(Last) > 0 {
		k = Last
	}
	return r.log.db.Update(ctx, func(tx *sql.Tx) error {
		old, _, err := r.reading(ctx, tx)
		if err != nil || k.Compare(old) <= 0 {
			return err
		}
		// What is left is mostly less than what was read, or nothing.
		_, err = tx.ExecContext(ctx, `UPDATE chat_rooms SET read_time = ?1, read_id = ?2, unread =
			CASE WHEN NOT EXISTS (SELECT 1 FROM chat_events WHERE room = ?3 AND (time, id) > (?1, ?2)) THEN 0
			ELSE max(unread - (SELECT count(*) FROM chat_events WHERE room = ?3 AND (time, id) > (?4, ?5) AND (time, id) <= (?1, ?2)
				AND flags & 1 AND status IN (1, 4)), 0) END WHERE n = ?3`,
			int64(k.Time), k.ID[:], r.n, int64(old.Time), old.ID[:])
		return err
	})
}

func (r *Room) reading(ctx context.Context, tx *sql.Tx) (read Key, unread int, err error) {
	var id []byte
	err = tx.QueryRowContext(ctx, `SELECT read_time, read_id, unread FROM chat_rooms WHERE n = ?`, r.n).Scan(&read.Time, &id, &unread)
	copy(read.ID[:], id)
	return read, unread, err
}

// Unread returns up to where the user has read, and how many events that count are above.
func (r *Room) Unread(ctx context.Context) (read Key, unread int, err error) {
	err = r.log.db.View(ctx, func(tx *sql.Tx) error {
		read, unread, err = r.reading(ctx, tx)
		return err
	})
	return read, unread, err
}

// SetStatus changes what has become of events. Those that are not there are passed over.
func (r *Room) SetStatus(ctx context.Context, to Status, ids ...ID) error {
	return r.log.db.Update(ctx, func(tx *sql.Tx) error { return r.setStatus(ctx, tx, to, ids...) })
}

func (r *Room) setStatus(ctx context.Context, tx *sql.Tx, to Status, ids ...ID) error {
	read, _, err := r.reading(ctx, tx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		n, err := r.number(ctx, tx, id)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return err
		}
		var was Status
		var counts, above bool
		err = tx.QueryRowContext(ctx, `SELECT status, flags & 1, (time, id) > (?, ?) FROM chat_events WHERE n = ?`, int64(read.Time), read.ID[:], n).Scan(&was, &counts, &above)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE chat_events SET status = ? WHERE n = ?`, int64(to), n); err != nil {
			return err
		}
		if err := r.addUnread(ctx, tx, counts && above, number(to.shown())-number(was.shown())); err != nil {
			return err
		}
	}
	return nil
}

func (r *Room) addUnread(ctx context.Context, tx *sql.Tx, counts bool, change int) error {
	if !counts || change == 0 {
		return nil
	}
	_, err := tx.ExecContext(ctx, `UPDATE chat_rooms SET unread = max(unread + ?, 0) WHERE n = ?`, change, r.n)
	return err
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

const takeOut = asked + `DELETE FROM chat_outbox WHERE n IN (SELECT e.n` + ofAsked + `)`

// Given takes events out of the outbox.
func (r *Room) Given(ctx context.Context, ids ...ID) error {
	return r.log.db.UpdateSoon(ctx, func(tx *sql.Tx) error { // what comes back is given once more
		_, err := r.log.stmt(ctx, tx, takeOut).ExecContext(ctx, r.n, join(ids))
		return err
	})
}
