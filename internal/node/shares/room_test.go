package shares

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

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

// Of what was fetched the latest is handed on, until the node ends; what is interrupted is not, and goes on.
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
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := b.FetchAttached(ctx, api.FetchRequest{Target: t.TempDir()}, first, func(api.FetchEvent) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("what was interrupted: %v", err)
	}
}
