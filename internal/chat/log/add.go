package log

import (
	"context"
	"database/sql"
	"slices"
)

// Add adds events, parents before their children, all or none, and returns those that were
// not there. The events belong to the Log meanwhile, and are sorted.
func (r *Room) Add(ctx context.Context, events ...Event) (added []Event, err error) {
	return r.Put(ctx, Batch{Events: events})
}

// A Batch is what changes at once.
type Batch struct {
	Events   []Event // to be added, parents before their children
	Tips     []Tip   // that replace those of their devices
	Statuses map[ID]Status
	Again    bool // others have it: Put does not wait for the disk, see [store.DB.UpdateSoon]
}

// A Tip is how far the events of a device go.
type Tip struct {
	Device, ID ID
	Seq, Fork  uint64
}

// Put is Add with what else changes: all of it, or nothing. The Events belong to the Log meanwhile,
// and are sorted.
func (r *Room) Put(ctx context.Context, b Batch) (added []Event, err error) {
	events := b.Events
	slices.SortFunc(events, func(a, b Event) int { return a.Compare(b.Key) })
	fresh := map[ID]int64{}
	put := update(r.log.db.Update)
	if b.Again {
		put = r.log.db.UpdateSoon
	}
	err = put(ctx, func(tx *sql.Tx) error {
		a, err := r.adding(ctx, tx, fresh)
		if err != nil {
			return err
		}
		added = added[:0]
		for i := range events {
			e := &events[i]
			if e.Status == 0 {
				e.Status = Valid
			}
			if err := e.check(); err != nil {
				return err
			}
			is, err := a.add(e)
			if err != nil {
				return err
			}
			if is {
				added = append(added, *e)
			}
		}
		if err := a.end(); err != nil {
			return err
		}
		if err := r.putTips(ctx, tx, b.Tips); err != nil {
			return err
		}
		for id, to := range b.Statuses {
			if err := r.setStatus(ctx, tx, to, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	r.log.named(fresh)
	return added, nil
}

// adding is the state of an Add.
type adding struct {
	room    *Room
	ctx     context.Context //nolint:containedctx // it lives as long as a call of Add
	tx      *sql.Tx
	fresh   map[ID]int64
	event   *sql.Stmt
	word    *sql.Stmt
	n       int64 // of the next event
	read    Key
	expired uint64
	unread  int
	heads   []ID
	parents map[ID]bool // which are no heads, or not any more
}

const (
	insertEvent = `INSERT INTO chat_events (n, room, time, id, device, author, seq, kind, status, flags, due, parents, bytes, payload, text, node, target)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (room, time, id) DO NOTHING`
	insertText = `INSERT INTO chat_text (rowid, text, author) VALUES (?, ?, ?)`
	lastNumber = `SELECT max(n) FROM chat_events WHERE n BETWEEN ? AND ?`
	readUpTo   = `SELECT read_time, read_id, expired FROM chat_rooms WHERE n = ?`
	addUnread  = `UPDATE chat_rooms SET unread = unread + ? WHERE n = ?`
	addHead    = `INSERT OR IGNORE INTO chat_heads VALUES (?, ?)`
	dropHead   = `DELETE FROM chat_heads WHERE room = ? AND id = ?`
	putTip     = `INSERT INTO chat_tips VALUES (?, ?, ?, ?, ?) ON CONFLICT (room, device) DO UPDATE SET id = excluded.id, seq = excluded.seq, fork = excluded.fork`
)

func (r *Room) adding(ctx context.Context, tx *sql.Tx, fresh map[ID]int64) (a *adding, err error) {
	a = &adding{room: r, ctx: ctx, tx: tx, fresh: fresh, parents: map[ID]bool{}}
	a.event, a.word = r.log.stmt(ctx, tx, insertEvent), r.log.stmt(ctx, tx, insertText)
	var last sql.NullInt64
	if err := r.log.stmt(ctx, tx, lastNumber).QueryRowContext(ctx, r.first(), r.last()).Scan(&last); err != nil {
		return nil, err
	}
	if a.n = r.first() + 1; last.Valid {
		a.n = last.Int64 + 1
	}
	var id []byte
	row := r.log.stmt(ctx, tx, readUpTo).QueryRowContext(ctx, r.n)
	if err := row.Scan(&a.read.Time, &id, &a.expired); err != nil {
		return nil, err
	}
	copy(a.read.ID[:], id)
	return a, nil
}

// add adds an event and tells whether it was not there.
func (a *adding) add(e *Event) (bool, error) {
	device, err := a.room.log.name(a.ctx, a.tx, a.fresh, e.Device)
	if err != nil {
		return false, err
	}
	author, err := a.room.log.name(a.ctx, a.tx, a.fresh, e.Author)
	if err != nil {
		return false, err
	}
	if e.Time < a.expired && !e.Keep { // it comes when its time is over
		e.Payload, e.Text = nil, ""
	}
	var payload, text, due, target any
	if e.Target != (ID{}) {
		target = e.Target[:]
	}
	if e.Payload != nil {
		payload = e.Payload
	}
	if e.Text != "" && e.Payload != nil {
		text = separate(e.Text)
	}
	if e.Due != 0 && e.Payload != nil {
		due = int64(e.Due)
	}
	var flags int64
	if e.Counts {
		flags |= flagCounts
	}
	if e.Keep {
		flags |= flagKeep
	}
	if e.Waiting {
		flags |= flagWaiting
	}
	res, err := a.event.ExecContext(a.ctx, a.n, a.room.n, int64(e.Time), e.ID[:], device, author, int64(e.Seq), int64(e.Kind),
		int64(e.Status), flags, due, join(e.Parents), e.Bytes, payload, text, e.Node, target)
	if err != nil {
		return false, err
	}
	if n, err := res.RowsAffected(); n == 0 || err != nil {
		return false, err
	}
	if text != nil {
		if _, err := a.word.ExecContext(a.ctx, a.n, text, author); err != nil {
			return false, err
		}
	}
	if e.Queued {
		if _, err := a.tx.ExecContext(a.ctx, `INSERT INTO chat_outbox VALUES (?)`, a.n); err != nil {
			return false, err
		}
	}
	if e.Counts && e.Status.shown() && e.Compare(a.read) > 0 {
		a.unread++
	}
	a.heads = append(a.heads, e.ID)
	for _, p := range e.Parents {
		a.parents[p] = true
	}
	a.n++
	return true, nil
}

// end writes what is the same for all events.
func (a *adding) end() error {
	if a.unread > 0 {
		if _, err := a.room.log.stmt(a.ctx, a.tx, addUnread).ExecContext(a.ctx, a.unread, a.room.n); err != nil {
			return err
		}
	}
	add, drop := a.room.log.stmt(a.ctx, a.tx, addHead), a.room.log.stmt(a.ctx, a.tx, dropHead)
	for _, id := range a.heads {
		if a.parents[id] {
			delete(a.parents, id) // it has come and gone here
			continue
		}
		if _, err := add.ExecContext(a.ctx, a.room.n, id[:]); err != nil {
			return err
		}
	}
	for id := range a.parents {
		if _, err := drop.ExecContext(a.ctx, a.room.n, id[:]); err != nil {
			return err
		}
	}
	return nil
}

func join(ids []ID) []byte {
	b := make([]byte, 0, 32*len(ids))
	for i := range ids {
		b = append(b, ids[i][:]...)
	}
	return b
}
