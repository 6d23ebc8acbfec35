package log

import (
	"context"
	"database/sql"
	"slices"
)

// MaxPage is how many events a page has at most.
const MaxPage = 1000

const columns = `e.time, e.id, e.device, e.author, e.seq, e.kind, e.status, e.flags, coalesce(e.due, 0), e.parents, e.bytes, e.payload, coalesce(e.text, ''), e.node, e.target`

// A row is an event as it is read. Names are looked up afterwards: the connection is one.
type row struct {
	Event
	n, device, author int64
}

func (r *Room) read(ctx context.Context, query string, args ...any) (events []Event, err error) {
	err = r.log.db.View(ctx, func(tx *sql.Tx) error {
		events, err = r.log.rows(ctx, tx, nil, query, args...)
		return err
	})
	return events, err
}

// rows reads events. The query selects [columns], and first n if numbers is there.
func (l *Log) rows(ctx context.Context, tx *sql.Tx, numbers *[]int64, query string, args ...any) ([]Event, error) {
	var rows []row
	err := l.each(ctx, tx, query, func(scan func(...any) error) error {
		var w row
		var id, parents, target []byte
		var flags int64
		into := []any{&w.Time, &id, &w.device, &w.author, &w.Seq, &w.Kind, &w.Status, &flags, &w.Due, &parents, &w.Bytes, &w.Payload, &w.Text, &w.Node, &target}
		if numbers != nil {
			into = append([]any{&w.n}, into...)
		}
		if err := scan(into...); err != nil {
			return err
		}
		copy(w.ID[:], id)
		w.Parents, w.Text = split(parents), together(w.Text)
		copy(w.Target[:], target)
		w.Counts, w.Keep, w.Waiting = flags&flagCounts != 0, flags&flagKeep != 0, flags&flagWaiting != 0
		rows = append(rows, w)
		return nil
	}, args...)
	if err != nil {
		return nil, err
	}
	events := make([]Event, len(rows))
	for i := range rows {
		w := &rows[i]
		if w.Device, err = l.nameOf(ctx, tx, w.device); err != nil {
			return nil, err
		}
		if w.Author, err = l.nameOf(ctx, tx, w.author); err != nil {
			return nil, err
		}
		if events[i] = w.Event; numbers != nil {
			*numbers = append(*numbers, w.n)
		}
	}
	return events, nil
}

const (
	selectBefore = `SELECT ` + columns + ` FROM chat_events e WHERE room = ? AND (time, id) < (?, ?) AND status IN (1, 4) ORDER BY time DESC, id DESC LIMIT ?`
	selectAfter  = `SELECT ` + columns + ` FROM chat_events e WHERE room = ? AND (time, id) > (?, ?) AND status IN (1, 4) ORDER BY time, id LIMIT ?`
)

// Before returns the last events that are shown below a key, in order; those below [Last] are the
// last of all.
func (r *Room) Before(ctx context.Context, k Key, limit int) ([]Event, error) {
	events, err := r.read(ctx, selectBefore, r.n, int64(k.Time), k.ID[:], min(limit, MaxPage))
	slices.Reverse(events)
	return events, err
}

// After returns the first events that are shown above a key, in order.
func (r *Room) After(ctx context.Context, k Key, limit int) ([]Event, error) {
	return r.read(ctx, selectAfter, r.n, int64(k.Time), k.ID[:], min(limit, MaxPage))
}

// All is After with what is not shown.
func (r *Room) All(ctx context.Context, k Key, limit int) ([]Event, error) {
	return r.read(ctx, `SELECT `+columns+` FROM chat_events e WHERE room = ? AND (time, id) > (?, ?)
		ORDER BY time, id LIMIT ?`, r.n, int64(k.Time), k.ID[:], min(limit, MaxPage))
}

// Held returns events that are held and whose time is not above that one, in order.
func (r *Room) Held(ctx context.Context, time uint64, limit int) ([]Event, error) {
	return r.read(ctx, `SELECT `+columns+` FROM chat_events e WHERE room = ? AND status = 3 AND time <= ?
		ORDER BY time, id LIMIT ?`, r.n, int64(time), min(limit, MaxPage))
}

// Outbox returns events that were given to nobody yet, in the order of arrival.
func (r *Room) Outbox(ctx context.Context, limit int) ([]Event, error) {
	return r.read(ctx, `SELECT `+columns+` FROM chat_outbox o JOIN chat_events e ON e.n = o.n WHERE o.n BETWEEN ? AND ?
		ORDER BY o.n LIMIT ?`, r.first(), r.last(), min(limit, MaxPage))
}

// asked are the IDs of which ?2 consists, 32 bytes each, in their order. They are looked up by an index of their first 8 bytes, which has to be named: else SQLite,
// which counts on few events in a room, may look at all of them.
const (
	asked   = `WITH RECURSIVE asked(at) AS (SELECT 1 WHERE length(?2) > 0 UNION ALL SELECT at + 32 FROM asked WHERE at + 32 < length(?2)) `
	ofAsked = ` FROM asked CROSS JOIN chat_events e INDEXED BY chat_by_id ON substr(e.id, 1, 8) = substr(?2, at, 8) WHERE e.id = substr(?2, at, 32) AND e.room = ?1`

	getEvents   = asked + `SELECT ` + columns + ofAsked
	lacksEvents = asked + `SELECT e.id` + ofAsked
)

// Get returns those of the events that are there, in the order asked for.
func (r *Room) Get(ctx context.Context, ids ...ID) (events []Event, err error) {
	return r.read(ctx, getEvents, r.n, join(ids))
}

// Lacks returns those of the IDs whose events are not there.
func (r *Room) Lacks(ctx context.Context, ids ...ID) (lacking []ID, err error) {
	there := make(map[ID]bool, len(ids))
	err = r.log.db.View(ctx, func(tx *sql.Tx) error {
		return r.log.each(ctx, tx, lacksEvents, func(scan func(...any) error) error {
			var b sql.RawBytes
			if err := scan(&b); err != nil {
				return err
			}
			there[ID(b)] = true
			return nil
		}, r.n, join(ids))
	})
	for _, id := range ids {
		if !there[id] {
			lacking = append(lacking, id)
		}
	}
	return lacking, err
}

// number returns an event's, or [sql.ErrNoRows].
func (r *Room) number(ctx context.Context, tx *sql.Tx, id ID) (n int64, err error) {
	err = tx.QueryRowContext(ctx, `SELECT n FROM chat_events INDEXED BY chat_by_id WHERE substr(id, 1, 8) = substr(?1, 1, 8) AND id = ?1 AND room = ?2`, id[:], r.n).Scan(&n)
	return n, err
}

// Heads returns the events that are nobody's parents.
func (r *Room) Heads(ctx context.Context) (heads []ID, err error) {
	err = r.log.db.View(ctx, func(tx *sql.Tx) error {
		return r.log.each(ctx, tx, `SELECT id FROM chat_heads WHERE room = ? ORDER BY id`, func(scan func(...any) error) error {
			var b []byte
			if err := scan(&b); err != nil {
				return err
			}
			heads = append(heads, ID(b))
			return nil
		}, r.n)
	})
	return heads, err
}

// keysPart is how many keys are read at a time: others who want the database wait for a part, when a room is opened.
const keysPart = 4096

// Keys calls f with the keys of all events, in order and in parts. The part is good until f returns.
func (r *Room) Keys(ctx context.Context, f func([]Key) error) error {
	part := make([]Key, 0, keysPart)
	for after := (Key{}); ; after = part[len(part)-1] {
		part = part[:0]
		err := r.log.db.View(ctx, func(tx *sql.Tx) error {
			return r.log.each(ctx, tx, `SELECT time, id FROM chat_events WHERE room = ? AND (time, id) > (?, ?) ORDER BY time, id LIMIT ?`, func(scan func(...any) error) error {
				var k Key
				var id sql.RawBytes
				if err := scan(&k.Time, &id); err != nil {
					return err
				}
				copy(k.ID[:], id)
				part = append(part, k)
				return nil
			}, r.n, int64(after.Time), after.ID[:], keysPart)
		})
		if err != nil || len(part) == 0 {
			return err
		}
		if err := f(part); err != nil {
			return err
		}
		if len(part) < keysPart {
			return nil
		}
	}
}
