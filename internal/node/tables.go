package node

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
)

// tables are the migrations of this package's tables. Times are in seconds since 1970;
// 0 is never. Subjects and IDs are the texts of package peer.
var tables = []string{`
CREATE TABLE peers (
	id      TEXT PRIMARY KEY,
	name    TEXT NOT NULL,
	said    TEXT NOT NULL,
	paired  INTEGER NOT NULL,
	seen    INTEGER NOT NULL,
	blocked INTEGER NOT NULL,
	addrs   TEXT NOT NULL -- a list in JSON
) STRICT;
CREATE TABLE services (
	name    TEXT PRIMARY KEY,
	address TEXT NOT NULL
) STRICT;
CREATE TABLE grants (
	service TEXT NOT NULL,
	subject TEXT NOT NULL,
	PRIMARY KEY (service, subject)
) STRICT, WITHOUT ROWID;
CREATE TABLE tickets ( -- given out
	serial TEXT PRIMARY KEY,
	made   INTEGER NOT NULL,
	record TEXT NOT NULL -- peer.TicketRecord in JSON
) STRICT;
CREATE TABLE held ( -- tickets of others
	issuer  TEXT NOT NULL,
	service TEXT NOT NULL,
	ticket  TEXT NOT NULL,
	expires INTEGER NOT NULL,
	PRIMARY KEY (issuer, service)
) STRICT, WITHOUT ROWID;
CREATE TABLE audit (
	n       INTEGER PRIMARY KEY AUTOINCREMENT,
	time    INTEGER NOT NULL, -- in microseconds
	event   TEXT NOT NULL,
	joint   TEXT NOT NULL,    -- "use" and "end" of one joint have the same
	peer    TEXT NOT NULL,
	name    TEXT NOT NULL,
	service TEXT NOT NULL,
	grounds TEXT NOT NULL,    -- the right
	path    TEXT NOT NULL,
	addr    TEXT NOT NULL,
	took    INTEGER NOT NULL, -- in microseconds
	sent    INTEGER NOT NULL,
	got     INTEGER NOT NULL,
	outcome TEXT NOT NULL
) STRICT;
CREATE INDEX audit_joint ON audit (joint) WHERE event = 'end';
CREATE TRIGGER audit_appends BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is not changed'); END;
CREATE TRIGGER audit_keeps BEFORE DELETE ON audit
WHEN old.n > (SELECT max(n) FROM audit) - 1000000
BEGIN SELECT RAISE(ABORT, 'the audit log keeps its latest million entries'); END;
`, `
CREATE TABLE relayed (
	day   INTEGER NOT NULL, -- since 1970
	peer  TEXT NOT NULL,
	bytes INTEGER NOT NULL,
	PRIMARY KEY (day, peer)
) STRICT, WITHOUT ROWID;
`, `
CREATE TABLE successors ( -- what keys of peers have become
	old TEXT PRIMARY KEY,
	now TEXT NOT NULL
) STRICT, WITHOUT ROWID;
`, `
CREATE TABLE codes ( -- by which others were met lately, to send something
	code  TEXT PRIMARY KEY,
	made  INTEGER NOT NULL,
	peer  TEXT NOT NULL,
	said  TEXT NOT NULL,
	words TEXT NOT NULL,
	given TEXT NOT NULL -- what was; at who has given it, the service
) STRICT, WITHOUT ROWID;
`}

// A person is a peer as it is on record.
type person struct {
	id      peer.ID
	name    peer.Name // "" if it has none
	said    string
	paired  time.Time // zero if it is not
	seen    time.Time
	blocked bool
	addrs   []string
}

// A held ticket is one that somebody gave to this user.
type held struct {
	issuer  peer.ID
	service peer.Service // "" = it only tells who and where the issuer is
	ticket  string
	expires time.Time
}

// facts are what the database has, in memory. They are read from it once, and changed
// after it was.
type facts struct {
	people   map[peer.ID]*person
	services map[peer.Service]string // addresses
	grants   map[peer.Service][]peer.Subject
	tickets  map[peer.Serial]*peer.TicketRecord
	made     map[peer.Serial]time.Time
	held     map[heldKey]held
	heirs    map[peer.ID]peer.ID // of keys that peers have had, the ones that they have
}

type heldKey struct {
	issuer  peer.ID
	service peer.Service
}

// Limits of what is on record.
const (
	maxPeople   = 10000
	maxServices = 1000
	maxTickets  = 10000 // given out
	maxHeld     = 1000
	maxGrants   = 1000 // of a service
	maxAddrs    = 32   // of a peer
)

func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func fromUnix(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

// load reads all there is. What makes no sense is an error: it is this program that
// wrote it.
func load(ctx context.Context, tx *sql.Tx) (*facts, error) {
	f := &facts{map[peer.ID]*person{}, map[peer.Service]string{}, map[peer.Service][]peer.Subject{},
		map[peer.Serial]*peer.TicketRecord{}, map[peer.Serial]time.Time{}, map[heldKey]held{}, map[peer.ID]peer.ID{}}
	for _, table := range []struct {
		query string
		row   func(scan func(...any) error) error
	}{
		{`SELECT id, name, said, paired, seen, blocked, addrs FROM peers`, f.loadPerson},
		{`SELECT name, address FROM services`, func(scan func(...any) error) error {
			var name, address string
			err := scan(&name, &address)
			f.services[peer.Service(name)] = address
			return err
		}},
		{`SELECT service, subject FROM grants ORDER BY service, subject`, func(scan func(...any) error) error {
			var service, subject string
			if err := scan(&service, &subject); err != nil {
				return err
			}
			s, err := peer.ParseSubject(subject)
			f.grants[peer.Service(service)] = append(f.grants[peer.Service(service)], s)
			return err
		}},
		{`SELECT serial, made, record FROM tickets`, f.loadTicket},
		{`SELECT issuer, service, ticket, expires FROM held`, func(scan func(...any) error) error {
			var issuer, service, text string
			var expires int64
			if err := scan(&issuer, &service, &text, &expires); err != nil {
				return err
			}
			id, err := peer.ParseID(issuer)
			f.held[heldKey{id, peer.Service(service)}] = held{id, peer.Service(service), text, fromUnix(expires)}
			return err
		}},
		{`SELECT old, now FROM successors`, func(scan func(...any) error) error {
			var texts [2]string
			if err := scan(&texts[0], &texts[1]); err != nil {
				return err
			}
			old, err := peer.ParseID(texts[0])
			if err != nil {
				return err
			}
			f.heirs[old], err = peer.ParseID(texts[1])
			return err
		}},
	} {
		if err := each(ctx, tx, table.query, table.row); err != nil {
			return nil, fmt.Errorf("%s: %w", table.query, err)
		}
	}
	return f, nil
}

// each calls row for every row of a query.
func each(ctx context.Context, tx *sql.Tx, query string, row func(scan func(...any) error) error, args ...any) error {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // Err tells
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (f *facts) loadPerson(scan func(...any) error) error {
	var id, name, said, addrs string
	var paired, seen, blocked int64
	if err := scan(&id, &name, &said, &paired, &seen, &blocked, &addrs); err != nil {
		return err
	}
	p := &person{name: peer.Name(name), said: said, paired: fromUnix(paired), seen: fromUnix(seen), blocked: blocked != 0}
	var err error
	if p.id, err = peer.ParseID(id); err != nil {
		return err
	}
	f.people[p.id] = p
	return json.Unmarshal([]byte(addrs), &p.addrs)
}

func (f *facts) loadTicket(scan func(...any) error) error {
	var text, record string
	var made int64
	if err := scan(&text, &made, &record); err != nil {
		return err
	}
	serial, err := peer.ParseSerial(text)
	if err != nil {
		return err
	}
	r := new(peer.TicketRecord)
	f.tickets[serial], f.made[serial] = r, fromUnix(made)
	return json.Unmarshal([]byte(record), r)
}

// putTicket writes the record of a ticket.
func putTicket(ctx context.Context, tx *sql.Tx, serial peer.Serial, made time.Time, r *peer.TicketRecord) error {
	record, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT OR REPLACE INTO tickets VALUES (?, ?, ?)`, serial.String(), made.Unix(), string(record))
	return err
}

// put writes a person.
func put(ctx context.Context, tx *sql.Tx, p *person) error {
	addrs, err := json.Marshal(p.addrs)
	if err != nil {
		return err
	}
	blocked := 0
	if p.blocked {
		blocked = 1
	}
	_, err = tx.ExecContext(ctx, `INSERT OR REPLACE INTO peers VALUES (?, ?, ?, ?, ?, ?, ?)`,
		p.id.String(), string(p.name), p.said, unix(p.paired), unix(p.seen), blocked, string(addrs))
	return err
}
