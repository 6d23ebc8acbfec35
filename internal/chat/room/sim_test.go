package room

import (
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tenon-net/tenon/internal/chat/event"
)

var (
	simSeeds   = flag.Int("seeds", 60, "how many rooms TestConvergence simulates, each with a seed of its own")
	simSeed    = flag.Uint64("seed", 1, "the first seed")
	simMembers = flag.Int("members", 12, "how many members they have")
)

// A sim is a room whose members act at random: they write, add, remove and leave, change roles,
// invite and join, bring new devices; some hostile ones fork, backdate, and go on when they are
// removed. The network falls apart into partitions, which change; events come in any order, and
// many do not come.
type sim struct {
	*world
	rnd      *rand.Rand
	replicas []*replica
	groups   []int // of each replica
	invites  []*event.Event
	people   int
	seen     map[*replica]map[event.ID]bool // what some replicas hold for counting
}

func newSim(seed uint64) *sim {
	s := &sim{world: newWorld(), rnd: rand.New(rand.NewPCG(seed, 3)), seen: map[*replica]map[event.ID]bool{}}
	s.replicas, s.groups = []*replica{s.found("p0")}, []int{0}
	s.people = 1
	return s
}

func (s *sim) chance(percent int) bool { return s.rnd.IntN(100) < percent }

func pick[T any](s *sim, all []T) T { return all[s.rnd.IntN(len(all))] }

// try makes an event if the rules allow it to its author.
func (s *sim) try(r *replica, body event.Body) *event.Event {
	d, _ := r.room.Draft(deviceOf(r.device))
	return s.put(r, d, body)
}

func (s *sim) put(r *replica, d event.Draft, body event.Body) *event.Event {
	d.Body = body
	// Clocks are wrong by up to 20 ticks, and never behind what their owner has seen.
	last := uint64(0)
	for _, n := range r.memory {
		last = max(last, n.Time)
	}
	d.Time = max(last+1, s.tick()-uint64(s.rnd.IntN(20))<<16)
	return s.publish(r, d)
}

func (s *sim) publish(r *replica, d event.Draft) *event.Event {
	var e *event.Event
	var err error
	if k := d.Body; isContent(k) {
		e, err = d.Seal(r.device, s.secret)
	} else {
		e, err = d.Sign(r.device)
	}
	if err != nil {
		panic(err)
	}
	if err := r.take(e); err != nil {
		if errors.Is(err, ErrRefused) {
			if e.Kind == event.KindEnter {
				panic(err)
			}
			return nil
		}
		panic(err)
	}
	s.events = append(s.events, e)
	return e
}

func isContent(b event.Body) bool {
	switch b.(type) {
	case *event.Text, *event.Edit, *event.React:
		return true
	}
	return false
}

func (s *sim) somebody() event.Identity { return personOf(pick(s, s.replicas).identity) }

// bring adds a replica of somebody that knows what r does.
func (s *sim) bring(r *replica, person, device string) *replica {
	x := s.device(person, device)
	r.give(x)
	s.replicas, s.groups = append(s.replicas, x), append(s.groups, s.groups[slices.Index(s.replicas, r)])
	return x
}

// step has somebody do something.
func (s *sim) step(members int) {
	r := pick(s, s.replicas)
	role := event.Role(1 + s.rnd.IntN(3))
	switch n := s.rnd.IntN(100); {
	case n < 30:
		s.say(r)
	case n < 48 && s.people < members:
		s.people++
		person := fmt.Sprintf("p%d", s.people-1)
		if add := s.try(r, &event.Add{Member: personOf(keyOf(person)), Role: max(role, event.Member)}); add != nil {
			x := s.bring(r, person, "1")
			s.try(x, x.entering(add.ID, [64]byte{}))
		}
	case n < 55:
		who := s.somebody()
		s.try(r, &event.Remove{Member: who, Cuts: r.room.Cuts(who)})
	case n < 60:
		who := s.somebody()
		s.try(r, &event.SetRole{Member: who, Role: role, Cuts: r.room.Cuts(who)})
	case n < 63:
		who := personOf(r.identity)
		s.try(r, &event.Remove{Member: who, Cuts: r.room.Cuts(who)})
	case n < 67:
		if i := s.try(r, &event.Invite{Key: [32]byte(keyOf("link").ID().Bytes()), Role: role, Uses: uint64(s.rnd.IntN(3))}); i != nil {
			s.invites = append(s.invites, i)
		}
	case n < 75 && len(s.invites) > 0:
		i := pick(s, s.invites)
		if r.events[i.ID] != nil && s.people < members {
			s.people++
			x := s.bring(r, fmt.Sprintf("p%d", s.people-1), "1")
			s.try(x, x.entering(i.ID, event.AcceptInvite(keyOf("link"), s.room, i.ID, personOf(x.identity), deviceOf(x.device))))
		}
	case n < 77 && len(s.invites) > 0:
		if i := pick(s, s.invites); r.events[i.ID] != nil {
			s.try(r, &event.Revoke{Invite: i.ID})
		}
	case n < 80 && r.room.FirstPrekey(deviceOf(r.device)) != nil:
		x := s.bring(r, r.name[:slices.Index([]byte(r.name), '/')], fmt.Sprint("d", len(s.replicas)))
		s.try(x, x.entering(r.entry(), [64]byte{}))
	case n < 83:
		s.removeDevice(r)
	case n < 86:
		s.try(r, &event.Meta{Property: event.PropertyName, Value: []byte{byte('a' + s.rnd.IntN(26))}})
	case n < 90:
		s.fork(r)
	case n < 94:
		s.backdate(r)
	default:
		s.partition()
	}
}

func (s *sim) say(r *replica) {
	sending, ok := r.room.Sending(nil)
	if !ok || len(sending.Missing) > 0 {
		var wraps []event.Wrap
		for _, m := range r.room.Members() {
			for _, d := range m.Devices {
				wraps = append(wraps, event.Wrap{Device: d, Sealed: make([]byte, 80)})
			}
		}
		slices.SortFunc(wraps, func(a, b event.Wrap) int { return slices.Compare(a.Device[:], b.Device[:]) })
		if len(wraps) == 0 {
			return
		}
		e := s.try(r, &event.Epoch{Suite: event.SuiteClassic, Commit: [32]byte{1}, Wraps: wraps})
		if e == nil {
			return
		}
		sending.Epoch = e.ID
	}
	d, _ := r.room.Draft(deviceOf(r.device))
	d.Epoch = sending.Epoch
	s.put(r, d, &event.Text{Text: "hello"})
}

func (s *sim) removeDevice(r *replica) {
	x := pick(s, s.replicas)
	entry, ok := x.room.devices[deviceOf(x.device)]
	if !ok || r.room.numbers[x.room.acts[entry.roots[0]].e.ID] == 0 {
		return
	}
	id := x.room.acts[entry.roots[0]].e.ID
	body := &event.RemoveDevice{Enter: id}
	if s.chance(50) {
		body.Proof = event.RevokeDevice(x.identity, s.room, deviceOf(x.device))
	}
	if d := r.room.devices[deviceOf(x.device)]; s.chance(70) {
		body.Cuts = []event.ID{d.tip}
	}
	s.try(r, body)
}

// fork has a device make two events with one number, and show each to somebody else.
func (s *sim) fork(r *replica) {
	d, _ := r.room.Draft(deviceOf(r.device))
	sending, ok := r.room.Sending(nil)
	if d.Seq == 1 || !ok {
		return
	}
	d.Epoch = sending.Epoch
	for _, text := range []string{"one", "two"} {
		s.put(r, d, &event.Text{Text: text})
	}
}

// backdate has somebody act as if he knew nothing but what he has done long ago.
func (s *sim) backdate(r *replica) {
	own := []*event.Event{}
	for _, e := range r.events {
		if e.Device == deviceOf(r.device) {
			own = append(own, e)
		}
	}
	if len(own) == 0 {
		return
	}
	slices.SortFunc(own, func(a, b *event.Event) int { return a.Key().Compare(b.Key()) })
	from := pick(s, own)
	d := event.Draft{Room: s.room, Seq: from.Seq + 1, Time: from.Time + 1, Parents: []event.ID{from.ID}}
	bodies := []event.Body{&event.Add{Member: personOf(keyOf("evil")), Role: event.Owner}, &event.Remove{Member: s.somebody()},
		&event.Meta{Property: event.PropertyName, Value: []byte("evil")}, &event.SetRole{Member: s.somebody(), Role: event.Owner}}
	d.Body = pick(s, bodies)
	s.publish(r, d)
}

func (s *sim) partition() {
	n := 1 + s.rnd.IntN(4)
	for i := range s.groups {
		s.groups[i] = s.rnd.IntN(n)
	}
}

// exchange has two of one partition meet, one of whom gets some of what the other has, in any
// order.
func (s *sim) exchange() {
	i, j := s.rnd.IntN(len(s.replicas)), s.rnd.IntN(len(s.replicas))
	if i == j || s.groups[i] != s.groups[j] {
		return
	}
	from, to := s.replicas[i], s.replicas[j]
	all := from.sorted()
	lost := s.chance(30)
	for round := range 2 {
		if round == 0 {
			s.rnd.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		} else if all = from.sorted(); lost {
			all = all[:len(all)-s.rnd.IntN(len(all))]
		}
		for _, e := range all {
			var missing *MissingError
			if to.events[e.ID] != nil {
				continue
			} else if err := to.take(e); err != nil && !errors.As(err, &missing) {
				panic(fmt.Sprintf("what %s has is refused by %s: %v: %v", from.name, to.name, e.Kind, err))
			}
		}
	}
	s.recount(to)
}

// recount does what a keeper of events does: it asks again only for those that are new, and for
// those of whoever has changed.
func (s *sim) recount(r *replica) {
	held := s.seen[r]
	if held == nil {
		held = map[event.ID]bool{}
		s.seen[r] = held
	}
	changed := r.room.Changed()
	for id, e := range r.events {
		if _, ok := held[id]; !ok || slices.Contains(changed, r.room.Author(r.memory[id])) {
			held[id] = r.counts(e)
		}
	}
}

func (s *sim) run(t *testing.T, steps, members, sample int) (events int) {
	for range steps {
		s.step(members)
		for range 2 {
			s.exchange()
		}
	}
	union := s.replicas[0]
	for _, r := range s.replicas {
		r.give(union)
	}
	all := union.sorted()
	var want [32]byte
	for i, r := range s.replicas {
		if i >= sample && i > 0 {
			break
		}
		for _, e := range all {
			if r.events[e.ID] == nil {
				must(0, r.take(e))
			}
		}
		s.recount(r)
		for id, e := range r.events {
			if s.seen[r][id] != r.counts(e) {
				t.Fatalf("%s was not told that the %v %v counts: %v", r.name, e.Kind, id, r.counts(e))
			}
		}
		digest := r.digest()
		if sum := sha256.Sum256([]byte(digest)); i == 0 {
			want = sum
			if got := r.shuffled(s.rnd).digest(); got != digest {
				t.Fatalf("in another order it is\n%s\nand was\n%s", got, digest)
			}
			if got := r.restored().digest(); got != digest {
				t.Fatalf("restored it is\n%s\nand was\n%s", got, digest)
			}
		} else if sum != want {
			t.Fatalf("%s has\n%s\nand %s has\n%s", r.name, digest, s.replicas[0].name, s.replicas[0].digest())
		}
	}
	// Nobody is senior to who has founded the room: only the founder can end that.
	founder := personOf(keyOf("p0"))
	if union.room.RoleNow(founder) != event.Owner && !slices.ContainsFunc(all, func(e *event.Event) bool {
		return union.room.Author(union.memory[e.ID]) == founder && (e.Kind == event.KindRemove || e.Kind == event.KindRole)
	}) {
		t.Fatal("the founder has been removed by a junior")
	}
	return len(all)
}

// All who end up with the same events agree on who is in the room, on what counts and on what they
// send with, whatever happened on the way.
func TestConvergence(t *testing.T) {
	events := 0
	for seed := *simSeed; seed < *simSeed+uint64(*simSeeds); seed++ {
		if !t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) { events += newSim(seed).run(t, 120, *simMembers, *simMembers) }) {
			t.Fatalf("seed %d breaks it: -run TestConvergence -seed %d -seeds 1 -members %d", seed, seed, *simMembers)
		}
	}
	t.Logf("%d rooms of up to %d members, %d events", *simSeeds, *simMembers, events)
}

// The same with a hundred members.
func TestConvergenceOfAHundred(t *testing.T) {
	if testing.Short() {
		t.Skip("a room of a hundred takes seconds: without -short")
	}
	for seed := *simSeed; seed < *simSeed+1+uint64(*simSeeds)/200; seed++ {
		s := newSim(seed)
		n := s.run(t, 900, 100, 1000)
		t.Logf("seed %d: %d replicas, %d events", seed, len(s.replicas), n)
		if t.Failed() {
			t.Fatalf("seed %d breaks it", seed)
		}
	}
}
