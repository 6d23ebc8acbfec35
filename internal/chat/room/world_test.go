package room

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/peer"
)

// A world has people, their devices and all events that were ever made.
type world struct {
	clock  uint64 // of all: the time of the next event
	room   event.ID
	events []*event.Event // as they were made
	secret *event.Secret
}

// A replica is a device with what it knows.
type replica struct {
	w        *world
	name     string
	identity *peer.Key
	device   *peer.Key
	prekey   *event.Prekey
	room     *Room
	memory   map[event.ID]Node
	events   map[event.ID]*event.Event
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func keyOf(name string) *peer.Key {
	var seed [32]byte
	copy(seed[:], name)
	return peer.KeyFromSeed(seed)
}

func personOf(k *peer.Key) event.Identity { return event.Identity(k.ID().Bytes()) }
func deviceOf(k *peer.Key) event.Device   { return event.Device(k.ID().Bytes()) }

// prekeys are the same for all devices: what they wrap is not looked at here.
var prekeys = must(event.PrekeySecretFrom([32]byte{1}))

const noon = 1_800_000_000_000

func newWorld() *world {
	return &world{clock: event.Stamp(time.UnixMilli(noon)), secret: event.SecretFrom([32]byte{1})}
}

// device returns a device of somebody, which knows nothing yet.
func (w *world) device(person, device string) *replica {
	d := keyOf(person + "/" + device)
	prekey := must(event.NewPrekey(d, noon, prekeys))
	return &replica{w: w, name: person + "/" + device, identity: keyOf(person), device: d, prekey: &prekey, events: map[event.ID]*event.Event{}}
}

// found has somebody create the room.
func (w *world) found(person string) *replica {
	r := w.device(person, "1")
	e := must(event.Draft{Seq: 1, Time: w.tick(), Body: &event.Create{Rules: 1, Cert: event.Certify(r.identity, deviceOf(r.device)), Prekey: r.prekey}}.Sign(r.device))
	w.room = e.ID
	w.made(r, e)
	return r
}

func (w *world) tick() uint64 { w.clock += 1 << 16; return w.clock }

// open begins the replica's room.
func (r *replica) open() {
	r.memory = map[event.ID]Node{}
	r.room = New(r.w.room, r)
}

var _ Past = (*replica)(nil)

func (r *replica) Node(id event.ID) (Node, bool) {
	n, ok := r.memory[id]
	return n, ok
}

func (r *replica) Links(id event.ID) []event.ID { return r.events[id].Links() }

func (w *world) made(r *replica, e *event.Event) *event.Event {
	w.events = append(w.events, e)
	must(0, r.take(e))
	return e
}

// take adds an event and all before it that the replica has not.
func (r *replica) take(e *event.Event) error {
	if r.room == nil {
		r.open()
	}
	n, err := r.room.Add(e)
	if err == nil {
		r.memory[e.ID], r.events[e.ID] = n, e
	}
	return err
}

// sync gives everything to each other. What a replica has cannot be refused by another.
func sync(all ...*replica) {
	for _, from := range all {
		for _, to := range all {
			from.give(to)
		}
	}
}

func (r *replica) give(to *replica) {
	if r == to || r.room == nil {
		return
	}
	for _, e := range r.sorted() {
		if to.events[e.ID] == nil {
			must(0, to.take(e))
		}
	}
}

// sorted returns the replica's events in the order of their keys, in which parents come first.
func (r *replica) sorted() []*event.Event {
	all := []*event.Event{}
	for _, e := range r.events {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b *event.Event) int { return a.Key().Compare(b.Key()) })
	return all
}

// draft returns the next event of the replica, with a body.
func (r *replica) draft(body event.Body) event.Draft {
	d, _ := r.room.Draft(deviceOf(r.device))
	d.Time, d.Body = r.w.tick(), body
	return d
}

// act makes a control event, and content makes the other kind; both panic if it is refused.
func (r *replica) act(body event.Body) *event.Event {
	return r.w.made(r, must(r.draft(body).Sign(r.device)))
}

func (r *replica) say(text string) *event.Event { return r.content(&event.Text{Text: text}) }

func (r *replica) content(body event.Body) *event.Event {
	s, ok := r.room.Sending(nil)
	if !ok || len(s.Missing) > 0 {
		s.Epoch = r.epoch().ID
	}
	d := r.draft(body)
	d.Epoch = s.Epoch
	return r.w.made(r, must(d.Seal(r.device, r.w.secret)))
}

// epoch makes one for all devices that are in the room. What it wraps is nothing.
func (r *replica) epoch() *event.Event {
	var wraps []event.Wrap
	for _, m := range r.room.Members() {
		for _, d := range m.Devices {
			wraps = append(wraps, event.Wrap{Device: d, Sealed: make([]byte, 80)})
		}
	}
	slices.SortFunc(wraps, func(a, b event.Wrap) int { return strings.Compare(string(a.Device[:]), string(b.Device[:])) })
	return r.act(&event.Epoch{Suite: event.SuiteClassic, Commit: r.w.secret.Commit(), Wraps: wraps})
}

// add makes somebody a member, who enters with a device.
func (r *replica) add(person string, role event.Role) *replica {
	e := r.act(&event.Add{Member: personOf(keyOf(person)), Role: role})
	x := r.w.device(person, "1")
	r.give(x)
	x.enter(e.ID, [64]byte{})
	x.give(r)
	return x
}

func (r *replica) enter(via event.ID, proof [64]byte) *event.Event {
	return r.act(r.entering(via, proof))
}

func (r *replica) entering(via event.ID, proof [64]byte) *event.Enter {
	return &event.Enter{Cert: event.Certify(r.identity, deviceOf(r.device)), Prekey: r.prekey, Via: via, Proof: proof}
}

// entry returns where the replica's device has entered.
func (r *replica) entry() event.ID {
	return r.room.acts[r.memory[r.room.devices[deviceOf(r.device)].tip].Root].e.ID
}

func (r *replica) remove(x *replica) *event.Event {
	who := personOf(x.identity)
	return r.act(&event.Remove{Member: who, Cuts: r.room.Cuts(who)})
}

func (r *replica) set(x *replica, role event.Role) *event.Event {
	who := personOf(x.identity)
	return r.act(&event.SetRole{Member: who, Role: role, Cuts: r.room.Cuts(who)})
}

// counts tells whether an event counts for the replica.
func (r *replica) counts(e *event.Event) bool { return r.room.Counts(e.ID, r.memory[e.ID]) }

func (r *replica) role(x *replica) event.Role { return r.room.RoleNow(personOf(x.identity)) }

// digest says all that a replica makes of what it has.
func (r *replica) digest() string {
	var b strings.Builder
	for _, m := range r.room.Members() {
		fmt.Fprintf(&b, "member %x %v %v %d", m.Identity[:4], m.Role, m.Rank.Time, len(m.Devices))
		for _, d := range m.Devices {
			fmt.Fprintf(&b, " %x", d[:4])
		}
		b.WriteByte('\n')
	}
	sending, ok := r.room.Sending(nil)
	fmt.Fprintf(&b, "sending %v %v %d\n", ok, sending.Epoch, len(sending.Missing))
	fmt.Fprintf(&b, "name %q\ninvites %v\n", r.room.Property(event.PropertyName), r.room.Invites(time.UnixMilli(noon)))
	tips := r.room.Tips()
	slices.SortFunc(tips, func(a, b Tip) int { return slices.Compare(a.Device[:], b.Device[:]) })
	for _, t := range tips {
		fmt.Fprintf(&b, "tip %x %v %d %d\n", t.Device[:4], t.ID, t.Seq, t.Fork)
	}
	for _, e := range r.sorted() {
		n := r.memory[e.ID]
		fmt.Fprintf(&b, "%v %v %v %v %d\n", e.ID, e.Kind, r.counts(e), r.room.Role(e.ID, n), r.room.Forked(e.Device))
	}
	return b.String()
}

// shuffled returns a replica that has the same events, which came in another order.
func (r *replica) shuffled(rnd *rand.Rand) *replica {
	x := &replica{w: r.w, name: "shuffled", events: map[event.ID]*event.Event{}}
	rest := r.sorted()
	for len(rest) > 0 {
		rnd.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
		var waiting []*event.Event
		for _, e := range rest {
			var missing *MissingError
			if err := x.take(e); errors.As(err, &missing) {
				waiting = append(waiting, e)
			} else if err != nil {
				panic(err)
			}
			if rnd.IntN(20) == 0 {
				x.room.Members() // what is worked out in between leaves nothing behind
			}
		}
		rest = waiting
	}
	return x
}

// checkOrders checks that what a replica makes of its events does not depend on their order, and
// that a room that is restored from records is the same.
func checkOrders(t *testing.T, r *replica) {
	t.Helper()
	if _, ok := written[t.Name()]; ok {
		written[t.Name()] = r
	}
	want := r.digest()
	for seed := range uint64(10) {
		x := r.shuffled(rand.New(rand.NewPCG(seed, 1)))
		if got := x.digest(); got != want {
			t.Fatalf("in order %d it is\n%s\nwant\n%s", seed, got, want)
		}
		if got := x.restored(); got.digest() != want {
			t.Fatalf("restored from order %d it is\n%s\nwant\n%s", seed, got.digest(), want)
		}
	}
}

// restored returns a replica of records.
func (r *replica) restored() *replica {
	x := &replica{w: r.w, memory: map[event.ID]Node{}, events: r.events}
	for id, n := range r.memory {
		x.memory[id] = must(ParseNode(n.Append(nil)))
	}
	control := func(yield func(*event.Event, Node) bool) {
		for _, a := range r.room.acts { // in their order; the others anywhere
			if !yield(a.e, x.memory[a.e.ID]) {
				return
			}
		}
		for id, e := range r.events {
			if e.Kind.Control() && !IsAct(e.Kind) && !yield(e, x.memory[id]) {
				return
			}
		}
	}
	x.room = must(Restore(r.w.room, x, control, r.room.Tips(), r.room.Heads()))
	return x
}
