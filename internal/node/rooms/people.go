package rooms

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
)

// tables are the migrations of this package's tables. Keys are 32 bytes.
var tables = []string{`
CREATE TABLE rooms_people ( -- which devices have shown that they are whose
	identity BLOB NOT NULL,
	peer     BLOB NOT NULL,
	PRIMARY KEY (identity, peer)
) STRICT, WITHOUT ROWID;
CREATE TABLE rooms_settings (
	room   BLOB PRIMARY KEY,
	muted  INTEGER NOT NULL,
	forget INTEGER NOT NULL, -- as soon as somebody knows that we have left
	other  BLOB NOT NULL     -- with whom one talks in it; empty: with many
) STRICT, WITHOUT ROWID;
CREATE TABLE rooms_places (    -- where peers were reached that the node does not know
	peer  BLOB PRIMARY KEY,
	addrs TEXT NOT NULL    -- one a line
) STRICT, WITHOUT ROWID`, `
CREATE TABLE rooms_drafts (   -- what the user has written and not said
	n     INTEGER PRIMARY KEY,
	room  BLOB NOT NULL UNIQUE,
	draft BLOB NOT NULL    -- JSON
) STRICT`}

// A setting is what is on record of a room and nobody else's business.
type setting struct {
	muted  bool
	forget bool
	other  event.Identity // zero: nobody in particular
}

// maxDevices is how many devices are remembered of one person.
const maxDevices = 64

func (r *Rooms) load(ctx context.Context) error {
	if err := r.db.Migrate(ctx, "rooms", tables...); err != nil {
		return err
	}
	return r.db.View(ctx, func(tx *sql.Tx) error {
		err := each(ctx, tx, `SELECT identity, peer FROM rooms_people`, func(scan func(...any) error) error {
			var who, device []byte
			if err := scan(&who, &device); err != nil {
				return err
			}
			id, err := peer.NewID(device)
			if err == nil {
				r.own(event.Identity(who), id)
			}
			return err
		})
		if err != nil {
			return err
		}
		err = each(ctx, tx, `SELECT peer, addrs FROM rooms_places`, func(scan func(...any) error) error {
			var key []byte
			var addrs string
			if err := scan(&key, &addrs); err != nil {
				return err
			}
			id, err := peer.NewID(key)
			r.places[id] = strings.Split(addrs, "\n")
			return err
		})
		if err != nil {
			return err
		}
		return each(ctx, tx, `SELECT room, muted, forget, other FROM rooms_settings`, func(scan func(...any) error) error {
			var room, other []byte
			var s setting
			err := scan(&room, &s.muted, &s.forget, &other)
			copy(s.other[:], other)
			r.settings[event.ID(room)] = s
			return err
		})
	})
}

func each(ctx context.Context, tx *sql.Tx, query string, f func(scan func(...any) error) error) error {
	rows, err := tx.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // Err tells
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// own notes in memory whose a device is. It is called with mu held, or before anybody else has the Rooms.
func (r *Rooms) own(who event.Identity, device peer.ID) {
	r.devices[who] = append(r.devices[who], device)
	r.owners[device] = append(r.owners[device], who)
	r.learned++
}

// known notes that a device is somebody's, and returns true.
func (r *Rooms) known(who event.Identity, device peer.ID) bool {
	r.learn(who, device)
	return true
}

// learn notes which devices have shown that they are somebody's.
func (r *Rooms) learn(who event.Identity, devices ...peer.ID) {
	var fresh []peer.ID
	r.mu.Lock()
	for _, id := range devices {
		if have := r.devices[who]; !slices.Contains(have, id) && len(have) < maxDevices {
			r.own(who, id)
			fresh = append(fresh, id)
		}
	}
	r.mu.Unlock()
	if len(fresh) == 0 {
		return
	}
	err := r.db.Update(context.Background(), func(tx *sql.Tx) error {
		for _, id := range fresh {
			if _, err := tx.Exec(`INSERT OR IGNORE INTO rooms_people VALUES (?, ?)`, who[:], id.Bytes()); err != nil {
				return err
			}
		}
		return nil
	})
	r.warn(err)
}

// whose returns the people that a peer, by the key that it has or has had, has shown to be of: mostly one.
func (r *Rooms) whose(id peer.ID) []event.Identity {
	r.mu.Lock()
	all := slices.Clone(r.owners[id])
	var old []peer.ID
	for device := range r.owners {
		old = append(old, device)
	}
	r.mu.Unlock()
	if len(all) > 0 {
		return all
	}
	for _, device := range old {
		if r.heir(device) == id {
			r.mu.Lock()
			all = append(all, r.owners[device]...)
			r.mu.Unlock()
		}
	}
	return all
}

// setting returns what is on record of a room.
func (r *Rooms) setting(room event.ID) setting {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.settings[room]
}

// change changes it.
func (r *Rooms) change(ctx context.Context, room event.ID, f func(*setting)) error {
	s := r.setting(room)
	was := s
	if f(&s); s == was {
		return nil
	}
	other := s.other[:]
	if s.other == (event.Identity{}) {
		other = []byte{}
	}
	err := r.db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO rooms_settings VALUES (?, ?, ?, ?)`, room[:], bit(s.muted), bit(s.forget), other)
		return err
	})
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settings[room] = s
	return nil
}

// drop forgets what is on record of a room.
func (r *Rooms) drop(ctx context.Context, room event.ID) error {
	r.mu.Lock()
	delete(r.settings, room)
	delete(r.mentions, room)
	delete(r.namings, room)
	r.mu.Unlock()
	return r.db.Update(ctx, func(tx *sql.Tx) error {
		for _, table := range []string{"rooms_settings", "rooms_drafts"} {
			if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE room = ?`, room[:]); err != nil {
				return err
			}
		}
		return nil
	})
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// maxHeirs is how many new keys are remembered of peers that the node does not know.
const maxHeirs = 10_000

// Succeed is told that a key has named another one as its successor, and tells whether that is anybody's of a room.
func (r *Rooms) Succeed(old, now peer.ID) bool {
	if !r.Meets(old) {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.heirs) < maxHeirs {
		r.heirs[old] = now
		r.learned++
	}
	return true
}

// heir returns the key that a device has now that has, or had, this one.
func (r *Rooms) heir(id peer.ID) peer.ID {
	if now := r.Host.Heir(id); now != id {
		return now
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if now, ok := r.heirs[id]; ok {
		return now
	}
	return id
}

// earlier returns the key whose successor this one is, or this one.
func (r *Rooms) earlier(id peer.ID) peer.ID {
	r.mu.Lock()
	defer r.mu.Unlock()
	for old, now := range r.heirs {
		if now == id {
			return old
		}
	}
	return id
}

// maxPlaces is of how many peers it is remembered where they were.
const maxPlaces = 10_000

// Remember notes where somebody was reached, if he takes part in a room.
func (r *Rooms) Remember(id peer.ID, addrs []string) {
	if !r.Meets(id) || len(addrs) == 0 {
		return
	}
	r.mu.Lock()
	was, there := r.places[id]
	if slices.Equal(was, addrs) || !there && len(r.places) >= maxPlaces {
		r.mu.Unlock()
		return
	}
	r.places[id] = addrs
	r.mu.Unlock()
	r.warn(r.db.Update(context.Background(), func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT OR REPLACE INTO rooms_places VALUES (?, ?)`, id.Bytes(), strings.Join(addrs, "\n"))
		return err
	}))
}

// Places returns where somebody was reached.
func (r *Rooms) Places(id peer.ID) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.places[id])
}

func (r *Rooms) warn(err error) {
	if err != nil {
		r.Host.Tell(api.Event{Type: "warning", Text: "rooms: " + err.Error()})
	}
}
