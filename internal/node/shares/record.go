package shares

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/share"
)

// tables are the migrations of this package's tables.
var tables = []string{`
CREATE TABLE shares (
	id     TEXT PRIMARY KEY,
	made   INTEGER NOT NULL, -- in seconds since 1970
	record TEXT NOT NULL     -- in JSON
) STRICT`, banTable, handedTable, holdTables}

// A record is what is kept of a share.
type record struct {
	ID       share.ID
	Secret   []byte // nil = there is none: the share is public
	Made     time.Time
	NotAfter time.Time
	Request  api.ShareRequest
	To       []string  // subjects
	Fetched  []peer.ID // who has got all of it
	Users    []peer.ID // who has, or was sent some of it, if it is for so many only
	Link     string    // the secret of its page; "" if it has none
	Holders  []peer.ID
	Kept     bool   // it is shared whenever the node runs
	Lent     bool   // it is for who it was sent to alone
	Room     string // the ID of that whose members alone may have it; "" = it was said in none
	Message  string // the ID of that by which it was said; "" = it is not known yet
}

// name is what people call the share.
func (r *record) name() string {
	switch {
	case r.Request.Name != "":
		return r.Request.Name
	case len(r.Request.Paths) > 1:
		return fmt.Sprintf("%s and %d more", filepath.Base(r.Request.Paths[0]), len(r.Request.Paths)-1)
	}
	return filepath.Base(r.Request.Paths[0])
}

// over tells whether nobody may begin to fetch the share any more.
func (r *record) over(now time.Time) bool { return !r.NotAfter.IsZero() && now.After(r.NotAfter) }

// lets tells whether a peer is one of those for whom the share is, if it is for so many only: who was
// sent some of it may have the rest, however often it comes.
func (r *record) lets(id peer.ID) bool {
	return r.Request.Uses == 0 || slices.Contains(r.Users, id) || len(r.Users) < r.Request.Uses
}

// use notes that a peer is one of those, and tells whether that is new.
func (r *record) use(id peer.ID) bool {
	if r.Request.Uses == 0 || slices.Contains(r.Users, id) {
		return false
	}
	r.Users = append(r.Users, id)
	return true
}

// clone returns a copy that nobody else changes.
func (r *record) clone() *record {
	c := *r
	c.Fetched, c.Users = slices.Clone(r.Fetched), slices.Clone(r.Users)
	return &c
}

// past tells whether nobody has use for the record any more.
func (r *record) past(now time.Time) bool {
	return r.over(now) || r.Lent && now.After(r.Made.Add(lentFor))
}

// subjects returns to whom the share is restricted; none is no restriction.
func (r *record) subjects() (all []peer.Subject) {
	for _, text := range r.To {
		if s, err := peer.ParseSubject(text); err == nil {
			all = append(all, s)
		}
	}
	return all
}

// load reads all records, and drops those that are over.
func (s *Shares) load(ctx context.Context) (all []*record, err error) {
	if err := s.DB.Migrate(ctx, "shares", tables...); err != nil {
		return nil, err
	}
	err = s.DB.Update(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT record FROM shares ORDER BY made, id`)
		if err != nil {
			return err
		}
		defer rows.Close() //nolint:errcheck // Err tells
		for rows.Next() {
			var text string
			if err := rows.Scan(&text); err != nil {
				return err
			}
			r := new(record)
			if err := json.Unmarshal([]byte(text), r); err != nil {
				return err
			}
			all = append(all, r)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, err
	}
	var good []*record
	for _, r := range all {
		if !r.past(time.Now()) || s.goesOn(r) {
			good = append(good, r)
		} else if err := s.drop(ctx, r.ID); err != nil {
			return nil, err
		}
	}
	return good, nil
}

// put writes a record.
func (s *Shares) put(ctx context.Context, r *record) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return s.DB.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO shares VALUES (?, ?, ?)`, r.ID.String(), r.Made.Unix(), string(text))
		return err
	})
}

// save writes a record of which something has changed, if it was not dropped meanwhile.
func (s *Shares) save(r *record) {
	text, err := json.Marshal(r)
	if err == nil {
		ctx := context.WithoutCancel(s.life)
		err = s.DB.Update(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `UPDATE shares SET record = ? WHERE id = ?`, string(text), r.ID.String())
			return err
		})
	}
	if err != nil {
		s.Host.Tell(api.Event{Type: "warning", Text: r.name() + ": " + err.Error()})
	}
}

// drop removes a record.
func (s *Shares) drop(ctx context.Context, id share.ID) error {
	return s.DB.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM shares WHERE id = ?`, id.String())
		return err
	})
}

// again finds the record of a share of the same files with the same rights, so that a share that is
// begun again has the ticket that it had. How fast it is to be sent, and how carefully, is as asked for now.
func again(all []*record, r *record) *record {
	for _, was := range all {
		request := was.Request
		request.Up, request.Check = r.Request.Up, r.Request.Check
		used := was.Request.Uses > 0 && len(was.Fetched) >= was.Request.Uses
		if !used && was.Lent == r.Lent && was.Room == r.Room && was.NotAfter.IsZero() && r.NotAfter.IsZero() && strings.Join(was.To, ",") == strings.Join(r.To, ",") && reflect.DeepEqual(request, r.Request) {
			was.Request = request
			return was
		}
	}
	return nil
}
