package store

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/transport"
)

// Who has no room left is told that, and not that the file may be damaged: it goes on as it is.
func TestFull(t *testing.T) {
	d, err := Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close() //nolint:errcheck // it is a test
	err = d.Update(t.Context(), func(tx *sql.Tx) error {
		if _, err := tx.Exec(`PRAGMA max_page_count = 4`); err != nil {
			return err
		}
		_, err := tx.Exec(`CREATE TABLE t AS SELECT randomblob(1000000)`)
		return err
	})
	if hint := transport.Hint(d.failed(err)); !strings.Contains(hint, "room again") {
		t.Errorf("%v, with the hint %q", err, hint)
	}
}

// Only a file in which SQLite has found damage is called damaged: not one whose disk is full,
// which SQLite says in more than one way, nor one that it cannot open.
func TestDamaged(t *testing.T) {
	if hint := advice(noRoomForShm); hint != whenFull {
		t.Errorf("no room for the file beside it: %q", hint)
	}
	dir := filepath.Join(t.TempDir(), strings.Repeat("d", 200), strings.Repeat("d", 200), strings.Repeat("d", 200)) // SQLite takes 512 bytes
	if _, err := Open(t.Context(), dir); err == nil || transport.Hint(err) != "" {
		t.Errorf("a path that is too long: %v, with the hint %q", err, transport.Hint(err))
	}
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, File), []byte(strings.Repeat("no database", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), dir); transport.Hint(err) != whenDamaged {
		t.Errorf("damage: %v, with the hint %q", err, transport.Hint(err))
	}
}
