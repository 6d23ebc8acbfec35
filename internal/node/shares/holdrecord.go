package shares

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/share"
)

const holdTables = `
CREATE TABLE share_holds (
	id     TEXT PRIMARY KEY, -- as its holder calls the copy
	record TEXT NOT NULL     -- in JSON
) STRICT;
CREATE TABLE share_drops (   -- what holders are still to be told
	peer   TEXT NOT NULL,
	share  TEXT NOT NULL,
	secret BLOB NOT NULL,
	until  INTEGER NOT NULL, -- when the holder gives it up anyway, in seconds since 1970
	PRIMARY KEY (peer, share)
) STRICT`

// A holdRecord is what is kept of a copy that is held for somebody.
type holdRecord struct {
	Owner peer.ID
	Offer share.Offer
	Since time.Time
	Until time.Time
	Whole bool
}

func (s *Shares) loadHolds(ctx context.Context) (all []holdRecord, err error) {
	err = s.DB.View(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT record FROM share_holds ORDER BY id`)
		if err != nil {
			return err
		}
		defer rows.Close() //nolint:errcheck // Err tells
		for rows.Next() {
			var text string
			var r holdRecord
			if err := rows.Scan(&text); err != nil {
				return err
			}
			if err := json.Unmarshal([]byte(text), &r); err != nil {
				return err
			}
			all = append(all, r)
		}
		return rows.Err()
	})
	return all, err
}

func (s *Shares) putHold(ctx context.Context, r holdRecord) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return s.DB.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO share_holds VALUES (?, ?)`, r.Offer.HeldID(r.Owner).String(), string(text))
		return err
	})
}

func (s *Shares) dropHold(ctx context.Context, id share.ID) error {
	return s.DB.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM share_holds WHERE id = ?`, id.String())
		return err
	})
}

// A withdrawal is what a holder is still to be told: that a share is to be held no more.
type withdrawal struct {
	peer   peer.ID
	share  share.ID
	secret []byte
}

func (s *Shares) putWithdrawals(ctx context.Context, r *record, until time.Time) error {
	return s.DB.Update(ctx, func(tx *sql.Tx) error {
		for _, id := range r.Holders {
			if _, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO share_drops VALUES (?, ?, ?, ?)`, id.String(), r.ID.String(), r.Secret, until.Unix()); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Shares) dropWithdrawal(ctx context.Context, w withdrawal) error {
	return s.DB.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM share_drops WHERE peer = ? AND share = ?`, w.peer.String(), w.share.String())
		return err
	})
}

// withdrawals returns what is still to be told, and forgets what nobody needs to be told any more.
func (s *Shares) withdrawals(ctx context.Context) (all []withdrawal, err error) {
	err = s.DB.Update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM share_drops WHERE until < ?`, time.Now().Unix()); err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, `SELECT peer, share, secret FROM share_drops ORDER BY peer, share`)
		if err != nil {
			return err
		}
		defer rows.Close() //nolint:errcheck // Err tells
		for rows.Next() {
			var w withdrawal
			var who, which string
			if err := rows.Scan(&who, &which, &w.secret); err != nil {
				return err
			}
			if w.peer, err = peer.ParseID(who); err != nil {
				return err
			}
			if err := w.share.UnmarshalText([]byte(which)); err != nil {
				return err
			}
			all = append(all, w)
		}
		return rows.Err()
	})
	return all, err
}
