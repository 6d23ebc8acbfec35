package store

import (
	"database/sql"
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
