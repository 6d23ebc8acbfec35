package rooms

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/transport"
)

// maxDrafts is in how many rooms something that was written is kept; the oldest is forgotten.
const maxDrafts = 100

// Drafts returns what the user has written in rooms and not said yet, the oldest first.
func (r *Rooms) Drafts(ctx context.Context) ([]api.RoomDraft, error) {
	all := []api.RoomDraft{}
	err := r.db.View(ctx, func(tx *sql.Tx) error {
		return each(ctx, tx, `SELECT room, draft FROM rooms_drafts ORDER BY n`, func(scan func(...any) error) error {
			var room, b []byte
			if err := scan(&room, &b); err != nil {
				return err
			}
			var d api.RoomDraft
			err := json.Unmarshal(b, &d)
			d.Room = event.ID(room).String()
			all = append(all, d)
			return err
		})
	})
	return all, err
}

// Draft keeps what the user has written in a room, instead of what was kept before; nothing is none. It is no
// event: nobody is told, and it is in no export.
func (r *Rooms) Draft(ctx context.Context, name string, d api.RoomDraft) error {
	_, room, err := r.find(name)
	if err != nil {
		return err
	}
	switch {
	case len(d.Text) > event.MaxText || len(d.About) > maxID:
		return transport.Usage(fmt.Errorf("a draft has at most %d bytes", event.MaxText))
	case !utf8.ValidString(d.Text):
		return transport.Usage(fmt.Errorf("a draft is a text, in UTF-8"))
	}
	id := room.ID()
	d.Room = ""
	b, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return r.db.Update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM rooms_drafts WHERE room = ?`, id[:]); err != nil || d.Text == "" {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO rooms_drafts (room, draft) VALUES (?, ?)`, id[:], b); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM rooms_drafts WHERE n <= (SELECT n FROM rooms_drafts ORDER BY n DESC LIMIT 1 OFFSET ?)`, maxDrafts)
		return err
	})
}

// maxID is how long the ID of an event is, in text.
const maxID = 2 * len(event.ID{})
