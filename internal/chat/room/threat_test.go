package room

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/chat/event"
)

// The attacks of docs/protocol/chat.md, one after the other, as far as the meaning of a set
// decides them.

// start returns a room with alice, its owner, bob, an owner after her, and carol and dave, who
// are members. All know all.
func start(t *testing.T) (w *world, alice, bob, carol, dave *replica) {
	t.Helper()
	w = newWorld()
	alice = w.found("alice")
	bob = alice.add("bob", event.Owner)
	carol = alice.add("carol", event.Member)
	dave = alice.add("dave", event.Member)
	sync(alice, bob, carol, dave)
	if n := len(dave.room.Members()); n != 4 {
		t.Fatalf("%d members", n)
	}
	return w, alice, bob, carol, dave
}

func wantCounts(t *testing.T, r *replica, e *event.Event, want bool) {
	t.Helper()
	if r.counts(e) != want {
		t.Errorf("the %v counts: %v, want %v", e.Kind, !want, want)
	}
}

func wantRole(t *testing.T, r, x *replica, want event.Role) {
	t.Helper()
	if got := r.role(x); got != want {
		t.Errorf("%s is %v, want %v", x.name, got, want)
	}
}

func wantRefused(t *testing.T, r *replica, e *event.Event, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.take(e); !errors.Is(err, ErrRefused) {
		t.Errorf("the %v is taken: %v", e.Kind, err)
	}
}

func TestConversation(t *testing.T) {
	_, alice, bob, carol, dave := start(t)
	said := []*event.Event{alice.say("hello"), bob.say("hello"), carol.say("hello")}
	sync(alice, bob, carol, dave)
	for _, e := range said {
		wantCounts(t, dave, e, true)
	}
	checkOrders(t, dave)
}

func TestReadersRead(t *testing.T) {
	_, alice, _, carol, _ := start(t)
	erin := alice.add("erin", event.Reader)
	wantCounts(t, alice, func() *event.Event { e := erin.say("may I?"); erin.give(alice); return e }(), false)
	alice.set(erin, event.Member)
	alice.give(erin)
	said := erin.say("now I may")
	sync(alice, carol, erin)
	wantCounts(t, carol, said, true)
	checkOrders(t, carol)
}

// Two events of one device with one number: both stay, on all replicas, and all see that the
// device has done it.
func TestFork(t *testing.T) {
	w, alice, bob, carol, dave := start(t)
	first := dave.say("hello")
	sync(alice, bob, carol, dave)
	copied := dave.shuffled(newRand(1))
	copied.identity, copied.device, copied.w = dave.identity, dave.device, w
	one := dave.say("I am for it")
	two := copied.say("I am against it")
	dave.give(alice)
	copied.give(bob)
	sync(alice, bob)
	for _, r := range []*replica{alice, bob} {
		wantCounts(t, r, one, true)
		wantCounts(t, r, two, true)
		if f := r.room.Forked(deviceOf(dave.device)); f == 0 {
			t.Error("nobody sees the fork")
		}
	}
	if alice.room.Forked(deviceOf(carol.device)) != 0 {
		t.Error("carol has not forked")
	}
	checkOrders(t, alice)

	// Who removes him names one branch. What he hangs on the other one later does not count,
	// though it has the numbers of what does.
	var stand []*event.Event
	for range 5 {
		stand = append(stand, dave.say("and another thing"))
	}
	dave.give(alice)
	alice.remove(dave)
	later := copied.say("I am still here")
	if later.Seq >= stand[4].Seq {
		t.Fatalf("number %d is not one of those that stand", later.Seq)
	}
	sync(alice, bob, copied)
	wantCounts(t, bob, later, false)
	for _, e := range stand {
		wantCounts(t, bob, e, true)
	}
	// A fork further back, which he has kept for that day.
	early := &replica{w: w, identity: dave.identity, device: dave.device, prekey: dave.prekey, events: map[event.ID]*event.Event{}}
	for _, e := range dave.sorted() {
		if e.Device != deviceOf(dave.device) || e.Seq == 1 {
			must(0, early.take(e))
		}
		if e.Device == deviceOf(dave.device) && e.Seq == 1 {
			break
		}
	}
	earliest := early.say("it was always like that")
	early.give(bob)
	wantCounts(t, bob, earliest, false)
	for _, e := range append(stand, first) {
		wantCounts(t, bob, e, true)
	}
	if f := bob.room.Forked(deviceOf(dave.device)); f != 2 {
		t.Errorf("the fork is at %d", f)
	}
	checkOrders(t, bob)
}

// What is backdated is later than what it stands on, and marked as late.
func TestBackdating(t *testing.T) {
	_, alice, _, _, dave := start(t)
	said := alice.say("first")
	alice.give(dave)
	d := dave.draft(&event.Text{Text: "before you"})
	d.Epoch, d.Time = said.Epoch, said.Time
	e, err := d.Seal(dave.device, dave.w.secret)
	wantRefused(t, alice, e, err)

	// He can stand on his own entry alone, and no further back.
	d.Parents = d.Parents[:1]
	d.Time = dave.memory[d.Parents[0]].Time
	e, err = d.Seal(dave.device, dave.w.secret)
	wantRefused(t, alice, e, err)

	now := event.Time(said.Time)
	for name, c := range map[string]struct {
		key  event.Key
		at   time.Time
		line event.Key
		want bool
	}{
		"in time":         {said.Key(), now.Add(time.Minute), event.Key{}, false},
		"ten minutes old": {said.Key(), now.Add(10 * time.Minute), event.Key{}, true},
		"above the line":  {said.Key(), now, event.Key{Time: said.Time + 1}, true},
		"below the line":  {said.Key(), now, event.Key{Time: said.Time - 1}, false},
	} {
		if got := Late(c.key, c.at, c.line); got != c.want {
			t.Errorf("%s: late is %v", name, got)
		}
	}
}

func TestReplay(t *testing.T) {
	_, alice, _, _, _ := start(t)
	before := alice.digest()
	for _, e := range alice.sorted() { // again, and out of order
		must(0, alice.take(e))
	}
	if alice.digest() != before {
		t.Error("what is there already has changed something")
	}

	other := newWorld()
	eve := other.found("eve")
	for _, e := range alice.sorted() {
		if err := eve.take(e); !errors.Is(err, ErrRefused) {
			t.Errorf("an event of another room: %v", err)
		}
	}
}

// Nobody who is no member gets an event in, and no member one that takes an owner.
func TestStrangersAndRights(t *testing.T) {
	w, alice, _, carol, dave := start(t)
	eve := w.device("eve", "1")
	alice.give(eve)
	for name, via := range map[string]event.ID{"the room's first event": w.room, "another's device": carol.entry(), "a text": alice.say("hello").ID} {
		e, err := eve.draft(eve.entering(via, [64]byte{})).Sign(eve.device)
		if err != nil {
			t.Fatal(err)
		}
		alice.give(eve)
		if err := alice.take(e); !errors.Is(err, ErrRefused) {
			t.Errorf("eve enters by %s: %v", name, err)
		}
	}
	invite := [32]byte(keyOf("invite").ID().Bytes())
	for _, body := range []event.Body{
		&event.Add{Member: personOf(keyOf("eve")), Role: event.Member},
		&event.Remove{Member: personOf(carol.identity)},
		&event.SetRole{Member: personOf(dave.identity), Role: event.Reader},
		&event.Invite{Key: invite, Role: event.Member},
		&event.Meta{Property: event.PropertyName, Value: []byte("mine")},
		&event.RemoveDevice{Enter: carol.entry()},
	} {
		if m, ok := body.(*event.SetRole); ok {
			m.Member = personOf(carol.identity)
		}
		e, err := dave.draft(body).Sign(dave.device)
		wantRefused(t, alice, e, err)
	}
	// He gains nothing by what he may do to himself.
	dave.act(&event.SetRole{Member: personOf(dave.identity), Role: event.Owner})
	dave.give(alice)
	wantRole(t, alice, dave, event.Member)
	add, err := dave.draft(&event.Add{Member: personOf(keyOf("eve")), Role: event.Member}).Sign(dave.device)
	if err != nil {
		t.Fatal(err)
	}
	if err := alice.take(add); err == nil {
		wantCounts(t, alice, add, false)
	}
	checkOrders(t, alice)
}

// Of changes of one role, each knowing the one before it, the last counts, whoever made it.
func TestLastRoleCounts(t *testing.T) {
	_, alice, bob, carol, dave := start(t)
	for _, c := range []struct {
		by   *replica
		role event.Role
	}{{bob, event.Reader}, {alice, event.Owner}, {bob, event.Member}, {alice, event.Reader}, {bob, event.Owner}, {alice, event.Member}} {
		c.by.set(dave, c.role)
		sync(alice, bob, carol, dave)
		wantRole(t, carol, dave, c.role)
		said := dave.content(&event.Text{Text: "hello"})
		dave.give(carol)
		wantCounts(t, carol, said, c.role > event.Reader)
	}
	checkOrders(t, carol)
}

// A junior has no power over a senior.
func TestSeniority(t *testing.T) {
	_, alice, bob, carol, _ := start(t)
	bob.remove(alice)
	bob.act(&event.SetRole{Member: personOf(alice.identity), Role: event.Reader})
	sync(alice, bob, carol)
	for _, r := range []*replica{alice, bob, carol} {
		wantRole(t, r, alice, event.Owner)
	}
	after := alice.say("still here")
	sync(alice, carol)
	wantCounts(t, carol, after, true)
	checkOrders(t, carol)
}

func TestMutualRemoval(t *testing.T) {
	_, alice, bob, carol, dave := start(t)
	alice.set(carol, event.Owner)
	sync(alice, bob, carol, dave)
	// Bob and carol are owners, bob is the senior. Each removes the other, neither knowing.
	bobs := bob.remove(carol)
	carol.remove(bob)
	carolsAdd := carol.act(&event.Add{Member: personOf(keyOf("eve")), Role: event.Owner})
	sync(alice, bob, carol, dave)
	for _, r := range []*replica{alice, bob, carol, dave} {
		wantRole(t, r, bob, event.Owner)
		wantRole(t, r, carol, event.Nobody)
		wantCounts(t, r, bobs, true)
		wantCounts(t, r, carolsAdd, false)
		if n := len(r.room.Members()); n != 3 {
			t.Errorf("%d members", n)
		}
	}
	checkOrders(t, dave)
}

// Who is removed, and makes events that seem to know nothing of it, changes nothing and
// is not heard. What he had done before stands.
func TestRemovedOwnerOnOldBranch(t *testing.T) {
	_, alice, bob, carol, dave := start(t)
	said := bob.say("hello")
	frank := bob.add("frank", event.Member)
	sync(alice, bob, carol, dave, frank)
	alice.remove(bob)
	eve := bob.act(&event.Add{Member: personOf(keyOf("eve")), Role: event.Owner})
	name := bob.act(&event.Meta{Property: event.PropertyName, Value: []byte("bob's")})
	removal := bob.remove(carol)
	later := bob.say("I was never gone")
	// Somebody who does not know either has answered.
	bob.give(dave)
	answer := dave.say("indeed")
	sync(alice, bob, carol, dave, frank)
	for _, r := range []*replica{alice, carol, dave} {
		for _, e := range []*event.Event{eve, name, removal, later} {
			wantCounts(t, r, e, false)
		}
		for _, e := range []*event.Event{said, answer} {
			wantCounts(t, r, e, true)
		}
		wantRole(t, r, frank, event.Member)
		wantRole(t, r, carol, event.Member)
		wantRole(t, r, bob, event.Nobody)
	}
	if got := carol.room.Property(event.PropertyName); got != nil {
		t.Errorf("the name is %q", got)
	}
	checkOrders(t, carol)

	// Added again he is junior to all, and heard; what was void stays so.
	again := alice.act(&event.Add{Member: personOf(bob.identity), Role: event.Owner})
	sync(alice, bob, carol, dave)
	now := bob.say("thank you")
	sync(alice, bob, carol, dave)
	wantCounts(t, carol, now, true)
	wantCounts(t, carol, later, false)
	members := carol.room.Members()
	if last := members[len(members)-1]; last.Identity != personOf(bob.identity) || last.Rank != again.Key() {
		t.Error("bob is not the last in rank")
	}
	checkOrders(t, carol)
}

// The same of who is an owner no more: on an old branch he would be one for ever.
func TestDemotedOwnerOnOldBranch(t *testing.T) {
	_, alice, bob, carol, dave := start(t)
	alice.set(bob, event.Member)
	eve := bob.act(&event.Add{Member: personOf(keyOf("eve")), Role: event.Owner})
	said := bob.say("members may speak")
	sync(alice, bob, carol, dave)
	wantCounts(t, carol, eve, false)
	wantCounts(t, carol, said, true)
	wantRole(t, carol, bob, event.Member)
	checkOrders(t, carol)
}

// A removal may leave out what somebody has said, and so take it away.
func TestPurge(t *testing.T) {
	_, alice, bob, carol, dave := start(t)
	good := dave.say("hello")
	var spam []*event.Event
	for range 5 {
		spam = append(spam, dave.say("buy"))
	}
	sync(alice, bob, carol, dave)
	removal := alice.act(&event.Remove{Member: personOf(dave.identity), Cuts: []event.ID{good.ID}})
	restored := carol.restored()
	sync(alice, bob, carol, dave)
	must(restored.room.Add(removal))
	if changed := restored.room.Changed(); !slices.Contains(changed, personOf(dave.identity)) {
		t.Error("a room that is restored does not say that dave has changed")
	}
	wantCounts(t, carol, good, true)
	for _, e := range spam {
		wantCounts(t, carol, e, false)
	}
	if changed := carol.room.Changed(); !slices.Contains(changed, personOf(dave.identity)) {
		t.Error("nobody is told to look at dave's events again")
	}
	checkOrders(t, carol)
}

// Who is removed cannot hide the removal by standing on it: nobody stands on what is void, and all on
// what is below.
func TestHiding(t *testing.T) {
	_, alice, bob, carol, dave := start(t)
	removal := alice.remove(dave)
	sync(alice, bob, carol, dave)
	hidden := bob.act(&event.Meta{Property: event.PropertyName, Value: []byte("tea")})
	bob.give(dave)
	void := []*event.Event{dave.content(&event.Text{Text: "one"}), dave.content(&event.Text{Text: "two"})}
	sync(alice, bob, carol, dave)
	next, _ := carol.room.Draft(deviceOf(carol.device))
	if !slices.Contains(next.Parents, hidden.ID) {
		t.Errorf("she does not stand on what was hidden: %v", next.Parents)
	}
	for _, e := range void {
		wantCounts(t, carol, e, false)
		if slices.Contains(next.Parents, e.ID) {
			t.Error("she stands on what is void")
		}
	}
	wantCounts(t, carol, removal, true)
	checkOrders(t, carol)
}

// Nobody can void another's words by a cut of a third.
func TestCutsOfOthers(t *testing.T) {
	_, alice, bob, carol, dave := start(t)
	d := alice.draft(&event.Remove{Member: personOf(dave.identity), Cuts: alice.room.Cuts(personOf(carol.identity))})
	e, err := d.Sign(alice.device)
	wantRefused(t, bob, e, err)
}

func TestLeave(t *testing.T) {
	_, alice, bob, carol, dave := start(t)
	said := dave.say("goodbye")
	leave := dave.remove(dave)
	late := dave.say("one more thing")
	sync(alice, bob, carol, dave)
	wantCounts(t, carol, said, true)
	wantCounts(t, carol, leave, true)
	wantCounts(t, carol, late, false)
	wantRole(t, carol, dave, event.Nobody)
	checkOrders(t, carol)
}

// Removal and a new secret: nobody sends with a secret that somebody has who is not in the room
// any more, whoever was first.
func TestRemovalAndEpoch(t *testing.T) {
	_, alice, bob, carol, dave := start(t)
	alice.say("hello")
	sync(alice, bob, carol, dave)
	old, ok := carol.room.Sending(nil)
	if !ok || len(old.Missing) > 0 {
		t.Fatalf("%+v, %v", old, ok)
	}
	alice.remove(dave)
	racing := bob.epoch() // he does not know yet, and wraps it for dave too
	sync(alice, bob, carol, dave)
	if s, ok := carol.room.Sending(nil); ok {
		t.Errorf("she would send with %v, which dave can read (%v)", s.Epoch, s.Epoch == racing.ID)
	}
	fresh := carol.epoch()
	sync(alice, bob, carol, dave)
	for _, r := range []*replica{alice, bob, carol} {
		if s, ok := r.room.Sending(nil); !ok || s.Epoch != fresh.ID || len(s.Missing) > 0 {
			t.Errorf("%s sends with %+v, %v", r.name, s, ok)
		}
		for w := range r.room.Wrapped(deviceOf(dave.device)) {
			if w.Epoch == fresh.ID {
				t.Error("dave has the new secret")
			}
		}
	}
	// A removed member's epoch is none to send with, if he leaves himself out.
	evil := dave.act(&event.Epoch{Suite: event.SuiteClassic, Commit: [32]byte{6}, Wraps: []event.Wrap{{Device: deviceOf(carol.device), Sealed: make([]byte, 80)}}})
	sync(alice, bob, carol, dave)
	if s, _ := carol.room.Sending(nil); s.Epoch == evil.ID {
		t.Error("she would send with a secret that dave has made")
	}
	checkOrders(t, carol)
}

// Who has entered lacks the secret, until an epoch or a share has it for him.
func TestShareOfEpoch(t *testing.T) {
	_, alice, bob, carol, dave := start(t)
	said := alice.say("hello")
	erin := alice.add("erin", event.Member)
	sync(alice, bob, carol, dave, erin)
	s, ok := bob.room.Sending(nil)
	if !ok || !slices.Equal(s.Missing, []event.Device{deviceOf(erin.device)}) {
		t.Fatalf("%+v, %v", s, ok)
	}
	bob.act(&event.Share{Suite: event.SuiteClassic, Of: said.Epoch, Wraps: []event.Wrap{{Device: deviceOf(erin.device), Sealed: make([]byte, 80)}}})
	sync(alice, bob, carol, dave, erin)
	if s, ok := carol.room.Sending(nil); !ok || len(s.Missing) > 0 || s.Epoch != said.Epoch {
		t.Errorf("%+v, %v", s, ok)
	}
	n := 0
	for w := range erin.room.Wrapped(deviceOf(erin.device)) {
		if n++; w.Maker != deviceOf(bob.device) || w.Epoch != said.Epoch {
			t.Errorf("%+v", w)
		}
	}
	if n != 1 {
		t.Errorf("erin has %d secrets", n)
	}
	checkOrders(t, carol)
}

// Of two epochs that nobody knew of each other, all send with the same one.
func TestConcurrentEpochs(t *testing.T) {
	_, alice, bob, carol, dave := start(t)
	alice.epoch()
	bob.epoch()
	sync(alice, bob, carol, dave)
	a, _ := alice.room.Sending(nil)
	for _, r := range []*replica{bob, carol, dave} {
		if s, ok := r.room.Sending(nil); !ok || s.Epoch != a.Epoch {
			t.Errorf("%s sends with another one", r.name)
		}
	}
	checkOrders(t, alice)
}
