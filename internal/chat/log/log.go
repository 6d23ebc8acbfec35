package log

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"github.com/tenon-net/tenon/internal/store"
)

// An ID names an event, a room, a device or an author: a hash or a key.
type ID = [32]byte

// A Key is what the events of a room are sorted by. Times are less than 2^63.
type Key struct {
	Time uint64
	ID   ID
}

// Last is above every key.
var Last = Key{Time: 1<<63 - 1, ID: ID(bytes.Repeat([]byte{0xff}, 32))}

// Compare returns -1, 0 or 1.
func (k Key) Compare(o Key) int {
	return cmp.Or(cmp.Compare(k.Time, o.Time), bytes.Compare(k.ID[:], o.ID[:]))
}

// A Status says what has become of an event.
type Status uint8

// The statuses. Valid and Late are shown. Numbers are in the database.
const (
	Valid  Status = iota + 1
	Void          // kept, since others follow it
	Held          // its time has not come
	Late          // it came when later ones had been seen
	Hidden        // it is about another one, or nothing to be shown
)

func (s Status) shown() bool { return s == Valid || s == Late }

// An Event is what is kept of one. Who adds it vouches for it.
type Event struct {
	Key
	Device  ID
	Author  ID // the identity that the device is of
	Seq     uint64
	Kind    byte
	Status  Status // 0 is Valid
	Parents []ID
	Bytes   []byte // header and signature: kept for ever
	Payload []byte // nil: it was erased
	Text    string // what is searched; empty if there is nothing

	Counts bool   // it makes a room unread
	Keep   bool   // Expire does not erase its payload
	Due    uint64 // EraseDue erases its payload from this time on; 0 = never
	Queued bool   // for Add: it is in the outbox until it was given to somebody

	Node    []byte // what has to be known of it so that others can follow it; belongs to who adds it
	Target  ID     // the event that it is about; zero = none
	Waiting bool   // its payload could not be opened yet: see [Room.Waiting]
}

// A Log is the events of all rooms in a database. Its methods, and those of its rooms, may
// be called from any goroutine.
type Log struct {
	db    *store.DB
	often map[string]*sql.Stmt // the statements of often

	mu    sync.Mutex // guards what follows
	rooms map[ID]*Room
	names map[ID]int64
	ids   map[int64]ID
}

// Open brings the tables in db up to date.
func Open(ctx context.Context, db *store.DB) (*Log, error) {
	if err := db.Migrate(ctx, "chat", steps...); err != nil {
		return nil, err
	}
	l := &Log{db: db, often: map[string]*sql.Stmt{}, rooms: map[ID]*Room{}, names: map[ID]int64{}, ids: map[int64]ID{}}
	for _, query := range often {
		s, err := db.Prepare(ctx, query)
		if err != nil {
			return nil, err
		}
		l.often[query] = s
	}
	return l, nil
}

// often are what is done whenever something is added, shown or sent: to parse it each time would cost as much as to do it.
var often = []string{insertEvent, insertText, lastNumber, readUpTo, addUnread, addHead, dropHead, putTip, getNumber, selectBefore, selectAfter, arrivedAfter, getEvents, sentEvents, sentRun,
	lacksEvents, nodesOf, aboutEvents, takeOut}

// An update is one of those of [store.DB].
type update func(context.Context, func(*sql.Tx) error) error

// stmt returns one of often, in a transaction.
func (l *Log) stmt(ctx context.Context, tx *sql.Tx, query string) *sql.Stmt {
	return tx.StmtContext(ctx, l.often[query])
}

// A Room is the events of one room.
type Room struct {
	log *Log
	id  ID
	n   int64
}

// Room returns a room, and makes it if there is none.
func (l *Log) Room(ctx context.Context, id ID) (*Room, error) {
	l.mu.Lock()
	r := l.rooms[id]
	l.mu.Unlock()
	if r != nil {
		return r, nil
	}
	r = &Room{log: l, id: id}
	err := l.db.Update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO chat_rooms (id) VALUES (?)`, id[:]); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `SELECT n FROM chat_rooms WHERE id = ?`, id[:]).Scan(&r.n)
	})
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if old := l.rooms[id]; old != nil {
		return old, nil
	}
	l.rooms[id] = r
	return r, nil
}

// Rooms returns the IDs of all rooms.
func (l *Log) Rooms(ctx context.Context) (ids []ID, err error) {
	err = l.db.View(ctx, func(tx *sql.Tx) error {
		return l.each(ctx, tx, `SELECT id FROM chat_rooms ORDER BY n`, func(scan func(...any) error) error {
			var b []byte
			if err := scan(&b); err != nil {
				return err
			}
			ids = append(ids, ID(b))
			return nil
		})
	})
	return ids, err
}

// ID returns the room's.
func (r *Room) ID() ID { return r.id }

// first and last are the numbers that its events may have.
func (r *Room) first() int64 { return r.n << roomShift }
func (r *Room) last() int64  { return r.first() + 1<<roomShift - 1 }

// Drop forgets a room with all that there is of it. The Room, and others of its ID, must not
// be used any more.
func (r *Room) Drop(ctx context.Context) error {
	err := r.log.db.Update(ctx, func(tx *sql.Tx) error {
		for _, q := range []string{
			`INSERT INTO chat_text (chat_text, rowid, text, author) SELECT 'delete', n, text, author FROM chat_events WHERE n BETWEEN ?1 AND ?2 AND text IS NOT NULL`,
			`DELETE FROM chat_events WHERE n BETWEEN ?1 AND ?2`,
			`DELETE FROM chat_outbox WHERE n BETWEEN ?1 AND ?2`,
			`DELETE FROM chat_heads WHERE room = ?3`,
			`DELETE FROM chat_marks WHERE room = ?3`,
			`DELETE FROM chat_device_prekeys WHERE room = ?3`,
			`DELETE FROM chat_tips WHERE room = ?3`,
			`DELETE FROM chat_rooms WHERE n = ?3`,
		} {
			if _, err := tx.ExecContext(ctx, q, r.first(), r.last(), r.n); err != nil {
				return err
			}
		}
		return nil
	})
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	delete(r.log.rooms, r.id)
	return err
}

// query asks, by the statement that was prepared for that if there is one.
func (l *Log) query(ctx context.Context, tx *sql.Tx, query string, args ...any) (*sql.Rows, error) {
	if s := l.often[query]; s != nil {
		return tx.StmtContext(ctx, s).QueryContext(ctx, args...)
	}
	return tx.QueryContext(ctx, query, args...)
}

// each calls f for each row of an answer.
func (l *Log) each(ctx context.Context, tx *sql.Tx, query string, f func(scan func(...any) error) error, args ...any) error {
	rows, err := l.query(ctx, tx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// name returns the number that stands for a device or an author, and makes one.
func (l *Log) name(ctx context.Context, tx *sql.Tx, fresh map[ID]int64, id ID) (n int64, err error) {
	l.mu.Lock()
	n = l.names[id]
	l.mu.Unlock()
	if n == 0 {
		n = fresh[id]
	}
	if n != 0 {
		return n, nil
	}
	if _, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO chat_names (id) VALUES (?)`, id[:]); err != nil {
		return 0, err
	}
	err = tx.QueryRowContext(ctx, `SELECT n FROM chat_names WHERE id = ?`, id[:]).Scan(&n)
	fresh[id] = n
	return n, err
}

// named remembers names that are in the database for good. There are as many as devices
// that were let in.
func (l *Log) named(fresh map[ID]int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, n := range fresh {
		l.names[id], l.ids[n] = n, id
	}
}

// nameOf returns whom a number stands for.
func (l *Log) nameOf(ctx context.Context, tx *sql.Tx, n int64) (ID, error) {
	l.mu.Lock()
	id, ok := l.ids[n]
	l.mu.Unlock()
	if ok {
		return id, nil
	}
	var b []byte
	if err := tx.QueryRowContext(ctx, `SELECT id FROM chat_names WHERE n = ?`, n).Scan(&b); err != nil {
		return id, err
	}
	l.named(map[ID]int64{ID(b): n})
	return ID(b), nil
}

// ErrEvent: an event has something that cannot be kept.
var ErrEvent = errors.New("that event cannot be kept")

func (e *Event) check() error {
	switch {
	case e.Time > Last.Time, e.Seq > 1<<63-1, e.Due > Last.Time:
		return fmt.Errorf("%w: a number that is too great", ErrEvent)
	case e.Status > Hidden:
		return fmt.Errorf("%w: status %d", ErrEvent, e.Status)
	case e.Bytes == nil:
		return fmt.Errorf("%w: it is empty", ErrEvent)
	}
	return nil
}
