package store

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Update waits for the disk, with others let in meanwhile, and UpdateSoon does not.
func TestSync(t *testing.T) {
	ctx := t.Context()
	d, err := Open(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close() //nolint:errcheck // it is a test
	if err := d.Migrate(ctx, "test", `CREATE TABLE numbers (n INTEGER)`); err != nil {
		t.Fatal(err)
	}
	add := func(update func(context.Context, func(*sql.Tx) error) error) error {
		return update(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `INSERT INTO numbers VALUES (1)`)
			return err
		})
	}
	count := func() (n int) {
		err := d.View(ctx, func(tx *sql.Tx) error { return tx.QueryRowContext(ctx, `SELECT count(*) FROM numbers`).Scan(&n) })
		if err != nil {
			t.Error(err)
		}
		return n
	}
	var synced []string
	var failure error
	d.sync = func(path string) error {
		synced = append(synced, path)
		if n := count(); n == 0 { // nobody could read, if the connection were in use
			t.Error("it is synced before it is there")
		}
		if failure != nil {
			return failure
		}
		return syncFile(path)
	}
	if err := add(d.UpdateSoon); err != nil || len(synced) > 0 || count() != 1 {
		t.Errorf("soon: %v, %q, %d", err, synced, count())
	}
	if err := add(d.Update); err != nil || len(synced) != 1 || !strings.HasSuffix(synced[0], File+"-wal") || count() != 2 {
		t.Errorf("%v, %q, %d", err, synced, count())
	}
	failed := errors.New("input/output error")
	if err := d.Update(ctx, func(*sql.Tx) error { return failed }); !errors.Is(err, failed) || len(synced) != 1 {
		t.Errorf("what has failed is synced: %v, %q", err, synced)
	}
	failure = failed
	if err := add(d.Update); !errors.Is(err, failed) || !strings.Contains(err.Error(), File) {
		t.Errorf("the disk has failed: %v", err)
	}
	failure = &fs.PathError{Op: "open", Err: fs.ErrNotExist}
	if err := add(d.Update); err != nil {
		t.Errorf("there is no log any more: %v", err)
	}
}

// Where the log is not there, whoever is asked to have it on the disk says so, and makes none.
func TestSyncOfNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wal")
	if err := syncFile(path); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("it was made")
	}
}
