package mailbox

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"time"

	"github.com/tenon-net/tenon/internal/store"
)

var steps = []string{`
CREATE TABLE mailbox_salt (salt BLOB NOT NULL) STRICT;
CREATE TABLE mailbox_blobs (
	blob    INTEGER PRIMARY KEY,
	box     BLOB NOT NULL,                         -- its public key
	id      BLOB NOT NULL,
	owner   BLOB NOT NULL,                         -- whose it is: of no use to who does not know the salt and guesses
	arrived INTEGER NOT NULL,                      -- milliseconds since 1970
	size    INTEGER NOT NULL,
	bytes   BLOB NOT NULL,
	UNIQUE (box, id)
) STRICT;
CREATE INDEX mailbox_arrived ON mailbox_blobs (arrived);
CREATE INDEX mailbox_used ON mailbox_blobs (owner, size)`}

// An owner is on whose account something is kept. Its first byte is 1 for friends.
type owner [16]byte

func (a owner) guest() bool { return a[0] == 0 }

// A keep is what is on disk.
type keep struct {
	db   *store.DB
	salt []byte
}

func (k *keep) open(ctx context.Context, db *store.DB) error {
	k.db = db
	if err := db.Migrate(ctx, "mailbox", steps...); err != nil {
		return err
	}
	return db.Update(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `SELECT salt FROM mailbox_salt`).Scan(&k.salt)
		if err != sql.ErrNoRows {
			return err
		}
		k.salt = make([]byte, 32)
		rand.Read(k.salt) //nolint:errcheck // it does not fail
		_, err = tx.ExecContext(ctx, `INSERT INTO mailbox_salt VALUES (?)`, k.salt)
		return err
	})
}

// owner makes one of the name of who asks, from which the name cannot be read.
func (k *keep) owner(c Caller) (a owner) {
	h := hmac.New(sha256.New, k.salt)
	h.Write([]byte(c.Name))
	copy(a[:], h.Sum(nil))
	a[0] = 0
	if c.Friend {
		a[0] = 1
	}
	return a
}

// A row is what is kept of a blob beside its bytes.
type row struct {
	box  ID
	id   ID
	who  owner
	size int64
}

func scanRows(rows *sql.Rows, f func(row)) error {
	defer rows.Close() //nolint:errcheck // rows.Err tells
	for rows.Next() {
		var box, id, who []byte
		var r row
		if err := rows.Scan(&box, &id, &who, &r.size); err != nil {
			return err
		}
		copy(r.box[:], box)
		copy(r.id[:], id)
		copy(r.who[:], who)
		f(r)
	}
	return rows.Err()
}

// used calls f with how much there is on each account.
func (k *keep) used(ctx context.Context, f func(owner, usage)) error {
	return k.db.View(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT owner, sum(size), count(*) FROM mailbox_blobs GROUP BY owner`)
		if err != nil {
			return err
		}
		defer rows.Close() //nolint:errcheck // rows.Err tells
		for rows.Next() {
			var who []byte
			var u usage
			if err := rows.Scan(&who, &u.bytes, &u.blobs); err != nil {
				return err
			}
			f(owner(who), u)
		}
		return rows.Err()
	})
}

// since calls f with how much has come from each account into each box since a time.
func (k *keep) since(ctx context.Context, from time.Time, f func(ID, owner, usage)) error {
	return k.db.View(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT box, owner, sum(size), count(*) FROM mailbox_blobs WHERE arrived >= ? GROUP BY box, owner`, from.UnixMilli())
		if err != nil {
			return err
		}
		defer rows.Close() //nolint:errcheck // rows.Err tells
		for rows.Next() {
			var box, who []byte
			var u usage
			if err := rows.Scan(&box, &who, &u.bytes, &u.blobs); err != nil {
				return err
			}
			f(ID(box), owner(who), u)
		}
		return rows.Err()
	})
}

// count returns how many blobs a box has.
func (k *keep) count(ctx context.Context, box ID) (n int, err error) {
	err = k.db.View(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `SELECT count(*) FROM mailbox_blobs WHERE box = ?`, box[:]).Scan(&n)
	})
	return n, err
}

// box calls f with all that is in a box.
func (k *keep) box(ctx context.Context, box ID, f func(row)) error {
	return k.db.View(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT box, id, owner, size FROM mailbox_blobs WHERE box = ?`, box[:])
		if err != nil {
			return err
		}
		return scanRows(rows, f)
	})
}

// put keeps blobs, all or none of them. When it returns, they outlive whatever happens.
func (k *keep) put(ctx context.Context, box ID, who owner, ids []ID, blobs [][]byte) error {
	now := time.Now().UnixMilli()
	return k.db.Update(ctx, func(tx *sql.Tx) error {
		for i, b := range blobs {
			if _, err := tx.ExecContext(ctx, `INSERT INTO mailbox_blobs (box, id, owner, arrived, size, bytes) VALUES (?, ?, ?, ?, ?, ?)`,
				box[:], ids[i][:], who[:], now, len(b), b); err != nil {
				return err
			}
		}
		return nil
	})
}

// get returns those of the blobs that are there: as many as come to about so many bytes, and how many of the IDs that
// was.
func (k *keep) get(ctx context.Context, box ID, ids []ID, fill int) (blobs [][]byte, done int, err error) {
	err = k.db.View(ctx, func(tx *sql.Tx) error {
		for _, id := range ids {
			var b []byte
			switch err := tx.QueryRowContext(ctx, `SELECT bytes FROM mailbox_blobs WHERE box = ? AND id = ?`, box[:], id[:]).Scan(&b); err {
			case nil:
				blobs = append(blobs, b)
			case sql.ErrNoRows:
			default:
				return err
			}
			if done++; fill < len(b) {
				return nil
			}
			fill -= len(b)
		}
		return nil
	})
	return blobs, done, err
}

// sweep deletes up to so many blobs that came before a time, and calls f with each.
func (k *keep) sweep(ctx context.Context, before time.Time, most int, f func(row)) error {
	return k.db.Update(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `DELETE FROM mailbox_blobs WHERE blob IN (SELECT blob FROM mailbox_blobs WHERE arrived < ? LIMIT ?)
			RETURNING box, id, owner, size`, before.UnixMilli(), most)
		if err != nil {
			return err
		}
		return scanRows(rows, f)
	})
}
