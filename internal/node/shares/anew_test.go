package shares

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/internal/share"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// large makes a directory with a file of so many bytes that are nothing else's, and a small one.
func large(t *testing.T, size int) (dir string, change func(at int, p []byte)) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "images")
	must(t, os.Mkdir(dir, 0o755))
	p := make([]byte, size)
	rand.NewChaCha8([32]byte{1}).Read(p) //nolint:errcheck // it does not fail
	must(t, os.WriteFile(filepath.Join(dir, "disk"), p, 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "note"), []byte("first"), 0o644))
	return dir, func(at int, q []byte) {
		copy(p[at:], q)
		must(t, os.WriteFile(filepath.Join(dir, "disk"), p, 0o644))
		must(t, os.WriteFile(filepath.Join(dir, "note"), []byte("other"), 0o644))
	}
}

// ready waits until a share has been hashed.
func (p *person) ready(id string) (last api.Share) {
	p.t.Helper()
	ctx, stop := context.WithCancel(p.t.Context())
	defer stop()
	must(p.t, p.Watch(ctx, id, func(s api.Share) {
		if last = s; s.State == api.ShareReady {
			stop()
		}
	}))
	return last
}

// fetch fetches a share, and returns how many bytes have come, and what was told.
func (p *person) fetch(r api.FetchRequest) (got int64, notes []string) {
	p.t.Helper()
	must(p.t, p.Fetch(p.t.Context(), r, func(e api.FetchEvent) {
		switch e.Type {
		case api.FetchDone:
			got = e.Share.Got
		case api.FetchNote:
			notes = append(notes, e.Text)
		}
	}))
	return got, notes
}

// What has changed is shared again with the ticket that it had, without a new node; and who has
// the older version fetches what has changed.
func TestSharedAnew(t *testing.T) {
	var world peertest.World
	alice, bob := newPerson(t, &world, "alice"), newPerson(t, &world, "bob")
	dir, change := large(t, 40<<20)
	first, err := alice.Share(t.Context(), api.ShareRequest{Paths: []string{dir}})
	must(t, err)
	target := t.TempDir()
	must(t, bob.get(first.Ticket, target))
	hashed := alice.ready(first.ID)
	root := hashed.Root
	for text, want := range map[string]string{first.Ticket: tree.Hash{}.String(), hashed.Ticket: tree.Hash{}.String(), hashed.Fixed: root} {
		if ticket, err := share.ParseTicket(text); err != nil || ticket.Root.String() != want {
			t.Errorf("the ticket is for %v, %v, and should be for %v", ticket.Root, err, want)
		}
	}

	again, err := alice.Share(t.Context(), api.ShareRequest{Paths: []string{dir}})
	must(t, err)
	if same := alice.ready(again.ID); again.ID != first.ID || same.Root != root {
		t.Errorf("what has not changed is %+v", same)
	}
	change(20<<20-9, make([]byte, 1<<20))
	again, err = alice.Share(t.Context(), api.ShareRequest{Paths: []string{dir}})
	must(t, err)
	if again.ID != first.ID || again.Root != "" {
		t.Errorf("it is shared again as %+v", again)
	}
	if now := alice.ready(again.ID); now.Root == root || len(alice.List()) != 1 {
		t.Errorf("what has changed is shared as %+v", now)
	}
	got, _ := bob.fetch(api.FetchRequest{Ticket: first.Ticket, Target: target, Overwrite: true})
	if most := int64(1<<20 + 2<<16); got > most {
		t.Errorf("%d bytes came, and %d were enough", got, most)
	}
	same(t, dir, filepath.Join(target, "images"))
	must(t, alice.Unshare(t.Context(), "images"))
}

// Who shares a file that has changed is told so when somebody asks for it, once, and not any more when it is
// shared as it is now.
func TestChangedIsNotSent(t *testing.T) {
	var world peertest.World
	alice, bob := newPerson(t, &world, "alice"), newPerson(t, &world, "bob")
	dir, change := large(t, 4<<20)
	s, err := alice.Share(t.Context(), api.ShareRequest{Paths: []string{dir}})
	must(t, err)
	alice.ready(s.ID)
	change(1<<20, make([]byte, 1<<20))
	ctx, stop := context.WithCancel(t.Context())
	fetched := make(chan error, 1)
	go func() {
		fetched <- bob.Fetch(ctx, api.FetchRequest{Ticket: s.Ticket, Target: t.TempDir()}, func(api.FetchEvent) {})
	}()
	watching, enough := context.WithCancel(t.Context())
	defer enough()
	must(t, alice.Watch(watching, s.ID, func(now api.Share) {
		var paths []string
		for _, note := range now.Unsent {
			paths = append(paths, note.Path)
		}
		if slices.Sort(paths); slices.Equal(paths, []string{"images/disk", "images/note"}) {
			enough()
		}
	}))
	stop()
	<-fetched
	_, err = alice.Share(t.Context(), api.ShareRequest{Paths: []string{dir}})
	must(t, err)
	if now := alice.ready(s.ID); len(now.Unsent) > 0 {
		t.Errorf("what is shared as it is now is not sent: %v", now.Unsent)
	}
}

// How fast it is sent can be changed by sharing it again: it is the same share, with the same ticket, also
// for who asks for it several times at once; and what is sent again is what it was.
func TestSharedAtAnotherRate(t *testing.T) {
	var world peertest.World
	alice, bob := newPerson(t, &world, "alice"), newPerson(t, &world, "bob")
	dir, change := large(t, 1<<20)
	first, err := alice.Share(t.Context(), api.ShareRequest{Paths: []string{dir}})
	must(t, err)
	root := alice.ready(first.ID).Root
	request := api.ShareRequest{Paths: []string{dir}, Up: 100 << 20}
	again, err := alice.Share(t.Context(), request)
	must(t, err)
	now := alice.ready(again.ID)
	x, err := alice.find(first.ID)
	must(t, err)
	if again.ID != first.ID || now.Root != root || len(alice.List()) != 1 || x.record.Request.Up != request.Up {
		t.Errorf("it is shared as %+v", now)
	}
	must(t, bob.get(first.Ticket, t.TempDir()))

	change(0, []byte("changed"))
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if _, err := alice.Share(t.Context(), request); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if now := alice.ready(again.ID); now.Root == root || len(alice.List()) != 1 {
		t.Errorf("what has changed is shared as %+v", now)
	}

	lent, end, err := alice.Lend(t.Context(), request)
	must(t, err)
	must(t, end(false))
	request.Up = 0
	other, end, err := alice.Lend(t.Context(), request)
	must(t, err)
	if must(t, end(true)); other.Ticket != lent.Ticket {
		t.Error("what is sent again has another ticket")
	}
}

// While a share begins anew it is there: it is on the list, who asks how it is waits for what it has
// begun as, and to share or end it means that, too.
func TestWhileItBeginsAnew(t *testing.T) {
	for name, ask := range map[string]func(p *person, id string) error{
		"watch": func(p *person, id string) error { p.ready(id); return nil },
		"share": func(p *person, id string) error {
			x, err := p.find(id)
			must(p.t, err)
			_, err = p.Share(p.t.Context(), x.record.Request)
			return err
		},
		"unshare": func(p *person, id string) error { return p.Unshare(p.t.Context(), id) },
	} {
		t.Run(name, func(t *testing.T) {
			var world peertest.World
			alice := newPerson(t, &world, "alice")
			dir, _ := large(t, 1)
			s, err := alice.Share(t.Context(), api.ShareRequest{Paths: []string{dir}})
			must(t, err)
			alice.ready(s.ID)
			x, err := alice.find(s.ID)
			must(t, err)
			x.stop(errAnew)
			<-x.done
			asked := make(chan error, 1)
			if len(alice.List()) != 1 {
				t.Error("it is not on the list")
			}
			go func() { asked <- ask(alice, s.ID) }()
			alice.task(x.begin)
			must(t, <-asked)
			if got := len(alice.List()); (got == 0) != (name == "unshare") {
				t.Errorf("there are %d on the list", got)
			}
		})
	}
}

// A fetch goes on when what is shared changes, whether it was stopped meanwhile or not, with
// what is the same.
func TestChangesWhileFetched(t *testing.T) {
	for _, stopped := range []bool{false, true} {
		var world peertest.World
		alice, bob := newPerson(t, &world, "alice"), newPerson(t, &world, "bob")
		const size = 24 << 20
		dir, change := large(t, size)
		shared, err := alice.Share(t.Context(), api.ShareRequest{Paths: []string{dir}})
		must(t, err)
		alice.ready(shared.ID)
		target := t.TempDir()
		ctx, stop := context.WithCancel(t.Context())
		half, ended := make(chan struct{}), make(chan error, 1)
		var had, got int64
		go func() {
			told := false
			ended <- bob.Fetch(ctx, api.FetchRequest{Ticket: shared.Ticket, Target: target, Down: 8 << 20}, func(e api.FetchEvent) {
				if e.Share == nil {
					return
				}
				if got = e.Share.Got; !told && got > size/3 {
					told, had = true, got
					close(half)
				}
			})
		}()
		<-half
		if stopped {
			stop()
			if <-ended == nil {
				t.Fatal("it was not stopped")
			}
		}
		change(size/2, make([]byte, 1<<20))
		_, err = alice.Share(t.Context(), api.ShareRequest{Paths: []string{dir}})
		must(t, err)
		alice.ready(shared.ID)
		if stopped {
			var notes []string
			got, notes = bob.fetch(api.FetchRequest{Ticket: shared.Ticket, Target: target})
			if len(notes) == 0 {
				t.Error("nobody was told that it has changed")
			}
		} else {
			must(t, <-ended)
		}
		stop()
		same(t, dir, filepath.Join(target, "images"))
		if most := size - had + 2<<20; got > most { // got begins anew with the version
			t.Errorf("stopped %t: %d bytes came after %d, of %d", stopped, got, had, size)
		}
	}
}

// What has come is not hashed by who hands it on as a share of their own.
func TestShareWhatHasCome(t *testing.T) {
	var world peertest.World
	alice, bob, carol := newPerson(t, &world, "alice"), newPerson(t, &world, "bob"), newPerson(t, &world, "carol")
	dir, _ := large(t, 5<<20)
	shared, err := alice.Share(t.Context(), api.ShareRequest{Paths: []string{dir}})
	must(t, err)
	target := t.TempDir()
	must(t, bob.get(shared.Ticket, target))
	on, err := bob.Share(t.Context(), api.ShareRequest{Paths: []string{filepath.Join(target, "images")}})
	must(t, err)
	if now := bob.ready(on.ID); now.Hashed > 0 || now.Bytes < 5<<20 || now.Root != alice.ready(shared.ID).Root {
		t.Errorf("it is shared as %+v", now)
	}
	target = t.TempDir()
	must(t, carol.get(on.Ticket, target))
	same(t, dir, filepath.Join(target, "images"))
}
