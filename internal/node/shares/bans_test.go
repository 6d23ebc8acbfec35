package shares

import (
	"bytes"
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/internal/share"
	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/scan"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// A liar shares files, and sends others.
type liar struct{ *scan.Scan }

func (l *liar) Got(tree.Run) {}

func (l *liar) Open(n int, e manifest.Entry) (share.Blob, error) {
	b, err := l.Scan.Open(n, e)
	return wrong{b}, err
}

type wrong struct{ share.Blob }

func (wrong) Trusted() bool { return true }

func (w wrong) ReadAt(p []byte, off int64) (int, error) {
	n, err := w.Blob.ReadAt(p, off)
	if off > 0 {
		p[0] ^= 1
	}
	return n, err
}

// Who has sent a wrong byte is not asked again, also by the next node, until the user says so.
func TestBans(t *testing.T) {
	var world peertest.World
	mallory, bob := world.Node("mallory", nil), newPerson(t, &world, "bob")
	defer mallory.Close()
	dir := filepath.Join(t.TempDir(), "files")
	must(t, os.Mkdir(dir, 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "a"), bytes.Repeat([]byte("a"), 200_000), 0o644))
	l := new(liar)
	s := share.New(share.Config{Self: mallory.Self(), ID: share.ID{1}, Sharer: mallory.Self(), Store: l})
	defer s.Close()
	var err error
	l.Scan, err = scan.New(scan.Config{Paths: []string{dir}, Add: func(p []byte, final bool) error { return s.Add(p, final, mallory.Key().SignAs) }})
	must(t, err)
	defer l.Scan.Close()
	must(t, l.Scan.Run(t.Context()))
	var hub share.Hub
	defer hub.Put(s)()
	defer mallory.Serve(share.Proto, hub.Handle)()
	ticket, err := share.Ticket{ID: share.ID{1}, Sharer: mallory.Self(), Root: s.Status().Root}.Encode()
	must(t, err)

	// fetch fetches until it is told that somebody is not asked, and returns how.
	fetch := func(forgive bool) (note string) {
		t.Helper()
		r := api.FetchRequest{Ticket: ticket, Target: t.TempDir(), Forgive: forgive}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if err := bob.Fetch(ctx, r, func(e api.FetchEvent) {
			if e.Type == api.FetchNote && e.Peer == mallory.Self().Short() && strings.Contains(e.Text, "wrong data") {
				if note == "" {
					note = e.Text
				}
				cancel()
			}
		}); err == nil {
			t.Error("what is wrong has come")
		}
		return note
	}
	const place = "files/a, at byte 65536"
	if note := fetch(false); !strings.HasPrefix(note, "has sent wrong data and is not asked any more: "+place) {
		t.Error(note)
	}
	bob.end()
	bob.start()
	if note := fetch(false); note != "has sent wrong data before, and is not asked: "+place+"; --forgive asks again" {
		t.Error(note)
	}
	all, err := bob.bans(t.Context(), share.ID{1})
	must(t, err)
	if len(all) != 1 || all[0].Peer != mallory.Self() || all[0].File != "files/a" || all[0].Offset != 65536 || time.Since(all[0].When) > time.Hour {
		t.Errorf("on record: %+v", all)
	}
	if note := fetch(true); !strings.HasPrefix(note, "has sent wrong data and is not asked any more") {
		t.Errorf("when it was forgiven: %s", note)
	}
	if all, err := bob.bans(t.Context(), share.ID{2}); err != nil || len(all) > 0 {
		t.Errorf("of another share: %+v, %v", all, err)
	}

	// Not all that ever was is kept in mind.
	must(t, bob.db.Update(t.Context(), func(tx *sql.Tx) error {
		for i := range maxBans {
			if _, err := tx.Exec(`INSERT INTO share_bans VALUES (?, 'x', ?, '', 0, '')`, i, time.Now().Unix()+10); err != nil {
				return err
			}
		}
		return nil
	}))
	bob.ban(share.ID{2}, share.Event{Peer: mallory.Self(), Err: peer.Blocked})
	count := 0
	must(t, bob.db.View(t.Context(), func(tx *sql.Tx) error { return tx.QueryRow(`SELECT count(*) FROM share_bans`).Scan(&count) }))
	first, err := bob.bans(t.Context(), share.ID{1})
	must(t, err)
	if count != maxBans || len(first) != 0 {
		t.Errorf("there are %d; the first: %v", count, first)
	}
}
