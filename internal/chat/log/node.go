package log

import (
	"context"
	"database/sql"
	"slices"
)

// Nodes calls f with what is known of those of the events that are there, in any order: their Node and their
// Parents.
func (r *Room) Nodes(ctx context.Context, f func(id ID, node []byte, parents []ID) error, ids ...ID) error {
	return r.log.db.View(ctx, func(tx *sql.Tx) error {
		return r.log.each(ctx, tx, nodesOf, func(scan func(...any) error) error {
			var id, parents sql.RawBytes
			var node []byte
			if err := scan(&id, &node, &parents); err != nil {
				return err
			}
			return f(ID(id), node, split(parents))
		}, r.n, join(ids))
	})
}

const nodesOf = asked + `SELECT e.id, e.node, e.parents` + ofAsked

func split(b []byte) (ids []ID) {
	for p := range slices.Chunk(b, 32) {
		ids = append(ids, ID(p))
	}
	return ids
}

// Control calls f with all events whose kind is below 128, in the order of arrival and in parts.
func (r *Room) Control(ctx context.Context, f func([]Event) error) error {
	return r.inOrder(ctx, `INDEXED BY chat_control`, `kind < 128`, f)
}

// Waiting calls f with all events whose payload could not be opened yet, in the order of arrival and in parts. F
// may call Opened.
func (r *Room) Waiting(ctx context.Context, f func([]Event) error) error {
	return r.inOrder(ctx, `INDEXED BY chat_waiting`, `flags & 4`, f)
}

// By calls f with all events of an author, in the order of arrival and in parts. It looks at all of the
// room.
func (r *Room) By(ctx context.Context, author ID, f func([]Event) error) error {
	return r.inOrder(ctx, ``, `author = (SELECT n FROM chat_names WHERE id = ?)`, f, author[:])
}

func (r *Room) inOrder(ctx context.Context, index, where string, f func([]Event) error, args ...any) error {
	for after := r.first(); ; {
		var part []Event
		var numbers []int64
		err := r.log.db.View(ctx, func(tx *sql.Tx) (err error) {
			args := append([]any{after, r.last()}, args...)
			part, err = r.log.rows(ctx, tx, &numbers, `SELECT e.n, `+columns+` FROM chat_events e `+index+` WHERE n > ? AND n <= ? AND `+where+` ORDER BY n LIMIT 1000`, args...)
			return err
		})
		if err != nil || len(part) == 0 {
			return err
		}
		after = numbers[len(numbers)-1]
		if err := f(part); err != nil {
			return err
		}
	}
}

const aboutEvents = asked + `SELECT ` + columns + ` FROM asked CROSS JOIN chat_events e INDEXED BY chat_about ON substr(e.target, 1, 8) = substr(?2, at, 8)
	WHERE e.target IS NOT NULL AND e.target = substr(?2, at, 32) AND e.room = ?1`

// About returns all events whose Target is one of these, in the order of their keys.
func (r *Room) About(ctx context.Context, ids ...ID) (events []Event, err error) {
	events, err = r.read(ctx, aboutEvents, r.n, join(ids))
	slices.SortFunc(events, func(a, b Event) int { return a.Compare(b.Key) })
	return events, err
}

// Opened notes what an event that was waiting says: its Status, Text, Target, Counts. The rest of e is not looked at, but
// its ID.
func (r *Room) Opened(ctx context.Context, events ...Event) error {
	return r.log.db.Update(ctx, func(tx *sql.Tx) error {
		read, _, err := r.reading(ctx, tx)
		if err != nil {
			return err
		}
		for i := range events {
			if err := r.opened(ctx, tx, &events[i], read); err != nil {
				return err
			}
		}
		return nil
	})
}

func (r *Room) opened(ctx context.Context, tx *sql.Tx, e *Event, read Key) error {
	n, err := r.number(ctx, tx, e.ID)
	if err != nil {
		return err
	}
	var was Status
	var counted, above bool
	err = tx.QueryRowContext(ctx, `SELECT status, flags & 1, (time, id) > (?, ?) FROM chat_events WHERE n = ?`, int64(read.Time), read.ID[:], n).Scan(&was, &counted, &above)
	if err != nil {
		return err
	}
	var target any
	if e.Target != (ID{}) {
		target = e.Target[:]
	}
	if _, err := tx.ExecContext(ctx, `UPDATE chat_events SET status = ?, flags = (flags & ~5) | ?, target = ? WHERE n = ?`, int64(e.Status), number(e.Counts), target, n); err != nil {
		return err
	}
	if err := setText(ctx, tx, n, e.Text); err != nil {
		return err
	}
	return r.addUnread(ctx, tx, above, number(e.Counts && e.Status.shown())-number(counted && was.shown()))
}

// SetText changes what an event is found by. It changes nothing in one that is not there, or was erased.
func (r *Room) SetText(ctx context.Context, id ID, text string) error {
	return r.log.db.Update(ctx, func(tx *sql.Tx) error {
		n, err := r.number(ctx, tx, id)
		if err == sql.ErrNoRows { //nolint:errorlint // it is the error of Scan
			return nil
		}
		if err != nil {
			return err
		}
		return setText(ctx, tx, n, text)
	})
}

func setText(ctx context.Context, tx *sql.Tx, n int64, text string) error {
	for _, q := range []string{
		`INSERT INTO chat_text (chat_text, rowid, text, author) SELECT 'delete', n, text, author FROM chat_events WHERE n = ?1 AND text IS NOT NULL`,
		`UPDATE chat_events SET text = nullif(?2, '') WHERE n = ?1 AND payload IS NOT NULL`,
		`INSERT INTO chat_text (rowid, text, author) SELECT n, text, author FROM chat_events WHERE n = ?1 AND text IS NOT NULL`,
	} {
		if _, err := tx.ExecContext(ctx, q, n, separate(text)); err != nil {
			return err
		}
	}
	return nil
}

func (r *Room) putTips(ctx context.Context, tx *sql.Tx, tips []Tip) error {
	for _, t := range tips {
		if _, err := r.log.stmt(ctx, tx, putTip).ExecContext(ctx, r.n, t.Device[:], t.ID[:], int64(t.Seq), int64(t.Fork)); err != nil {
			return err
		}
	}
	return nil
}

// Tips returns those that were put.
func (r *Room) Tips(ctx context.Context) (tips []Tip, err error) {
	err = r.log.db.View(ctx, func(tx *sql.Tx) error {
		return r.log.each(ctx, tx, `SELECT device, id, seq, fork FROM chat_tips WHERE room = ?`, func(scan func(...any) error) error {
			var t Tip
			var device, id []byte
			if err := scan(&device, &id, &t.Seq, &t.Fork); err != nil {
				return err
			}
			copy(t.Device[:], device)
			copy(t.ID[:], id)
			tips = append(tips, t)
			return nil
		}, r.n)
	})
	return tips, err
}
