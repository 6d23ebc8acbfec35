package shares

import (
	"context"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/internal/share"
	"github.com/tenon-net/tenon/transport"
)

// pairs has two know each other.
func pairs(a, b *person) {
	for _, p := range [][2]*person{{a, b}, {b, a}} {
		p[0].mu.Lock()
		paired := maps.Clone(p[0].access.Paired) // others look at that which there is
		if paired == nil {
			paired = map[peer.ID]bool{}
		}
		paired[p[1].net.Self()] = true
		p[0].access.Paired = paired
		p[0].mu.Unlock()
	}
}

// connects has two be connected, as paired nodes are who are there.
func connects(t *testing.T, a, b *person) {
	t.Helper()
	s, err := a.net.Open(t.Context(), b.net.Self(), share.FindProto)
	must(t, err)
	transport.Abort(s, nil) //nolint:errcheck // it was only to be connected
}

// asks asks one for a share in the place of another.
func asks(t *testing.T, from, to *person, ticket string) (bool, error) {
	t.Helper()
	x, err := share.ParseTicket(ticket)
	must(t, err)
	has, err := share.AskFor(t.Context(), from.net, from.net.Self(), to.net.Self(), []peer.FindKey{share.FindKey(x.ID, x.Secret)})
	return err == nil && has[0], err
}

// When the sharer is gone, a share comes from a paired peer that has fetched it: be it connected before or after
// the fetch has begun.
func TestFoundAtPaired(t *testing.T) {
	for _, late := range []bool{false, true} {
		var world peertest.World
		alice, bob, carol := newPerson(t, &world, "alice"), newPerson(t, &world, "bob"), newPerson(t, &world, "carol")
		pairs(bob, carol)
		dir := photos(t)
		shared, err := alice.Share(t.Context(), api.ShareRequest{Paths: []string{dir}})
		must(t, err)
		stop, _ := bob.stay(shared.Ticket)
		world.Break(alice.net, carol.net)
		if !late {
			connects(t, carol, bob)
		}
		target := t.TempDir()
		done, begun := make(chan error), make(chan struct{})
		go func() {
			var once sync.Once
			done <- carol.Fetch(t.Context(), api.FetchRequest{Ticket: shared.Ticket, Target: target}, func(api.FetchEvent) { once.Do(func() { close(begun) }) })
		}()
		if late {
			<-begun
			connects(t, bob, carol)
		}
		must(t, <-done)
		same(t, dir, filepath.Join(target, "photos"))
		stop()
	}
}

// Only paired peers may ask, and of what is for some only these hear.
func TestWhoMayAsk(t *testing.T) {
	var world peertest.World
	alice, bob, carol, dave := newPerson(t, &world, "alice"), newPerson(t, &world, "bob"), newPerson(t, &world, "carol"), newPerson(t, &world, "dave")
	pairs(alice, bob)
	pairs(alice, carol)
	for name, c := range map[string]struct {
		request    api.ShareRequest
		bob, carol bool
	}{
		"to all":   {api.ShareRequest{}, true, true},
		"to bob":   {api.ShareRequest{To: []string{bob.net.Self().String()}}, true, false},
		"public":   {api.ShareRequest{Public: true}, true, true},
		"to pairs": {api.ShareRequest{To: []string{"paired"}}, true, true},
	} {
		c.request.Paths, c.request.Name = []string{photos(t)}, name
		shared, err := alice.Share(t.Context(), c.request)
		must(t, err)
		for p, want := range map[*person]bool{bob: c.bob, carol: c.carol} {
			if has, err := asks(t, p, alice, shared.Ticket); has != want || err != nil {
				t.Errorf("%s: %v, %v, want %v", name, has, err, want)
			}
		}
		if has, err := asks(t, dave, alice, shared.Ticket); has || err == nil {
			t.Errorf("%s: a stranger is told %v", name, has)
		}
		must(t, alice.Unshare(t.Context(), name))
		if has, err := asks(t, bob, alice, shared.Ticket); has || err != nil {
			t.Errorf("%s: when it has ended: %v, %v", name, has, err)
		}
	}
	refused := 0
	for range 2 * askedBurst {
		if _, err := share.AskFor(t.Context(), bob.net, bob.net.Self(), alice.net.Self(), make([]peer.FindKey, 1)); err != nil {
			refused++
		}
	}
	if refused == 0 {
		t.Error("bob may ask any number of times")
	}
}

// A hundred peers are asked for a hundred shares in four questions each.
func TestAsksForAllAtOnce(t *testing.T) {
	var world peertest.World
	alice := newPerson(t, &world, "alice")
	for i := range 100 {
		x := share.New(share.Config{ID: share.ID{byte(i), 1}, Secret: []byte("a secret")})
		alice.Shares.mu.Lock()
		alice.fetching[x.ID] = &fetching{share: x}
		alice.Shares.mu.Unlock()
	}
	marks, paired := make(chan int, 1000), map[peer.ID]bool{}
	for i := range 100 {
		n := world.Node(fmt.Sprint(i), nil)
		t.Cleanup(func() { n.Close() })
		n.Serve("other", func(transport.Stream) {})
		n.Serve(share.FindProto, func(s transport.Stream) {
			var count [1]byte
			if _, err := io.ReadFull(s, count[:]); err == nil {
				io.CopyN(io.Discard, s, 16*int64(count[0])) //nolint:errcheck // counted
				marks <- int(count[0])
				s.Write(make([]byte, 4)) //nolint:errcheck // it is asked again
			}
		})
		paired[n.Self()] = true
	}
	alice.mu.Lock()
	alice.access.Paired = paired
	alice.mu.Unlock()
	for id := range paired {
		s, err := alice.net.Open(t.Context(), id, "other")
		must(t, err)
		s.Close() //nolint:errcheck // it was only to be connected
	}
	sum := 0
	for range 4 * 100 {
		sum += <-marks
	}
	alice.look()
	alice.end() // which waits for those who are asked
	if sum != 100*100 || len(marks) > 0 {
		t.Errorf("%d marks in 400 questions, and %d questions more", sum, len(marks))
	}
	alice.Shares.mu.Lock()
	clear(alice.fetching)
	alice.Shares.mu.Unlock()
	alice.start()
}

// around is a local network, or a table, on which everybody can say anything.
type around struct {
	mu      sync.Mutex // guards what follows
	seekers map[*func(peer.ID)]peer.FindKey
	people  []*person
	liars   []peer.ID     // who answer to everybody
	begun   chan struct{} // one for each who has begun to look
	ended   chan struct{} // and ended
}

// seek tells of those who are there and have the share.
func (a *around) seek(key peer.FindKey, found func(peer.ID)) (stop func()) {
	if a == nil {
		return func() {}
	}
	for _, id := range a.liars {
		found(id)
	}
	for _, p := range a.people {
		if slices.Contains(p.Given(), key) {
			found(p.net.Self())
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.seekers == nil {
		a.seekers = map[*func(peer.ID)]peer.FindKey{}
	}
	a.seekers[&found] = key
	a.begun <- struct{}{}
	return func() {
		defer func() { a.ended <- struct{}{} }()
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.seekers, &found)
	}
}

// When the sharer is gone, a share comes from somebody who is found and is not paired, among liars; and nobody is
// looked for any more when it is there.
func TestFoundAround(t *testing.T) {
	var world peertest.World
	alice, bob, carol := newPerson(t, &world, "alice"), newPerson(t, &world, "bob"), newPerson(t, &world, "carol")
	mallory := newPerson(t, &world, "mallory")
	carol.around = &around{people: []*person{bob, mallory}, liars: []peer.ID{mallory.net.Self(), peer.NewKey().ID(), carol.net.Self()}, begun: make(chan struct{}, 10), ended: make(chan struct{}, 10)}
	dir := photos(t)
	shared, err := alice.Share(t.Context(), api.ShareRequest{Paths: []string{dir}})
	must(t, err)
	stop, _ := bob.stay(shared.Ticket)
	world.Break(alice.net, carol.net)
	target := t.TempDir()
	must(t, carol.get(shared.Ticket, target))
	same(t, dir, filepath.Join(target, "photos"))
	<-carol.around.begun
	<-carol.around.ended
	stop()

	// Who is in another network looks there.
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- carol.Fetch(ctx, api.FetchRequest{Ticket: shared.Ticket, Target: t.TempDir()}, func(api.FetchEvent) {})
	}()
	<-carol.around.begun
	carol.Moved()
	<-carol.around.ended
	<-carol.around.begun
	cancel()
	wantErr(t, <-done, context.Canceled)
	<-carol.around.ended
	if len(carol.around.seekers) > 0 {
		t.Errorf("%d are looked for still", len(carol.around.seekers))
	}
}

// By what is for named peers, a room, or who it is sent to, or is over, nobody finds it.
func TestGiven(t *testing.T) {
	var world peertest.World
	alice, bob := newPerson(t, &world, "alice"), newPerson(t, &world, "bob")
	given := func(p *person, want int) {
		t.Helper()
		if all := p.Given(); len(all) != want {
			t.Errorf("%d shares can be found, want %d", len(all), want)
		}
	}
	dir := photos(t)
	ticket := func(r api.ShareRequest) string {
		t.Helper()
		r.Paths = []string{dir}
		shared, err := alice.Share(t.Context(), r)
		must(t, err)
		return shared.Ticket
	}
	listed := ticket(api.ShareRequest{Name: "to bob", To: []string{bob.net.Self().String()}})
	given(alice, 0)
	_, end, err := alice.Lend(t.Context(), api.ShareRequest{Paths: []string{dir}, Name: "lent"})
	must(t, err)
	given(alice, 0)
	must(t, end(true))
	alice.mu.Lock()
	alice.members = map[string][]peer.ID{"room": {bob.net.Self()}}
	alice.mu.Unlock()
	_, err = alice.Attach(t.Context(), api.ShareRequest{Paths: []string{dir}, Name: "in a room"}, "room")
	must(t, err)
	given(alice, 0)
	once := ticket(api.ShareRequest{Name: "once", Uses: 1})
	given(alice, 1)
	must(t, bob.get(once, t.TempDir()))
	given(alice, 0)
	private := ticket(api.ShareRequest{})
	given(alice, 1)
	given(bob, 0)
	stop, _ := bob.stay(private)
	given(bob, 1)
	stop()
	given(bob, 0)
	stop, _ = bob.stay(listed)
	given(bob, 0)
	stop()
	must(t, alice.Unshare(t.Context(), "photos"))
	given(alice, 0)
}

// In a table is what is public, and what was fetched of that only while it is handed on.
func TestPublished(t *testing.T) {
	var world peertest.World
	alice, bob := newPerson(t, &world, "alice"), newPerson(t, &world, "bob")
	published := func(p *person, want int) {
		t.Helper()
		if all := p.Published(); len(all) != want {
			t.Errorf("%d shares are published, want %d", len(all), want)
		}
	}
	dir := photos(t)
	private, err := alice.Share(t.Context(), api.ShareRequest{Paths: []string{dir}, Name: "private"})
	must(t, err)
	published(alice, 0)
	public, err := alice.Share(t.Context(), api.ShareRequest{Paths: []string{dir}, Name: "public", Public: true})
	must(t, err)
	published(alice, 1)
	must(t, bob.get(public.Ticket, t.TempDir()))
	published(bob, 0)
	for ticket, want := range map[string]int{private.Ticket: 0, public.Ticket: 1} {
		stop, _ := bob.stay(ticket)
		for want > 0 && len(bob.Published()) == 0 {
			<-bob.changed
		}
		published(bob, want)
		stop()
		published(bob, 0)
	}
	must(t, alice.Unshare(t.Context(), "public"))
	published(alice, 0)
}
