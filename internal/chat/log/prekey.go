package log

import (
	"context"
	"database/sql"
)

// A Prekey is a row by which a device says where it takes secrets from a time on. Of several of one device the
// one with the latest Time counts.
type Prekey struct {
	Device ID
	Time   uint64 // milliseconds since 1970
	Bytes  []byte // as it was signed
}

// KeptPrekeys is how many are kept of a device: by the earlier ones it is known when a secret was wrapped to which.
const KeptPrekeys = 8

// nextRow is the number of a row that comes into room ?1: those of marks and of prekeys are in one order.
const nextRow = `1 + max((SELECT coalesce(max(n), 0) FROM chat_marks WHERE room = ?1), (SELECT coalesce(max(n), 0) FROM chat_device_prekeys WHERE room = ?1))`

// PutPrekeys keeps those that are later than what there is of the device, and returns them.
func (r *Room) PutPrekeys(ctx context.Context, all ...Prekey) (newer []Prekey, err error) {
	err = r.log.db.Update(ctx, func(tx *sql.Tx) error {
		newer = nil
		for _, p := range all {
			if p.Time > Last.Time {
				continue
			}
			res, err := tx.ExecContext(ctx, `INSERT INTO chat_device_prekeys SELECT ?1, ?2, ?3, ?4, `+nextRow+`
				WHERE NOT EXISTS (SELECT 1 FROM chat_device_prekeys WHERE room = ?1 AND device = ?2 AND time >= ?3)`, r.n, p.Device[:], int64(p.Time), p.Bytes)
			if err != nil {
				return err
			}
			if n, _ := res.RowsAffected(); n == 0 {
				continue
			}
			newer = append(newer, p)
			if _, err := tx.ExecContext(ctx, `DELETE FROM chat_device_prekeys WHERE room = ?1 AND device = ?2 AND time NOT IN
				(SELECT time FROM chat_device_prekeys WHERE room = ?1 AND device = ?2 ORDER BY time DESC LIMIT ?3)`, r.n, p.Device[:], KeptPrekeys); err != nil {
				return err
			}
		}
		return nil
	})
	return newer, err
}

// Prekeys returns those that are kept, of each device the earliest first.
func (r *Room) Prekeys(ctx context.Context) (all []Prekey, err error) {
	err = r.log.db.View(ctx, func(tx *sql.Tx) error {
		return r.log.each(ctx, tx, `SELECT device, time, bytes FROM chat_device_prekeys WHERE room = ? ORDER BY device, time`, func(scan func(...any) error) error {
			var p Prekey
			var device []byte
			err := scan(&device, &p.Time, &p.Bytes)
			copy(p.Device[:], device)
			all = append(all, p)
			return err
		}, r.n)
	})
	return all, err
}

// Rows returns the bytes of marks, and of the latest prekeys, that came after a number, in the order in which they
// came, and the number of the last.
func (r *Room) Rows(ctx context.Context, after int64, limit int) (rows [][]byte, last int64, err error) {
	last = after
	err = r.log.db.View(ctx, func(tx *sql.Tx) error {
		return r.log.each(ctx, tx, `SELECT n, bytes FROM chat_marks WHERE room = ?1 AND n > ?2
			UNION ALL SELECT n, bytes FROM chat_device_prekeys AS a WHERE room = ?1 AND n > ?2
				AND NOT EXISTS (SELECT 1 FROM chat_device_prekeys AS b WHERE b.room = a.room AND b.device = a.device AND b.time > a.time)
			ORDER BY n LIMIT ?3`, func(scan func(...any) error) error {
			var b []byte
			err := scan(&last, &b)
			rows = append(rows, b)
			return err
		}, r.n, after, min(limit, MaxPage))
	})
	return rows, last, err
}
