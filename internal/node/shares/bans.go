package shares

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/share"
)

// Who has sent a wrong byte of a share has been caught: what it sent came with what proves it wrong. It
// is not asked for that share again by later fetches either, until the user says so.

// maxBans is how many are on record, for all shares; the oldest go.
const maxBans = 1000

const banTable = `
CREATE TABLE share_bans (
	share TEXT NOT NULL,
	peer  TEXT NOT NULL,
	at    INTEGER NOT NULL, -- in seconds since 1970
	file  TEXT NOT NULL,    -- "" is the manifest
	place INTEGER NOT NULL, -- in bytes
	why   TEXT NOT NULL,
	PRIMARY KEY (share, peer)
) STRICT`

// ban puts it on record who has sent a wrong byte.
func (s *Shares) ban(id share.ID, e share.Event) {
	err := s.DB.Update(context.WithoutCancel(s.life), func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT OR REPLACE INTO share_bans VALUES (?, ?, ?, ?, ?, ?)`,
			id.String(), e.Peer.String(), time.Now().Unix(), e.File, e.Offset, e.Err.Error())
		if err == nil {
			_, err = tx.Exec(`DELETE FROM share_bans WHERE rowid NOT IN (SELECT rowid FROM share_bans ORDER BY at DESC, rowid DESC LIMIT ?)`, maxBans)
		}
		return err
	})
	if err != nil {
		s.Host.Tell(api.Event{Type: "warning", Text: err.Error()})
	}
}

// bans returns those who are not asked for a share.
func (s *Shares) bans(ctx context.Context, id share.ID) (all []share.Ban, err error) {
	err = s.DB.View(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT peer, at, file, place, why FROM share_bans WHERE share = ? ORDER BY at, peer`, id.String())
		if err != nil {
			return err
		}
		defer rows.Close() //nolint:errcheck // Err tells
		for rows.Next() {
			var b share.Ban
			var who, why string
			var at int64
			if err := rows.Scan(&who, &at, &b.File, &b.Offset, &why); err != nil {
				return err
			}
			if b.Peer, err = peer.ParseID(who); err != nil {
				return err
			}
			b.When, b.Err = time.Unix(at, 0), errors.New(why)
			all = append(all, b)
		}
		return rows.Err()
	})
	return all, err
}

// forgive forgets who is not asked for a share.
func (s *Shares) forgive(ctx context.Context, id share.ID) error {
	return s.DB.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM share_bans WHERE share = ?`, id.String())
		return err
	})
}

// remember has a fetch know who is not asked, and says so.
func (f *fetching) remember(ctx context.Context, forgive bool) (err error) {
	if forgive {
		return f.of.forgive(ctx, f.ticket.ID)
	}
	if f.banned, err = f.of.bans(ctx, f.ticket.ID); err != nil {
		return err
	}
	for _, b := range f.banned {
		text := words(share.Event{Text: "has sent wrong data before, and is not asked", File: b.File, Offset: b.Offset}) + "; --forgive asks again"
		f.tell(api.FetchEvent{Type: api.FetchNote, Peer: f.of.Host.Called(b.Peer), Text: text})
	}
	return nil
}

// banned tells of those who are not asked.
func banned(h Host, all []share.Ban) (told []api.ShareBan) {
	for _, b := range all {
		told = append(told, api.ShareBan{ID: b.Peer.String(), Name: h.Called(b.Peer), When: b.When, File: neutral.Line(b.File), Offset: b.Offset, Text: neutral.Line(b.Err.Error())})
	}
	return told
}
