package room

import (
	"errors"
	"slices"
	"testing"

	"github.com/tenon-net/tenon/internal/chat/event"
)

// A holder is a replica that has keys of its own, and the secrets that it could unwrap.
type holder struct {
	*replica
	keys    *event.PrekeySecret
	secrets map[event.ID]*event.Secret
}

// unwrap takes all secrets that are there for the holder.
func (h *holder) unwrap() {
	for w := range h.room.Wrapped(deviceOf(h.device)) {
		if s, err := h.keys.Unwrap(w.Suite, h.w.room, w.Maker, w.Commit, w.Wrap); err == nil {
			h.secrets[w.Epoch] = s
		}
	}
}

// write makes a message, with an epoch before it if there is none to send with.
func (h *holder) write(t *testing.T, text string) *event.Event {
	t.Helper()
	h.unwrap()
	s, ok := h.room.Sending(func(id event.ID) bool { return h.secrets[id] != nil })
	if !ok || len(s.Missing) > 0 {
		var to []*event.Prekey
		for _, m := range h.room.Members() {
			for _, d := range m.Devices {
				to = append(to, h.room.FirstPrekey(d))
			}
		}
		secret, suite := event.NewSecret(), event.SuiteFor(len(to))
		wraps := must(secret.WrapAll(suite, h.w.room, deviceOf(h.device), to))
		s.Epoch = h.act(&event.Epoch{Suite: suite, Commit: secret.Commit(), Wraps: wraps}).ID
		h.secrets[s.Epoch] = secret
	}
	d := h.draft(&event.Text{Text: text})
	d.Epoch = s.Epoch
	return h.w.made(h.replica, must(d.Seal(h.device, h.secrets[s.Epoch])))
}

// reads tells whether the holder can open a message.
func (h *holder) reads(e *event.Event) bool {
	h.unwrap()
	s := h.secrets[e.Epoch]
	if s == nil {
		return false
	}
	_, err := e.Open(s)
	return err == nil
}

// The secrets go with the room, as events of it: who is in it when something is written reads it,
// nobody else does, and who comes later reads what was before if somebody shares it.
func TestSecretsGoWithTheRoom(t *testing.T) {
	w := newWorld()
	hold := func(person string) *holder {
		h := &holder{w.device(person, "1"), must(event.NewPrekeySecret()), map[event.ID]*event.Secret{}}
		p := must(event.NewPrekey(h.device, noon, h.keys))
		h.prekey = &p
		return h
	}
	alice, bob, carol := hold("alice"), hold("bob"), hold("carol")
	e := must(event.Draft{Seq: 1, Time: w.tick(), Body: &event.Create{Rules: 1, Cert: event.Certify(alice.identity, deviceOf(alice.device)), Prekey: alice.prekey}}.Sign(alice.device))
	w.room = e.ID
	w.made(alice.replica, e)
	join := func(h *holder) {
		add := alice.act(&event.Add{Member: personOf(h.identity), Role: event.Member})
		alice.give(h.replica)
		h.enter(add.ID, [64]byte{})
		h.give(alice.replica)
	}
	all := func() { sync(alice.replica, bob.replica, carol.replica) }

	join(bob)
	first := alice.write(t, "to bob")
	join(carol)
	all()
	second := bob.write(t, "to all")
	all()
	alice.remove(bob.replica)
	all()
	third := carol.write(t, "not to bob")
	all()
	for _, c := range []struct {
		who  *holder
		what *event.Event
		want bool
	}{
		{alice, first, true}, {alice, second, true}, {alice, third, true},
		{bob, first, true}, {bob, second, true}, {bob, third, false},
		{carol, first, false}, {carol, second, true}, {carol, third, true},
	} {
		if got := c.who.reads(c.what); got != c.want {
			t.Errorf("%s reads event %d: %v", c.who.name, c.what.Seq, got)
		}
	}

	// Alice shows carol what was before.
	wraps := must(alice.secrets[first.Epoch].WrapAll(event.SuiteHybrid, w.room, deviceOf(alice.device), []*event.Prekey{carol.prekey}))
	alice.act(&event.Share{Suite: event.SuiteHybrid, Of: first.Epoch, Wraps: wraps})
	all()
	if !carol.reads(first) {
		t.Error("carol does not read what was shared with her")
	}
	if _, err := third.Open(alice.secrets[first.Epoch]); !errors.Is(err, event.ErrSealed) {
		t.Errorf("an old secret opens what is new: %v", err)
	}
	checkOrders(t, carol.replica)

	// An epoch that says to be for alice, and is not, is not in her way; nor is one for carol alone.
	evil := event.NewSecret()
	wraps = must(evil.WrapAll(event.SuiteClassic, w.room, deviceOf(carol.device), []*event.Prekey{carol.prekey}))
	for _, wraps := range [][]event.Wrap{wraps, {wraps[0], {Device: deviceOf(alice.device), Sealed: make([]byte, 80)}}} {
		slices.SortFunc(wraps, func(a, b event.Wrap) int { return slices.Compare(a.Device[:], b.Device[:]) })
		carol.act(&event.Epoch{Suite: event.SuiteClassic, Commit: evil.Commit(), Wraps: wraps})
	}
	all()
	if e := alice.write(t, "as before"); e.Epoch != third.Epoch {
		t.Error("alice sends with another epoch")
	}
}
