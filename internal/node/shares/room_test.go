package shares

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/internal/share"
	"github.com/tenon-net/tenon/transport"
)

// inRoom has people be in a room, each of whom knows who is.
func inRoom(room string, all ...*person) {
	var ids []peer.ID
	for _, p := range all {
		ids = append(ids, p.net.Self())
	}
	for _, p := range all {
		p.mu.Lock()
		p.members = map[string][]peer.ID{room: ids}
		p.mu.Unlock()
	}
}

// attach shares a file with a room, and returns what is said of it.
func (p *person) attach(room, path string) Attached {
	p.t.Helper()
	s, err := p.Attach(p.t.Context(), api.ShareRequest{Paths: []string{path}}, room)
	must(p.t, err)
	if t, err := share.ParseTicket(s.Ticket); err != nil || !t.Listed || s.Root == "" || t.Root.String() != s.Root {
		p.t.Errorf("the ticket says %+v, %v", t, err)
	}
	return Attached{Room: room, Ticket: s.Ticket, Size: s.Bytes}
}

func (p *person) take(a Attached, target string) error {
	return p.FetchAttached(p.t.Context(), api.FetchRequest{Target: target}, a, func(api.FetchEvent) {})
}

// What was said in a room is for it alone, also after a restart, and no other share of the same file; and when it is detached it is gone.
func TestAttach(t *testing.T) {
	var w peertest.World
	a, b, c := newPerson(t, &w, "a"), newPerson(t, &w, "b"), newPerson(t, &w, "c")
	inRoom("plans", a, b)
	path := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(path, []byte("twelve bytes"), 0o600))
	open, err := a.Share(t.Context(), api.ShareRequest{Paths: []string{path}})
	must(t, err)
	first, second := a.attach("plans", path), a.attach("plans", path)
	if first.Ticket == second.Ticket || first.Ticket == open.Ticket || first.Size != 12 {
		t.Errorf("said is %+v, and %+v", first, second)
	}
	a.end()
	a.start()
	must(t, b.take(first, t.TempDir()))
	if err := c.get(first.Ticket, t.TempDir()); !errors.Is(err, transport.ErrDenied) {
		t.Errorf("who is not in the room: %v", err)
	}
	must(t, c.get(open.Ticket, t.TempDir()))
	must(t, a.Detach(t.Context(), "other", ""))
	must(t, a.Detach(t.Context(), "plans", first.Ticket))
	if err := b.take(first, t.TempDir()); !errors.Is(err, transport.ErrDenied) {
		t.Errorf("what is detached: %v", err)
	}
	must(t, b.take(second, t.TempDir()))
	must(t, a.Said(t.Context(), second.Ticket, "gone"))
	a.end()
	a.start()
	if err := b.take(second, t.TempDir()); !errors.Is(err, transport.ErrDenied) {
		t.Errorf("of which the message is gone: %v", err)
	}
	must(t, a.Detach(t.Context(), "plans", ""))
	if all := a.List(); len(all) != 1 || all[0].ID != open.ID {
		t.Errorf("there are %+v", all)
	}
}

// More than was said does not come, and nothing is replaced, whoever asks for it.
func TestAttachedHostile(t *testing.T) {
	var w peertest.World
	a, b := newPerson(t, &w, "a"), newPerson(t, &w, "b")
	inRoom("plans", a, b)
	path := filepath.Join(t.TempDir(), "-\x1b[2J\u202e")
	must(t, os.WriteFile(path, make([]byte, 200_000), 0o600))
	said, target := a.attach("plans", path), t.TempDir()
	little := said
	little.Size = 199_999
	if err := b.take(little, target); !errors.Is(err, transport.ErrDenied) {
		t.Errorf("more than was said: %v", err)
	}
	if err := b.FetchAttached(t.Context(), api.FetchRequest{Target: target, Overwrite: true}, said, nil); !errors.Is(err, transport.ErrUsage) {
		t.Errorf("something is to be replaced: %v", err)
	}
	must(t, os.WriteFile(filepath.Join(target, "__[2J_"), []byte("mine"), 0o600))
	must(t, b.take(said, target))
	if p, err := os.ReadFile(filepath.Join(target, "__[2J_")); err != nil || string(p) != "mine" {
		t.Errorf("mine is %q, %v", p, err)
	}
	if fi, err := os.Stat(filepath.Join(target, "__[2J_ (2)")); err != nil || fi.Size() != 200_000 {
		t.Errorf("it is %v, %v", fi, err)
	}
}

// handsOn waits until so many shares are handed on, whole.
func (p *person) handsOn(n int) {
	p.t.Helper()
	late := time.After(time.Minute)
	for {
		whole := 0
		for _, s := range p.List() {
			if s.State == api.ShareGetting && s.Bytes > 0 && s.Have == s.Bytes {
				whole++
			}
		}
		if whole == n {
			return
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-late:
			p.t.Fatalf("%d of %d are handed on: %+v", whole, n, p.List())
		}
	}
}

// The next node hands on what was fetched from rooms, whatever is in it, and by whatever name it is there; until it is not what it was,
// its message is gone, or the room was left. None of this lets strangers in.
func TestAttachedHandedOnAgain(t *testing.T) {
	var w peertest.World
	a, b, c := newPerson(t, &w, "a"), newPerson(t, &w, "b"), newPerson(t, &w, "c")
	inRoom("plans", a, b, c)
	from, to := t.TempDir(), t.TempDir()
	folder := filepath.Join(from, "folder")
	must(t, os.MkdirAll(filepath.Join(folder, "empty"), 0o700))
	must(t, os.WriteFile(filepath.Join(folder, "large"), bytes.Repeat([]byte("0123456789"), 300_000), 0o600))
	must(t, os.WriteFile(filepath.Join(folder, "program"), []byte("#!/bin/sh\n"), 0o700))
	must(t, os.WriteFile(filepath.Join(folder, "nothing"), nil, 0o600))
	must(t, os.Symlink("program", filepath.Join(folder, "link")))
	f, err := os.Create(filepath.Join(folder, "holes"))
	must(t, err)
	must(t, errors.Join(f.Truncate(3<<20), f.Close()))
	must(t, os.WriteFile(filepath.Join(from, "-x"), []byte("twelve bytes"), 0o600))
	must(t, os.Mkdir(filepath.Join(to, "folder"), 0o700)) // the name is taken
	must(t, os.WriteFile(filepath.Join(to, "folder", "x"), nil, 0o600))
	said := []Attached{a.attach("plans", folder), a.attach("plans", filepath.Join(from, "-x"))}
	for _, x := range said {
		must(t, b.take(x, to))
	}
	a.end()
	for range 2 {
		b.end()
		b.start()
		must(t, b.HandOn(t.Context()))
		must(t, b.HandOn(t.Context())) // the network was another one: they go on
		b.handsOn(2)
	}
	if b.Expects(a.net.Self()) {
		t.Error("strangers are let in")
	}
	for _, x := range said {
		x.Peers = []peer.ID{b.net.Self()}
		must(t, c.take(x, t.TempDir()))
	}

	// What is fetched again is handed on from where it is then.
	more := t.TempDir()
	said[1].Peers = []peer.ID{c.net.Self()}
	must(t, b.take(said[1], more))
	b.end()
	must(t, os.WriteFile(filepath.Join(to, "_x"), []byte("TWELVE BYTES"), 0o600))
	must(t, os.WriteFile(filepath.Join(to, "folder (2)", "large"), bytes.Repeat([]byte("0123456780"), 300_000), 0o600))
	b.start()
	must(t, b.HandOn(t.Context()))
	b.handsOn(1)
	must(t, b.Detach(t.Context(), "plans", ""))
	b.end()
	b.start()
	must(t, b.HandOn(t.Context()))
	if all := b.List(); len(all) != 0 {
		t.Errorf("there are %+v", all)
	}
	a.start()
}

// Of what was fetched the latest is handed on; what is interrupted is not, and goes on.
func TestAttachedHandedOn(t *testing.T) {
	var w peertest.World
	a, b := newPerson(t, &w, "a"), newPerson(t, &w, "b")
	inRoom("plans", a, b)
	path := filepath.Join(t.TempDir(), "file")
	var first Attached
	for i := range maxHanded + 2 {
		must(t, os.WriteFile(path, []byte{byte(i)}, 0o600))
		said := a.attach("plans", path)
		if i == 0 {
			first = said
		}
		must(t, b.take(said, t.TempDir()))
	}
	b.Shares.mu.Lock()
	n := len(b.handed)
	b.Shares.mu.Unlock()
	if n != maxHanded {
		t.Errorf("%d are handed on", n)
	}
	b.end()
	b.start()
	must(t, b.HandOn(t.Context()))
	b.handsOn(maxHanded)
	inRoom("others", a, b)
	b.end()
	b.start()
	must(t, b.HandOn(t.Context()))
	if all := b.List(); len(all) != 0 {
		t.Errorf("who has left hands on %+v", all)
	}
	inRoom("plans", a, b)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := b.FetchAttached(ctx, api.FetchRequest{Target: t.TempDir()}, first, func(api.FetchEvent) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("what was interrupted: %v", err)
	}
}
