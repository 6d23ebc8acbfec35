package room

import (
	"bytes"
	"encoding/binary"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/chat/event"
)

// opened returns what a replica shows: content that counts, opened.
func (r *replica) opened() (all []Opened) {
	for _, e := range r.sorted() {
		if e.Kind.Control() || !r.counts(e) {
			continue
		}
		n := r.memory[e.ID]
		all = append(all, Opened{e.Key(), r.room.Author(n), r.room.Role(e.ID, n), must(e.Open(r.w.secret))})
	}
	return all
}

// view returns the messages, and checks that they are the same whatever order things come in.
func (r *replica) view(t *testing.T) []Message {
	t.Helper()
	var want []Message
	for seed := range uint64(5) {
		all := r.opened()
		newRand(seed).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		var v View
		for _, o := range append(all, all...) {
			v.Add(o)
		}
		if got := v.Messages(); seed == 0 {
			want = got
		} else if !reflect.DeepEqual(got, want) {
			t.Fatalf("in order %d there is %+v, want %+v", seed, got, want)
		}
	}
	return want
}

func TestView(t *testing.T) {
	_, alice, bob, carol, dave := start(t)
	all := func() { sync(alice, bob, carol, dave) }
	hello := carol.say("helo")
	all()
	carol.content(&event.Edit{Target: hello.ID, Text: "hello"})
	dave.content(&event.Edit{Target: hello.ID, Text: "I am a fool"}) // not his
	alice.content(&event.Edit{Target: hello.ID, Text: "nor an owner's"})
	dave.content(&event.React{Target: hello.ID, Emoji: "+"})
	bob.content(&event.React{Target: hello.ID, Emoji: "+"})
	alice.content(&event.React{Target: hello.ID, Emoji: "-"})
	all()
	alice.content(&event.React{Target: hello.ID, Emoji: "-", Off: true})
	dave.content(&event.Pin{Target: hello.ID}) // only owners do
	answer := dave.content(&event.Text{Text: "hi", Reply: hello.ID})
	all()
	got := carol.view(t)
	if len(got) != 2 || got[0].ID != hello.ID || got[0].Text != "hello" || got[0].Edited.Time == 0 || got[0].Pinned || got[0].Deleted {
		t.Fatalf("%+v", got)
	}
	if r := got[0].Reactions; len(r) != 1 || len(r["+"]) != 2 || !slices.Contains(r["+"], personOf(bob.identity)) {
		t.Errorf("reactions: %v", r)
	}
	if got[1].ID != answer.ID || got[1].Body.(*event.Text).Reply != hello.ID {
		t.Errorf("the answer is %+v", got[1])
	}

	bob.content(&event.Pin{Target: hello.ID})
	dave.content(&event.Delete{Target: hello.ID}) // not his
	all()
	if got := carol.view(t); got[0].Deleted || !got[0].Pinned {
		t.Errorf("%+v", got[0])
	}
	carol.content(&event.Delete{Target: hello.ID})
	carol.content(&event.Edit{Target: hello.ID, Text: "it comes back"})
	bob.content(&event.Delete{Target: answer.ID}) // an owner may
	all()
	for _, m := range carol.view(t) {
		if !m.Deleted || m.Body != nil || m.Text != "" {
			t.Errorf("%+v", m)
		}
	}
}

// What a removed member does to messages afterwards does nothing.
func TestViewOfRemoved(t *testing.T) {
	_, alice, bob, carol, dave := start(t)
	hello := dave.say("hello")
	sync(alice, bob, carol, dave)
	alice.remove(dave)
	dave.content(&event.Delete{Target: hello.ID})
	sync(alice, bob, carol, dave)
	if got := carol.view(t); len(got) != 1 || got[0].Deleted {
		t.Errorf("%+v", got)
	}
}

func TestProperties(t *testing.T) {
	_, alice, bob, carol, dave := start(t)
	before := carol.say("for ever")
	sync(alice, carol)
	alice.act(&event.Meta{Property: event.PropertyName, Value: []byte("tea")})
	alice.act(&event.Meta{Property: event.PropertyTTL, Value: binary.BigEndian.AppendUint64(nil, 3600)})
	sync(alice, bob, carol, dave)
	after := carol.say("for an hour")
	bob.act(&event.Meta{Property: event.PropertyName, Value: []byte("coffee")})
	bob.act(&event.Meta{Property: event.PropertyTTL, Value: binary.BigEndian.AppendUint64(nil, math.MaxUint64)})
	sync(alice, bob, carol, dave)
	last := carol.say("for ever, as the number is none")
	if got := dave.room.Property(event.PropertyName); string(got) != "coffee" {
		t.Errorf("the name is %q", got)
	}
	if _, ok := dave.room.Expires(before.Key()); ok {
		t.Error("what was written before the room had a time to live disappears")
	}
	if at, ok := dave.room.Expires(after.Key()); !ok || !at.Equal(event.Time(after.Time).Add(time.Hour)) {
		t.Errorf("it disappears at %v, %v", at, ok)
	}
	if at, ok := dave.room.Expires(last.Key()); ok {
		t.Errorf("it disappears at %v", at)
	}
	checkOrders(t, dave)
}

// Kinds of later versions stay where they are and mean nothing; who may not write may not
// with them either.
func TestUnknownKinds(t *testing.T) {
	_, alice, bob, carol, dave := start(t)
	said := alice.say("hello")
	sync(alice, bob, carol, dave)
	d := carol.draft(&event.Text{Text: "?"})
	d.Epoch = said.Epoch
	e := must(d.Seal(carol.device, carol.w.secret))
	b := e.Bytes()
	b[1] = 200 // the kind; the signature is checked by event.Parse, and not here
	later := must(event.Read(b))
	must(0, dave.take(later))
	wantCounts(t, dave, later, true)
	if next, _ := dave.room.Draft(deviceOf(dave.device)); !slices.Contains(next.Parents, later.ID) {
		t.Error("nothing stands on it")
	}
}

func FuzzNode(f *testing.F) {
	f.Add(Node{Time: 1, Seq: 2, Kind: 3, Root: 4, Past: []uint32{5, 6}}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := ParseNode(b)
		if err != nil {
			return
		}
		if again, err := ParseNode(n.Append(nil)); err != nil || !reflect.DeepEqual(again, n) {
			t.Fatalf("%+v becomes %+v (%v)", n, again, err)
		}
	})
}

func TestNodesAreSmall(t *testing.T) {
	_, alice, _, _, _ := start(t)
	e := alice.say("hello")
	if b := alice.memory[e.ID].Append(nil); len(b) > 64 || !bytes.Contains(b, e.Parents[0][:]) {
		t.Errorf("a node takes %d bytes", len(b))
	}
}
