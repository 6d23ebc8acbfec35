// Package store is the database of a node: one SQLite file in a directory that is the
// user's alone. It knows no tables: each package that has some gives their migrations
// to [DB.Migrate]. It is for facts, and few: what people know, grant and do. Files do
// not go in here.
//
// What Update has said yes to outlives a crash of the program and of the system; UpdateSoon is for what can be
// had again (docs/decisions/0030-what-waits-for-the-disk.md).
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"modernc.org/sqlite"

	"github.com/tenon-net/tenon/transport"
)

// File is the name of the database in its directory.
const File = "tenon.db"

// MaxSize is how many bytes the database may have. Who wants to add more gets an error.
const MaxSize = 1 << 30

const (
	pageSize = 4096

	// How many KiB of pages are kept in memory. What may become large has more: a transaction that changes more than fits
	// writes pages several times, and reads them again.
	cache, largeCache = 1 << 10, 8 << 10
)

// pragmas are set for the connection. With synchronous(normal) SQLite has on the disk what must be there lest the
// file be damaged, and Update waits for the rest itself. What follows bounds what the file may take, and what foreign
// content in it could do.
var pragmas = []string{
	fmt.Sprintf("page_size(%d)", pageSize),
	"journal_mode(wal)",
	"synchronous(normal)",
	"busy_timeout(5000)",
	"foreign_keys(on)",
	"trusted_schema(off)",
	"temp_store(memory)",
	"journal_size_limit(4194304)",
	"secure_delete(on)", // keys that were forgotten, and what has disappeared, are
}

// A DB is an open database. Its methods may be called at the same time; they take
// turns.
type DB struct {
	db   *sql.DB
	path string
	sync func(path string) error // has a file on the disk
}

// Open opens the database in dir, and makes both if there is none. Who has the
// directory to himself, as by the lock of an identity, does that before.
func Open(ctx context.Context, dir string) (*DB, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return open(ctx, filepath.Join(dir, File), MaxSize, cache)
}

// OpenFile opens a database that is not the node's one, in a directory that is there: for what
// may become large, so that it cannot fill the other. It may have maxSize bytes, and keeps up to 8 MiB of it in memory.
func OpenFile(ctx context.Context, path string, maxSize int64) (*DB, error) {
	return open(ctx, path, maxSize, largeCache)
}

func open(ctx context.Context, path string, maxSize int64, cache int) (*DB, error) {
	// The driver would make it with the permissions of the umask.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	all := append(slices.Clip(pragmas), fmt.Sprintf("max_page_count(%d)", maxSize/pageSize), fmt.Sprintf("cache_size(-%d)", cache))
	query := url.Values{"_pragma": all, "_txlock": {"immediate"}}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: url.PathEscape(path), RawQuery: query.Encode()}).String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // one at a time is right for SQLite, and holds little memory
	d := &DB{db, path, syncFile}
	err = d.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS migrations (package TEXT PRIMARY KEY, steps INTEGER NOT NULL) STRICT`)
		return err
	})
	if err != nil {
		db.Close() //nolint:errcheck // there is an error already
		return nil, err
	}
	return d, nil
}

// ErrNewer: the database was written by a newer version of the program.
var ErrNewer = errors.New("the database was written by a newer version of tenon")

// Migrate brings the tables of a package up to date: of the steps, SQL each, it takes
// those that were not taken yet, in order, all or none. Steps are only ever added.
func (d *DB) Migrate(ctx context.Context, pkg string, steps ...string) error {
	return d.Update(ctx, func(tx *sql.Tx) error {
		var done int
		err := tx.QueryRowContext(ctx, `SELECT steps FROM migrations WHERE package = ?`, pkg).Scan(&done)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if done > len(steps) {
			return fmt.Errorf("%w: %s has %d steps of %d", ErrNewer, pkg, done, len(steps))
		}
		for i, step := range steps[done:] {
			if _, err := tx.ExecContext(ctx, step); err != nil {
				return fmt.Errorf("tables of %s, step %d: %w", pkg, done+i+1, err)
			}
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO migrations VALUES (?, ?) ON CONFLICT (package) DO UPDATE SET steps = excluded.steps`, pkg, len(steps))
		return err
	})
}

// Prepare has a statement parsed once that is used often; tx.StmtContext has it used in a transaction. It is closed with the DB. It must not be called
// by the f of Update or View.
func (d *DB) Prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	s, err := d.db.PrepareContext(ctx, query)
	return s, d.failed(err)
}

// Update calls f with a transaction. What f has done through it holds if Update returns
// nil, and else nothing of it does, unless it is the disk that fails. F must not keep the transaction, nor call the DB.
//
// It waits for the disk when others may go on already, which SQLite would not let them, and only for the data, where SQLite, as it is
// built here, would wait for whatever else of the file system has changed, too.
func (d *DB) Update(ctx context.Context, f func(*sql.Tx) error) error {
	if err := d.UpdateSoon(ctx, f); err != nil {
		return err
	}
	err := d.sync(d.path + "-wal")
	if errors.Is(err, fs.ErrNotExist) { // the connection was closed, by which it is in the file itself
		err = nil
	}
	return d.failed(err)
}

// UpdateSoon is Update without waiting for the disk: what f has done outlives a crash of the program, but a crash of the system may take
// it back, unless an Update has returned since. It never takes back a part: of what is there, all that was done before is there.
func (d *DB) UpdateSoon(ctx context.Context, f func(*sql.Tx) error) error { return d.do(ctx, nil, f) }

// View is Update for an f that only reads.
func (d *DB) View(ctx context.Context, f func(*sql.Tx) error) error {
	return d.do(ctx, &sql.TxOptions{ReadOnly: true}, f)
}

func (d *DB) do(ctx context.Context, o *sql.TxOptions, f func(*sql.Tx) error) error {
	tx, err := d.db.BeginTx(ctx, o)
	if err != nil {
		return d.failed(err)
	}
	defer tx.Rollback() //nolint:errcheck // it does nothing after Commit
	if err := f(tx); err != nil {
		return err
	}
	return d.failed(tx.Commit())
}

// Codes of https://www.sqlite.org/rescode.html.
const (
	corrupt      = 11
	full         = 13 // the disk is, or the file has all that it may have
	notADatabase = 26
	noRoomForShm = 4874 // SQLITE_IOERR_SHMSIZE: the file beside it does not become as large as it must
)

// What to do about an error, where that is known.
const (
	whenFull    = "nothing of it was written; it goes on when there is room again"
	whenDamaged = "tenon writes nothing else into this file; a copy of the directory from before can be put back"
)

// failed says which file it is about, and what to do about it.
func (d *DB) failed(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	named := fmt.Errorf("%s: %w", d.path, err)
	if e := (*sqlite.Error)(nil); errors.As(err, &e) {
		return transport.WithHint(named, advice(e.Code()))
	}
	return named
}

// advice is what to do about a code of SQLite. A file is called damaged only if SQLite has
// found it so: whoever puts an old copy back loses what came since.
func advice(code int) string {
	switch {
	case code&0xff == full || code == noRoomForShm:
		return whenFull
	case code&0xff == corrupt || code&0xff == notADatabase:
		return whenDamaged
	}
	return ""
}

// Check looks for damage: for tests, and for doctor.
func (d *DB) Check(ctx context.Context) error {
	var answer string
	err := d.db.QueryRowContext(ctx, `PRAGMA integrity_check(1)`).Scan(&answer)
	if err == nil && answer != "ok" {
		return transport.WithHint(fmt.Errorf("%s: %s", d.path, answer), whenDamaged)
	}
	return d.failed(err)
}

// Close writes the log into the file and closes it.
func (d *DB) Close() error { return d.db.Close() }
