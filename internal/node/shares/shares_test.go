package shares

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/internal/share"
	"github.com/tenon-net/tenon/internal/store"
	"github.com/tenon-net/tenon/transport"
)

// A person is somebody with a node, as far as shares are concerned.
type person struct {
	*Shares
	t       *testing.T
	world   *peertest.World
	net     *peertest.Node
	db      *store.DB
	dir     string
	passing bool // the node is there for one program
	stop    func()

	mu     sync.Mutex // guards what follows
	access peer.Access
	limits HoldLimits
	learnt map[peer.ID][]string

	changed chan struct{}        // has room for one: Expect was called
	around  *around              // nil = nobody is near
	members map[string][]peer.ID // of rooms
}

func (p *person) Key() *peer.Key                      { return p.net.Key() }
func (p *person) Network() share.Opener               { return p.net }
func (p *person) Places() []string                    { return []string{"at " + p.net.Self().Short()} }
func (p *person) Called(id peer.ID) string            { return id.Short() }
func (p *person) CalledSubject(s peer.Subject) string { return s.String() }
func (p *person) MayHave(_ context.Context, room, message string, id peer.ID) bool {
	return p.inRoom(room, id) && message != "gone"
}
func (p *person) Stands(_ context.Context, room, message string) bool {
	return p.inRoom(room, p.net.Self()) && message != "gone"
}
func (p *person) CalledRoom(room string) string { return "#" + room }
func (p *person) Near() ([]peer.ID, <-chan struct{}) {
	changed := p.net.LinksChanged()
	var near []peer.ID
	for l := range p.net.Links() {
		if p.Access().Paired[l.Peer] {
			near = append(near, l.Peer)
		}
	}
	return near, changed
}
func (p *person) Seek(key peer.FindKey, _ bool, found func(peer.ID)) (stop func()) {
	return p.around.seek(key, found)
}
func (p *person) Expect() {
	select {
	case p.changed <- struct{}{}:
	default: // it was not looked at yet
	}
}
func (p *person) Reach(share.Ticket) {}
func (p *person) Tell(e api.Event)   { p.t.Logf("%s: %s", p.net.Self().Short(), e.Text) }

func (p *person) Access() *peer.Access {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.access
	return &a
}

func (p *person) inRoom(room string, id peer.ID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Contains(p.members[room], id)
}

func (p *person) Ticket() (addrs, via []string, called string, err error) {
	return p.Places(), nil, "", nil
}

func (p *person) Subject(text string) (peer.Subject, error) { return peer.ParseSubject(text) }

func (p *person) Learnt(_, id peer.ID, addrs []string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.learnt[id] = addrs
	return addrs
}

// newPerson starts somebody's node.
func newPerson(t *testing.T, world *peertest.World, name string) *person {
	t.Helper()
	return newPersonAt(t, world, name, t.TempDir())
}

// newPersonAt starts somebody's node whose state is in a directory.
func newPersonAt(t *testing.T, world *peertest.World, name, dir string) *person {
	t.Helper()
	p := &person{t: t, world: world, net: world.Node(name, nil), dir: dir, changed: make(chan struct{}, 1), learnt: map[peer.ID][]string{}}
	p.access.Self = p.net.Self()
	p.start()
	t.Cleanup(func() {
		p.end()
		p.net.Close()
	})
	return p
}

// start has the node begin, with what is on record.
func (p *person) start() {
	p.t.Helper()
	db, err := store.Open(p.t.Context(), p.dir)
	must(p.t, err)
	p.db = db
	p.Shares, err = New(p.t.Context(), Config{Host: p, DB: db, Dir: filepath.Join(p.dir, "hashes"), Passing: p.passing})
	must(p.t, err)
	stopShares, stopFind := p.net.Serve(share.Proto, p.Handle), p.net.Serve(share.FindProto, p.HandleFind)
	stopHold := p.net.Serve(share.HoldProto, p.HandleHold)
	p.stop = func() {
		stopShares()
		stopFind()
		stopHold()
	}
}

func (p *person) end() {
	p.stop()
	must(p.t, p.Shares.Close())
	must(p.t, p.db.Close())
}

// get fetches all of a share.
func (p *person) get(ticket, target string) error {
	return p.Fetch(p.t.Context(), api.FetchRequest{Ticket: ticket, Target: target}, func(api.FetchEvent) {})
}

// stay fetches a share, and hands it on until it is stopped, or goes by itself.
func (p *person) stay(ticket string) (stop func(), gone <-chan struct{}) {
	ctx, cancel := context.WithCancel(p.t.Context())
	target := p.t.TempDir()
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		err := p.Fetch(ctx, api.FetchRequest{Ticket: ticket, Target: target, Stay: true}, func(e api.FetchEvent) {
			if e.Type == api.FetchDone {
				close(done)
			}
		})
		if err != nil {
			p.t.Error(err)
		}
		if entries, err := os.ReadDir(target); err != nil || len(entries) != 1 {
			p.t.Errorf("at the target there are %v, %v", entries, err)
		}
	}()
	select {
	case <-done:
	case <-ended:
	}
	return func() {
		cancel()
		<-ended
	}, ended
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("the error is %v, and not %v", err, want)
	}
}

// photos makes a directory with something of everything.
func photos(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "photos")
	must(t, os.MkdirAll(filepath.Join(dir, "empty"), 0o755))
	must(t, os.MkdirAll(filepath.Join(dir, "sub"), 0o755))
	for name, size := range map[string]int{"a": 300_000, "b\x1b[31m\n": 10, "none": 0, "sub/c": 70_000, "sub/same": 70_000, "sub/.hidden": 3} {
		must(t, os.WriteFile(filepath.Join(dir, name), bytes.Repeat([]byte("0123456789"), size/10+1)[:size], 0o644))
	}
	must(t, os.Chmod(filepath.Join(dir, "sub/c"), 0o755))
	must(t, os.Symlink("sub/c", filepath.Join(dir, "link")))
	return dir
}

// same checks that two directories have the same in them.
func same(t *testing.T, a, b string) {
	t.Helper()
	if x, y := contents(t, a), contents(t, b); !slices.Equal(x, y) {
		t.Errorf("%s has\n%q\nand %s has\n%q", a, x, b, y)
	}
}

func contents(t *testing.T, dir string) (all []string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		must(t, err)
		name, err := filepath.Rel(dir, path)
		must(t, err)
		fi, err := d.Info()
		must(t, err)
		line := fmt.Sprint(name, " ", fi.Mode(), " ")
		switch {
		case fi.Mode()&os.ModeSymlink != 0:
			to, err := os.Readlink(path)
			must(t, err)
			line += to
		case fi.Mode().IsRegular():
			p, err := os.ReadFile(path)
			must(t, err)
			line += fi.ModTime().String() + string(p)
		}
		all = append(all, line)
		return nil
	}))
	return all
}

// What is shared is what others get, and nothing when it is not shared any more.
func TestShare(t *testing.T) {
	var world peertest.World
	alice, bob, carol := newPerson(t, &world, "alice"), newPerson(t, &world, "bob"), newPerson(t, &world, "carol")
	dir := photos(t)
	shared, err := alice.Share(t.Context(), api.ShareRequest{Paths: []string{dir}})
	must(t, err)
	if shared.Ticket == "" || shared.Name != "photos" {
		t.Errorf("it is %+v", shared)
	}
	for _, p := range []*person{bob, carol} {
		target := filepath.Join(t.TempDir(), "new")
		must(t, p.get(shared.Ticket, target))
		same(t, dir, filepath.Join(target, "photos"))
		if entries, err := os.ReadDir(target); err != nil || len(entries) != 1 {
			t.Errorf("at the target there are %v, %v", entries, err)
		}
	}
	again, err := alice.Share(t.Context(), api.ShareRequest{Paths: []string{dir}})
	must(t, err)
	if again.ID != shared.ID || len(alice.List()) != 1 {
		t.Errorf("what is shared twice is there %d times", len(alice.List()))
	}
	must(t, alice.Unshare(t.Context(), "photos"))
	if all := alice.List(); len(all) > 0 {
		t.Errorf("there is %+v", all)
	}
	wantErr(t, bob.get(shared.Ticket, t.TempDir()), transport.ErrDenied)
	wantErr(t, alice.Unshare(t.Context(), "photos"), api.ErrNotFound)
}

// A share has the same ticket after a restart, and is there by itself.
func TestRestart(t *testing.T) {
	var world peertest.World
	alice, bob := newPerson(t, &world, "alice"), newPerson(t, &world, "bob")
	dir := photos(t)
	shared, err := alice.Share(t.Context(), api.ShareRequest{Paths: []string{dir}})
	must(t, err)
	alice.end()
	alice.start()
	target := t.TempDir()
	must(t, bob.get(shared.Ticket, target))
	same(t, dir, filepath.Join(target, "photos"))
}

// To choose what is not there is an error, as a name that is typed wrong is one, and leaves nothing.
func TestNothingChosen(t *testing.T) {
	var world peertest.World
	alice, bob := newPerson(t, &world, "alice"), newPerson(t, &world, "bob")
	shared, err := alice.Share(t.Context(), api.ShareRequest{Paths: []string{photos(t)}})
	must(t, err)
	target := t.TempDir()
	r := api.FetchRequest{Ticket: shared.Ticket, Target: target, Only: []string{"*.nothing"}}
	wantErr(t, bob.Fetch(t.Context(), r, func(api.FetchEvent) {}), errNothing)
	if all := contents(t, target); len(all) > 1 {
		t.Errorf("%q are left", all)
	}
	r.Only, r.Exclude = nil, []string{"*"} // nothing is missing that was asked for
	must(t, bob.Fetch(t.Context(), r, func(api.FetchEvent) {}))
}

// What is on record and does not go on, as its files were not there when the node started, is unshared all the
// same: it is not shared when they are there again.
func TestUnshareWhatIsNotThere(t *testing.T) {
	var world peertest.World
	alice := newPerson(t, &world, "alice")
	dir := photos(t)
	shared, err := alice.Share(t.Context(), api.ShareRequest{Paths: []string{dir}})
	must(t, err)
	alice.ready(shared.ID)
	alice.end()
	must(t, os.Rename(dir, dir+".away"))
	alice.start()
	must(t, alice.Unshare(t.Context(), "photos"))
	wantErr(t, alice.Unshare(t.Context(), "photos"), api.ErrNotFound)
	alice.end()
	must(t, os.Rename(dir+".away", dir))
	alice.start()
	if all := alice.List(); len(all) > 0 {
		t.Errorf("there is %+v", all)
	}
	again, err := alice.Share(t.Context(), api.ShareRequest{Paths: []string{dir}})
	must(t, err)
	if again.ID == shared.ID {
		t.Error("tickets that were given out are good again")
	}
}

// Who has asked for a share ends it for himself: it goes on if somebody else has asked for it, too, or if it went on before.
// A share of a program stays on record, as when that ends; one of a node that goes on does not.
func TestLeave(t *testing.T) {
	for _, passing := range []bool{false, true} {
		t.Run(fmt.Sprint("passing ", passing), func(t *testing.T) {
			var world peertest.World
			alice := newPerson(t, &world, "alice")
			alice.end()
			alice.passing = passing
			alice.start()
			dir := photos(t)
			ask := func() (id string) {
				shared, err := alice.Share(t.Context(), api.ShareRequest{Paths: []string{dir}})
				must(t, err)
				return shared.ID
			}
			first := ask()
			if second := ask(); second != first {
				t.Fatal("they are two shares")
			}
			must(t, alice.Leave(t.Context(), first))
			if all := alice.List(); len(all) != 1 {
				t.Errorf("the first one lost it, too: %+v", all)
			}
			must(t, alice.Leave(t.Context(), first))
			if all := alice.List(); len(all) != 0 {
				t.Errorf("it goes on for nobody: %+v", all)
			}
			if again := ask(); again == first != passing {
				t.Errorf("it was %s and is %s", first, again)
			}
		})
	}
	var world peertest.World
	alice := newPerson(t, &world, "alice")
	r := api.ShareRequest{Paths: []string{photos(t)}}
	shared, err := alice.Share(t.Context(), r)
	must(t, err)
	alice.end()
	alice.start()
	_, err = alice.Share(t.Context(), r)
	must(t, err)
	must(t, alice.Leave(t.Context(), shared.ID))
	if all := alice.List(); len(all) != 1 {
		t.Errorf("it went on before: %+v", all)
	}
}

// Only those get a share to whom it is given, whoever has the ticket; and a limit of how many is kept.
func TestAccess(t *testing.T) {
	var world peertest.World
	alice, bob, carol, dave := newPerson(t, &world, "alice"), newPerson(t, &world, "bob"), newPerson(t, &world, "carol"), newPerson(t, &world, "dave")
	dir := photos(t)
	for name, c := range map[string]struct {
		request  api.ShareRequest
		yes, not []*person
	}{
		"to one": {api.ShareRequest{To: []string{bob.net.Self().String()}}, []*person{bob}, []*person{carol}},
		"public": {api.ShareRequest{Public: true}, []*person{bob, carol}, nil},
		"paired": {api.ShareRequest{To: []string{"paired"}}, []*person{dave}, []*person{carol}},
	} {
		alice.mu.Lock()
		alice.access.Paired = map[peer.ID]bool{dave.net.Self(): true}
		alice.mu.Unlock()
		c.request.Paths, c.request.Name = []string{dir}, name
		shared, err := alice.Share(t.Context(), c.request)
		must(t, err)
		for _, p := range c.yes {
			if err := p.get(shared.Ticket, t.TempDir()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, p := range c.not {
			if err := p.get(shared.Ticket, t.TempDir()); !errors.Is(err, transport.ErrDenied) {
				t.Errorf("%s: somebody else got it: %v", name, err)
			}
		}
	}
	_, err := alice.Share(t.Context(), api.ShareRequest{Paths: []string{dir}, To: []string{"paired"}, Public: true})
	wantErr(t, err, transport.ErrUsage)
}

// A share for one is for one peer, from when it was sent some of it, however often that comes until it has all:
// who looks only, or fetches a part, does not use it up. A restart changes nothing.
func TestUses(t *testing.T) {
	var world peertest.World
	alice, bob, carol := newPerson(t, &world, "alice"), newPerson(t, &world, "bob"), newPerson(t, &world, "carol")
	dir := photos(t)
	shared, err := alice.Share(t.Context(), api.ShareRequest{Paths: []string{dir}, Uses: 1})
	must(t, err)
	r := api.FetchRequest{Ticket: shared.Ticket, Target: t.TempDir(), List: true}
	must(t, carol.Fetch(t.Context(), r, func(api.FetchEvent) {}))
	target := t.TempDir()
	r = api.FetchRequest{Ticket: shared.Ticket, Target: target, Only: []string{"sub/c"}}
	must(t, bob.Fetch(t.Context(), r, func(api.FetchEvent) {}))
	for range 2 {
		if got := alice.ready(shared.ID).Fetched; len(got) > 0 {
			t.Errorf("%v are said to have all", got)
		}
		wantErr(t, carol.get(shared.Ticket, t.TempDir()), transport.ErrDenied)
		alice.end()
		alice.start()
	}
	r.Only, r.Overwrite = nil, true
	must(t, bob.Fetch(t.Context(), r, func(api.FetchEvent) {}))
	same(t, dir, filepath.Join(target, "photos"))
	wantErr(t, carol.get(shared.Ticket, t.TempDir()), transport.ErrDenied)
}

// A list has everything, harmless, and takes nothing.
func TestList(t *testing.T) {
	var world peertest.World
	alice, bob := newPerson(t, &world, "alice"), newPerson(t, &world, "bob")
	shared, err := alice.Share(t.Context(), api.ShareRequest{Paths: []string{photos(t)}})
	must(t, err)
	target := t.TempDir()
	must(t, os.Mkdir(filepath.Join(target, "photos"), 0o755))
	must(t, os.WriteFile(filepath.Join(target, "photos/a"), nil, 0o644))
	var entries []api.ShareEntry
	must(t, bob.Fetch(t.Context(), api.FetchRequest{Ticket: shared.Ticket, Target: target, List: true}, func(e api.FetchEvent) {
		entries = append(entries, e.Entries...)
	}))
	var names []string
	for _, e := range entries {
		names = append(names, e.Path)
		if e.Taken != (e.Path == "photos/a") || e.Hidden != (e.Path == "photos/sub/.hidden") || e.Program != (e.Path == "photos/sub/c") {
			t.Errorf("%+v", e)
		}
	}
	if want := []string{"photos", "photos/a", `photos/b\x1b[31m\n`, "photos/empty", "photos/link", "photos/none", "photos/sub", "photos/sub/.hidden", "photos/sub/c", "photos/sub/same"}; !slices.Equal(names, want) {
		t.Errorf("it has %q", names)
	}
	if all := contents(t, target); len(all) != 3 {
		t.Errorf("at the target there is %q", all)
	}
}

// What is there already stops a fetch before anything has come, unless it was said what to do.
func TestTaken(t *testing.T) {
	var world peertest.World
	alice, bob := newPerson(t, &world, "alice"), newPerson(t, &world, "bob")
	dir := photos(t)
	shared, err := alice.Share(t.Context(), api.ShareRequest{Paths: []string{dir}})
	must(t, err)
	target := t.TempDir()
	must(t, os.Mkdir(filepath.Join(target, "photos"), 0o755))
	must(t, os.WriteFile(filepath.Join(target, "photos/a"), []byte("mine"), 0o644))
	err = bob.get(shared.Ticket, target)
	wantErr(t, err, api.ErrConflict)
	if transport.Hint(err) == "" {
		t.Error("nobody says what to do")
	}
	var done api.FetchEvent
	must(t, bob.Fetch(t.Context(), api.FetchRequest{Ticket: shared.Ticket, Target: target, Rename: true}, func(e api.FetchEvent) { done = e }))
	if done.Type != api.FetchDone || len(done.Paths) != 1 {
		t.Fatalf("it ends with %+v", done)
	}
	same(t, dir, done.Paths[0])
}

// A fetch that is interrupted goes on, and what is there does not come again.
func TestInterrupted(t *testing.T) {
	var world peertest.World
	alice, bob := newPerson(t, &world, "alice"), newPerson(t, &world, "bob")
	dir := photos(t)
	big := make([]byte, 10<<20)
	for i := range big {
		big[i] = byte(i >> 12)
	}
	must(t, os.WriteFile(filepath.Join(dir, "big"), big, 0o644))
	shared, err := alice.Share(t.Context(), api.ShareRequest{Paths: []string{dir}})
	must(t, err)
	target := t.TempDir()
	had := int64(0)
	ctx, interrupt := context.WithCancel(t.Context())
	world.Delay(alice.net, bob.net, 10*time.Millisecond)
	err = bob.Fetch(ctx, api.FetchRequest{Ticket: shared.Ticket, Target: target, Down: 4 << 20}, func(e api.FetchEvent) {
		if e.Share != nil && e.Share.Have > 0 {
			had = e.Share.Have
			interrupt()
		}
	})
	wantErr(t, err, context.Canceled)
	if _, err := os.Stat(filepath.Join(target, "photos")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half of it has its name: %v", err)
	}
	var done api.FetchEvent
	must(t, bob.Fetch(t.Context(), api.FetchRequest{Ticket: shared.Ticket, Target: target}, func(e api.FetchEvent) { done = e }))
	same(t, dir, filepath.Join(target, "photos"))
	if all := done.Share.Have; had == 0 || done.Share.Got > all-had {
		t.Errorf("%d bytes were there, and %d of %d have come", had, done.Share.Got, all)
	}
}

// Who stays hands on what it has, when the one who shares it is gone.
func TestStay(t *testing.T) {
	var world peertest.World
	alice, bob, carol := newPerson(t, &world, "alice"), newPerson(t, &world, "bob"), newPerson(t, &world, "carol")
	dir := photos(t)
	shared, err := alice.Share(t.Context(), api.ShareRequest{Paths: []string{dir}})
	must(t, err)
	stop, gone := bob.stay(shared.Ticket)
	defer stop()
	target := t.TempDir()
	had := int64(0)
	var once sync.Once
	err = carol.Fetch(t.Context(), api.FetchRequest{Ticket: shared.Ticket, Target: target, Down: 100 << 10}, func(e api.FetchEvent) {
		if e.Share != nil && e.Share.Entries > 0 && len(e.Share.Peers) == 2 {
			once.Do(func() {
				had = e.Share.Have
				world.Break(alice.net, carol.net)
			})
		}
	})
	must(t, err)
	same(t, dir, filepath.Join(target, "photos"))
	if had > 400_000 {
		t.Errorf("%d bytes were there when the sharer left", had)
	}
	// Whoever hands it on stops when it is not shared any more.
	must(t, alice.Unshare(t.Context(), shared.ID))
	<-gone
}

// A browser gets a share by its link, as long as it is shared.
func TestWeb(t *testing.T) {
	var world peertest.World
	alice := newPerson(t, &world, "alice")
	dir := photos(t)
	shared, err := alice.Share(t.Context(), api.ShareRequest{Paths: []string{dir}, Web: "127.0.0.1:0"})
	must(t, err)
	if len(shared.Links) != 1 {
		t.Fatalf("it has the links %q", shared.Links)
	}
	ctx, ready := context.WithCancel(t.Context())
	must(t, alice.Watch(ctx, shared.ID, func(s api.Share) {
		if s.State == api.ShareReady {
			ready()
		}
	}))
	resp, err := http.Get(shared.Links[0] + "files/photos/a")
	must(t, err)
	got, err := io.ReadAll(resp.Body)
	must(t, err)
	resp.Body.Close()
	if want, err := os.ReadFile(filepath.Join(dir, "a")); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s, %d bytes, %v", resp.Status, len(got), err)
	}
	// One that has changed is not sent, and alice is told.
	must(t, os.WriteFile(filepath.Join(dir, "a"), []byte("changed"), 0o644))
	if resp, err = http.Get(shared.Links[0] + "files/photos/a"); err == nil {
		if resp.Body.Close(); resp.StatusCode == http.StatusOK {
			t.Error("what has changed is sent")
		}
	}
	if all := alice.List(); len(all) != 1 || len(all[0].Unsent) != 1 || all[0].Unsent[0].Path != "photos/a" {
		t.Errorf("alice is told %+v", all)
	}
	must(t, alice.Unshare(t.Context(), shared.ID))
	if resp, err := http.Get(shared.Links[0]); err == nil {
		resp.Body.Close()
		t.Errorf("it is there still: %s", resp.Status)
	}
	_, err = alice.Share(t.Context(), api.ShareRequest{Paths: []string{dir}, Web: "8080"})
	wantErr(t, err, transport.ErrUsage)
}

// What is for some is not handed on to others by those who have it, though these have the ticket.
func TestNotHandedOn(t *testing.T) {
	var world peertest.World
	alice, bob, carol, dave := newPerson(t, &world, "alice"), newPerson(t, &world, "bob"), newPerson(t, &world, "carol"), newPerson(t, &world, "dave")
	dir := photos(t)
	shared, err := alice.Share(t.Context(), api.ShareRequest{Paths: []string{dir}, To: []string{bob.net.Self().String(), carol.net.Self().String()}})
	must(t, err)
	stop, _ := bob.stay(shared.Ticket)
	defer stop()
	ticket, err := share.ParseTicket(shared.Ticket)
	must(t, err)
	ticket.Sharer = bob.net.Self()
	fromBob, err := ticket.Encode()
	must(t, err)
	wantErr(t, dave.get(fromBob, t.TempDir()), transport.ErrDenied)
	must(t, carol.get(shared.Ticket, t.TempDir())) // of whom alice has told bob
}

// One file can be had in order and kept nowhere; which one must be clear.
func TestStream(t *testing.T) {
	var world peertest.World
	alice, bob := newPerson(t, &world, "alice"), newPerson(t, &world, "bob")
	dir := photos(t)
	shared, err := alice.Share(t.Context(), api.ShareRequest{Paths: []string{dir}})
	must(t, err)
	for name, size := range map[string]int{"/photos/a": 300_000, "/photos/none": 0} {
		var got bytes.Buffer
		must(t, bob.Stream(t.Context(), api.FetchRequest{Ticket: shared.Ticket, Only: []string{name}}, &got))
		want, err := os.ReadFile(filepath.Join(filepath.Dir(dir), name))
		if err != nil || got.Len() != size || !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s: %d bytes came, %v", name, got.Len(), err)
		}
	}
	var none bytes.Buffer
	wantErr(t, bob.Stream(t.Context(), api.FetchRequest{Ticket: shared.Ticket}, &none), transport.ErrUsage)
	wantErr(t, bob.Stream(t.Context(), api.FetchRequest{Ticket: shared.Ticket, Only: []string{"x"}}, &none), api.ErrNotFound)
	if none.Len() > 0 {
		t.Errorf("%d bytes came", none.Len())
	}
}
