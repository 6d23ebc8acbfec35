package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/internal/store"
	"github.com/tenon-net/tenon/internal/store/storetest"
)

const table = `CREATE TABLE t (n INTEGER PRIMARY KEY) STRICT`

func open(t *testing.T, dir string) *store.DB {
	t.Helper()
	d, err := store.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Check(context.Background()); err != nil && !strings.Contains(err.Error(), "closed") {
			t.Error(err)
		}
		d.Close()
	})
	return d
}

func count(t *testing.T, d *store.DB) (n int) {
	t.Helper()
	err := d.View(t.Context(), func(tx *sql.Tx) error {
		return tx.QueryRow(`SELECT count(*) FROM t`).Scan(&n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestMigrate(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	d := open(t, dir)
	if err := d.Migrate(ctx, "a", table); err != nil {
		t.Fatal(err)
	}
	bad := d.Migrate(ctx, "a", table, `ALTER TABLE t ADD COLUMN x TEXT`, `nonsense`)
	if bad == nil || !strings.Contains(bad.Error(), "tables of a, step 3") {
		t.Errorf("a step that fails: %v", bad)
	}
	d.Close()
	d = open(t, dir)
	if err := d.Migrate(ctx, "a", table, `ALTER TABLE t ADD COLUMN x TEXT`); err != nil {
		t.Errorf("after a failure nothing is half done: %v", err)
	}
	if err := d.Migrate(ctx, "b"); err != nil {
		t.Error(err)
	}
	if err := d.Migrate(ctx, "a", table); !errors.Is(err, store.ErrNewer) {
		t.Errorf("an older program: %v", err)
	}
}

func TestUpdateIsAllOrNothing(t *testing.T) {
	ctx := t.Context()
	d := open(t, t.TempDir())
	if err := d.Migrate(ctx, "a", table); err != nil {
		t.Fatal(err)
	}
	no := errors.New("no")
	err := d.Update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.Exec(`INSERT INTO t VALUES (1)`); err != nil {
			return err
		}
		return no
	})
	if !errors.Is(err, no) || count(t, d) != 0 {
		t.Errorf("%v, and %d rows", err, count(t, d))
	}
}

func TestOnlyTheUserReads(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	d := open(t, dir)
	if err := d.Migrate(t.Context(), "a", table); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, f := range files {
		if fi, err := f.Info(); err != nil || fi.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", f.Name(), fi.Mode(), err)
		}
	}
}

// A child adds rows and says each number once the row is there; it is killed in the
// middle, again and again. Every row it has told must be there.
func TestKilled(t *testing.T) {
	dir, lines := storetest.Killed(t, 5, 50, child)
	told, err := strconv.Atoi(lines[len(lines)-1])
	if err != nil {
		t.Fatal(err)
	}
	d := open(t, dir)
	if got := count(t, d); got < told || told < 250 {
		t.Errorf("%d rows, and %d were said to be there", got, told)
	}
}

func child(dir, _ string) {
	ctx := context.Background()
	d, err := store.Open(ctx, dir)
	if err == nil {
		err = d.Migrate(ctx, "a", table)
	}
	for n := 0; err == nil; fmt.Println(n) {
		err = d.Update(ctx, func(tx *sql.Tx) error {
			if err := tx.QueryRow(`SELECT count(*) + 1 FROM t`).Scan(&n); err != nil {
				return err
			}
			_, err := tx.Exec(`INSERT INTO t VALUES (?)`, n)
			return err
		})
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
