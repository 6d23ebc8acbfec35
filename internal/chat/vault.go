package chat

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"database/sql"
	"errors"
	"slices"
	"sync"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/store"
)

var steps = []string{`
CREATE TABLE chat_places (                             -- rooms that we are in, or may be
	room     BLOB PRIMARY KEY,
	state    INTEGER NOT NULL,
	secrets  BLOB NOT NULL,                        -- sealed: by what members meet; seed of the invite, or zeros
	via      BLOB NOT NULL,                        -- the event that lets us in
	hosts    BLOB NOT NULL,                        -- peers that may let us in
	name     TEXT NOT NULL,
	inviter  BLOB NOT NULL,
	receipts INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE chat_secrets (
	room   BLOB NOT NULL,
	epoch  BLOB NOT NULL,
	secret BLOB NOT NULL,                          -- sealed
	PRIMARY KEY (room, epoch)
) STRICT, WITHOUT ROWID;
CREATE TABLE chat_prekeys (
	time   INTEGER PRIMARY KEY,
	prekey BLOB NOT NULL,
	secret BLOB NOT NULL                           -- sealed
) STRICT;
CREATE TABLE chat_calls (                              -- rooms that were not offered yet to who was added
	room BLOB NOT NULL,
	peer BLOB NOT NULL,
	PRIMARY KEY (room, peer)
) STRICT, WITHOUT ROWID`, `
CREATE TABLE chat_devices (                            -- devices of the user's that were linked, or removed
	device BLOB PRIMARY KEY,
	cert   BLOB NOT NULL,                          -- of this device, if it was linked: the certificate; else empty
	gone   INTEGER NOT NULL                        -- it was removed
) STRICT, WITHOUT ROWID`}

// A vault keeps the secrets of a device in the database, sealed with a key that only who has the identity of
// the [Config] can work out: a copy of the database alone opens no message. The key of the device may change.
type vault struct {
	db   *store.DB
	aead cipher.AEAD

	mu      sync.Mutex  // guards what follows
	prekeys []ownPrekey // in the order of their times
}

var errVault = errors.New("the database is another one's: its secrets cannot be opened with this key")

func (v *vault) open(ctx context.Context, db *store.DB, identity *peer.Key) error {
	key, err := hkdf.Key(sha256.New, identity.SignAs(peer.ContextChatKeep, nil), nil, string(peer.ContextChatKeep), 32)
	if err != nil {
		return err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	if v.aead, err = cipher.NewGCMWithRandomNonce(block); err != nil {
		return err
	}
	v.db = db
	if err := db.Migrate(ctx, "chat secrets", steps...); err != nil {
		return err
	}
	return v.readPrekeys(ctx)
}

func (v *vault) seal(plain, about []byte) []byte { return v.aead.Seal(nil, nil, plain, about) }

func (v *vault) unseal(b, about []byte) ([]byte, error) {
	plain, err := v.aead.Open(nil, nil, b, about)
	if err != nil {
		return nil, errVault
	}
	return plain, nil
}

// keep keeps the secret of an epoch.
func (v *vault) keep(ctx context.Context, room, epoch event.ID, s *event.Secret) error {
	key := s.Reveal()
	return v.exec(ctx, `INSERT OR IGNORE INTO chat_secrets VALUES (?, ?, ?)`, room[:], epoch[:], v.seal(key[:], slices.Concat(room[:], epoch[:])))
}

// secrets returns those of a room.
func (v *vault) secrets(ctx context.Context, room event.ID) (map[event.ID]*event.Secret, error) {
	all := map[event.ID]*event.Secret{}
	return all, v.each(ctx, `SELECT epoch, secret FROM chat_secrets WHERE room = ?`, func(scan func(...any) error) error {
		var epoch, sealed []byte
		if err := scan(&epoch, &sealed); err != nil {
			return err
		}
		plain, err := v.unseal(sealed, slices.Concat(room[:], epoch))
		if err == nil {
			all[event.ID(epoch)] = event.SecretFrom([32]byte(plain))
		}
		return err
	}, room[:])
}

func (v *vault) exec(ctx context.Context, query string, args ...any) error {
	return v.db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, query, args...)
		return err
	})
}

func (v *vault) each(ctx context.Context, query string, f func(scan func(...any) error) error, args ...any) error {
	return v.db.View(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, query, args...)
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
	})
}
