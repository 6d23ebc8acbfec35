package shares

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/share"
	"github.com/tenon-net/tenon/internal/share/scan"
	"github.com/tenon-net/tenon/internal/share/stage"
	"github.com/tenon-net/tenon/internal/share/tree"
)

const handedTable = `
CREATE TABLE shares_handed ( -- what was fetched from rooms and is handed on
	n      INTEGER PRIMARY KEY,
	id     TEXT NOT NULL UNIQUE,
	record TEXT NOT NULL -- in JSON
) STRICT`

// A handed is what is kept of what was fetched from a room, so that the next node of this user goes on with handing it on.
type handed struct {
	Ticket  string // which has the root
	Room    string
	Message string
	Target  string
	Paths   []string // where it is now
	Names   []string // and what each is called in the share
}

// maxHanded is how many shares that were fetched from rooms are handed on at a time, by the node that has them: the latest.
const maxHanded = 32

// handOn notes that all is there, and where, and has the oldest of too many end.
func (f *fetching) handOn(paths []string) {
	s := f.of
	s.mu.Lock()
	defer s.mu.Unlock()
	f.handing, f.paths = true, paths
	if s.handed = append(s.handed, f); len(s.handed) > maxHanded {
		s.handed[0].stop(errEnough)
		s.handed = s.handed[1:]
	}
}

var errEnough = errors.New("others are handed on now")

// keep puts on record what is handed on, if it is all of a share whose root is known: else the next node could not tell whether it is
// the same.
func (f *fetching) keep(ctx context.Context, st *stage.Stage) error {
	if f.of.Passing || f.want != nil || f.ticket.Root == (tree.Hash{}) {
		return nil
	}
	h := handed{Ticket: f.attached.Ticket, Room: f.attached.Room, Message: f.attached.Message, Target: f.target}
	for _, name := range st.Tops() {
		h.Paths = append(h.Paths, filepath.Join(f.target, name))
	}
	for _, e := range f.share.Index().From(0) {
		if !strings.Contains(e.Path, "/") {
			h.Names = append(h.Names, e.Path)
		}
	}
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	return f.of.DB.Update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM shares_handed WHERE id = ?`, f.ticket.ID.String()); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO shares_handed (id, record) VALUES (?, ?)`, f.ticket.ID.String(), string(text)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM shares_handed WHERE n <= (SELECT n FROM shares_handed ORDER BY n DESC LIMIT 1 OFFSET ?)`, maxHanded)
		return err
	})
}

// unkeep forgets what is not handed on any more.
func (s *Shares) unkeep(id string) {
	ctx := context.WithoutCancel(s.life)
	if err := s.DB.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM shares_handed WHERE id = ?`, id)
		return err
	}); err != nil {
		s.Host.Tell(api.Event{Type: "warning", Text: err.Error()})
	}
}

// serve answers those who come, until nobody shall have the share any more, others are handed on, or the node ends.
func (f *fetching) serve(ctx context.Context) {
	f.unjoin()
	select {
	case <-ctx.Done():
	case <-f.ended:
	}
}

// HandOn goes on with handing on what an earlier node has fetched from rooms, as far as it was said there still. It is called when
// the rooms are there.
func (s *Shares) HandOn(ctx context.Context) error {
	if s.Passing {
		return nil
	}
	type kept struct{ id, record string }
	var all []kept
	if err := s.DB.View(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT id, record FROM shares_handed ORDER BY n`)
		if err != nil {
			return err
		}
		defer rows.Close() //nolint:errcheck // Err tells
		for rows.Next() {
			var k kept
			if err := rows.Scan(&k.id, &k.record); err != nil {
				return err
			}
			all = append(all, k)
		}
		return rows.Err()
	}); err != nil {
		return err
	}
	for _, k := range all {
		var h handed
		err := json.Unmarshal([]byte(k.record), &h)
		var f *fetching
		if s.has(k.id) {
			continue
		}
		if err == nil && len(h.Paths) == len(h.Names) && s.Host.Stands(ctx, h.Room, h.Message) {
			f, err = s.newFetching(api.FetchRequest{Ticket: h.Ticket, Target: h.Target}, func(api.FetchEvent) {})
		}
		if f == nil || err != nil {
			s.unkeep(k.id)
			continue
		}
		f.attached, f.stuck, f.unjoin = &Attached{Room: h.Room, Message: h.Message, Ticket: h.Ticket}, make(chan error, 1), func() {}
		ctx, done, err := s.begin(s.life, f)
		if err != nil {
			continue // it is fetched already, or the node ends
		}
		f.handOn(h.Paths)
		if !s.task(func() { defer done(); f.again(ctx, h) }) {
			done()
		}
	}
	return nil
}

// has tells whether a share is fetched or handed on already.
func (s *Shares) has(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.fetching {
		if f.ticket.ID.String() == id {
			return true
		}
	}
	return false
}

// again hands on what is there, if it is what has come.
func (f *fetching) again(ctx context.Context, h handed) {
	err := f.handAgain(ctx, h)
	if f.of.life.Err() != nil {
		return // the next node goes on
	}
	f.of.unkeep(f.ticket.ID.String())
	if err == nil || ctx.Err() != nil {
		return
	}
	f.of.Host.Tell(api.Event{Type: "warning", Text: fmt.Sprintf("%s, that was fetched from %s, is not what it was and is not handed on any more: %v", f.name(), f.of.Host.CalledRoom(h.Room), err)})
}

// handAgain serves files where they are. Their names and times, and what is in them, make the root again that the ticket has, or
// nothing is served.
func (f *fetching) handAgain(ctx context.Context, h handed) error {
	var list bytes.Buffer
	var hash tree.Hasher
	files, err := scan.New(scan.Config{Paths: h.Paths, Names: h.Names, Cache: f.of.Dir, Add: func(p []byte, _ bool) error {
		list.Write(p)
		_, err := hash.Write(p)
		return err
	}})
	if err != nil {
		return err
	}
	defer files.Close() //nolint:errcheck // only what makes the next start slower is lost
	if err := files.Run(ctx); err != nil {
		return err
	}
	root, err := hash.Sum()
	if err != nil {
		return err
	}
	if root != f.ticket.Root {
		return tree.ErrChanged
	}
	f.begin(f.config(files))
	defer f.share.Close() //nolint:errcheck // it returns nil
	if err := f.share.Restore(share.Head{Final: true, Size: int64(list.Len()), Hash: root}, &list); err != nil {
		return err
	}
	var groups int64
	for _, e := range f.share.Index().From(0) {
		groups += tree.Shape(e.Size).Groups()
	}
	f.share.Had(tree.Run{To: groups})
	defer f.of.hub.Put(f.share)()
	f.serve(ctx)
	f.share.Part()
	return nil
}

// lockWithout locks the mutex when that share is not handed on any more: it is fetched again.
func (s *Shares) lockWithout(id share.ID) {
	for {
		s.mu.Lock()
		f := s.fetching[id]
		if f == nil || !f.handing || s.closed {
			return
		}
		s.mu.Unlock()
		f.stop(errEnough)
		<-f.gone
	}
}
