package chat

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/chat/mailbox"
	"github.com/tenon-net/tenon/internal/chat/meet"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/store"
)

const (
	day  = 24 * time.Hour
	week = 7*day + time.Hour
)

// pass has time pass while people are not there.
func (w *world) pass(d time.Duration, people ...*person) {
	w.Helper()
	for _, p := range people {
		p.stop()
	}
	time.Sleep(d)
	for _, p := range people {
		p.start()
	}
}

// knows tells whether somebody knows the latest prekey of another one.
func (p *person) knows(r *Room, other *person) bool {
	own := p.in(r)
	give := must[func()](p.w)(own.take(p.w.Context()))
	defer give()
	return own.prekeyOf(other.self).Time == other.prekey().Time
}

// A device makes another prekey each week, or with an epoch a day after the last one, tells the others, who wrap secrets to
// it from then on, and forgets the private keys 30 days after the next.
func TestPrekeysAreRenewed(t *testing.T) {
	weeks(t)
	virtually(t, func(w *world) {
		anna, bert, carl := w.person("anna"), w.person("bert"), w.person("carl")
		r := w.group(Draft{}, anna, bert)
		first := *bert.prekey()
		anna.say(r, "hello")
		bert.hears(r, "hello")
		if *bert.prekey() != first {
			t.Error("it is another one already")
		}
		w.pass(2*day, anna)
		w.do(anna.in(r).Add(w.Context(), carl.Me(), event.Member, carl.node.Self()))
		w.inside(r, carl)
		carl.stop()
		before := *anna.prekey()
		anna.say(r, "again")
		if *anna.prekey() == before {
			t.Error("anna has made an epoch, and no prekey")
		}
		w.pass(week, anna, bert)
		w.until("each knows the other's latest", func() bool { return anna.knows(r, bert) && bert.knows(r, anna) })
		if bert.vault.private(first.Tag()) == nil {
			t.Error("bert has forgotten the private keys after a week")
		}
		key := anna.say(r, "a week later")
		bert.hears(r, "a week later")
		if tag := wrappedFor(w, anna, r, key, bert); tag != bert.prekey().Tag() {
			t.Errorf("the secret was wrapped to %x, not to the latest prekey", tag)
		}
		w.pass(29*day, anna, bert)
		if bert.vault.private(first.Tag()) == nil {
			t.Error("bert has forgotten the private keys before their time")
		}
		w.pass(day, anna, bert)
		if bert.vault.private(first.Tag()) != nil {
			t.Error("bert has the private keys for ever")
		}
		bert.stop()
		bert.start()
		if bert.vault.private(first.Tag()) != nil {
			t.Error("and has them again after a restart")
		}
		if n := len(bert.vault.prekeys); n != 2 {
			t.Errorf("he has %d", n)
		}
		bert.say(r, "still here")
		anna.hears(r, "still here")
	})
}

// wrappedFor returns the tag of the prekey to which the secret was wrapped with which something was said.
func wrappedFor(w *world, by *person, r *Room, said event.Key, who *person) (tag [8]byte) {
	w.Helper()
	own := by.in(r)
	give := must[func()](w)(own.take(w.Context()))
	defer give()
	rows := must[[]meet.Blob](w)(set{own}.Get(w.Context(), [][32]byte{said.ID}))
	e := must[*event.Event](w)(event.Read(rows[0].Bytes))
	for x := range own.state.Wrapped(event.Device(who.node.Self().Bytes())) {
		if x.Epoch == e.Epoch {
			tag = x.Prekey
		}
	}
	return tag
}

// Who steals a device with all that is on it, and has all that ever passed, opens nothing that was said more than 37 days
// ago and has disappeared since; nothing of it is left in the database either.
func TestForwardSecrecy(t *testing.T) {
	virtually(t, func(w *world) {
		anna, bert := w.person("anna"), w.person("bert")
		r := w.group(Draft{}, anna, bert)
		w.do(r.SetProperty(w.Context(), event.PropertyTTL, []byte{0, 0, 0, 0, 0, 1, 0x51, 0x80}))
		key := anna.say(r, "burn this")
		bert.hears(r, "burn this")
		recorded := must[[]meet.Blob](w)(set{anna.in(r)}.Get(w.Context(), [][32]byte{key.ID}))[0].Bytes
		e := must[*event.Event](w)(event.Read(recorded))
		if thief(w, bert, r, e) != "burn this" {
			t.Fatal("who has the device now cannot read it")
		}
		secret := bert.secretsOf(r)[e.Epoch].Reveal()
		w.pass(week, anna, bert)
		anna.say(r, "the next one")
		bert.hears(r, "the next one")
		w.pass(31*day, anna, bert)
		time.Sleep(10 * time.Minute)
		for _, p := range []*person{anna, bert} {
			if got := thief(w, p, r, e); got != "" {
				t.Errorf("who has %s's device reads %q", p.name, got)
			}
		}
		anna.say(r, "and life goes on")
		bert.hears(r, "and life goes on")
		bert.stop()
		for _, name := range must[[]string](w)(filepath.Glob(filepath.Join(bert.dir, store.File+"*"))) {
			b := must[[]byte](w)(os.ReadFile(name))
			for i := range len(b) - 32 {
				if b[i] == secret[0] && [32]byte(b[i:]) == secret {
					t.Errorf("the secret is in %s", name)
				}
			}
		}
	})
}

// thief returns what somebody reads of an event who has all that a device has, and what has ever passed.
func thief(w *world, victim *person, r *Room, e *event.Event) string {
	w.Helper()
	own := victim.in(r)
	var keys []*event.Secret
	for _, s := range victim.secretsOf(r) {
		keys = append(keys, s)
	}
	for _, s := range must[map[event.ID]*event.Secret](w)(victim.vault.secrets(w.Context(), r.ID())) {
		keys = append(keys, s)
	}
	give := must[func()](w)(own.take(w.Context()))
	for x := range own.state.Wrapped(victim.self) {
		if k := victim.vault.private(x.Prekey); k != nil {
			if s, err := k.Unwrap(x.Suite, r.ID(), x.Maker, x.Commit, x.Wrap); err == nil {
				keys = append(keys, s)
			}
		}
	}
	give()
	for _, s := range keys {
		if b, err := e.Open(s); err == nil {
			return b.(*event.Text).Text
		}
	}
	return ""
}

// Who comes later wraps to the latest prekeys of those who are there, though he was told them before he knew anything of
// the room.
func TestPrekeysForWhoComesLater(t *testing.T) {
	virtually(t, func(w *world) {
		anna, bert := w.person("anna"), w.person("bert")
		r := w.group(Draft{}, anna, bert)
		w.pass(week, anna, bert)
		w.pass(31*day, anna, bert)
		w.until("anna knows", func() bool { return anna.knows(r, bert) })
		carl := w.person("carl")
		must[*Room](w)(carl.Join(w.Context(), must[Invite](w)(anna.in(r).Invite(w.Context(), Terms{}))))
		w.inside(r, carl)
		w.same(r, anna, bert, carl)
		w.until("carl knows", func() bool { return carl.knows(r, anna) && carl.knows(r, bert) })
		carl.say(r, "hello all")
		anna.hears(r, "hello all")
		bert.hears(r, "hello all")
	})
}

// Who is switched off for long can read what was said meanwhile: he has made no other prekey, and so forgets none.
func TestPrekeysOfAnAbsence(t *testing.T) {
	virtually(t, func(w *world) {
		anna, bert := w.person("anna"), w.person("bert")
		r := w.group(Draft{}, anna, bert)
		bert.stop()
		for _, text := range []string{"in spring", "in summer", "in autumn"} {
			w.pass(60*day, anna)
			anna.say(r, text)
		}
		bert.start()
		for _, text := range []string{"in spring", "in summer", "in autumn"} {
			bert.hears(r, text)
		}
	})
}

// Who was there, but told nobody of his prekeys, gets the secrets again of what was said in the last 30 days, by those who
// had wrapped them to one that he has forgotten.
func TestPrekeysUnheardOf(t *testing.T) {
	virtually(t, func(w *world) {
		anna, bert := w.person("anna"), w.person("bert")
		r := w.group(Draft{}, anna, bert)
		anna.stop()
		w.pass(week, bert)
		w.pass(31*day, bert)
		vault := &bert.vault
		bert.stop()
		anna.start()
		key := anna.say(r, "can you read this?")
		if tag := wrappedFor(w, anna, r, key, bert); vault.private(tag) != nil {
			t.Fatal("bert has the keys")
		}
		bert.start()
		bert.hears(r, "can you read this?")
		if n := len(must[[]Entry](w)(bert.in(r).After(w.Context(), event.Key{}, 100))); n == 0 {
			t.Error("there is nothing")
		}
		before := anna.in(r).index.Len()
		anna.in(r).poke()
		time.Sleep(time.Hour)
		if n := anna.in(r).index.Len(); n > before+3 {
			t.Errorf("the secret is wrapped again and again: %d events more", n-before)
		}
		key = anna.say(r, "and this?")
		bert.hears(r, "and this?")
		if tag := wrappedFor(w, anna, r, key, bert); tag != bert.prekey().Tag() {
			t.Errorf("the secret was wrapped to %x", tag)
		}
	})
}

// Those who never meet learn of each other's prekeys by a mailbox.
func TestPrekeysByMailbox(t *testing.T) {
	virtually(t, func(w *world) {
		b := w.box("mailbox", mailbox.Limits{})
		anna, bert := w.person("anna"), w.person("bert")
		r := w.apart([]*box{b}, anna, bert)
		w.pass(week, anna, bert)
		anna.say(r, "hello") // so there is a new box
		w.until("each knows the other's latest", func() bool { return anna.knows(r, bert) && bert.knows(r, anna) })
		blobs := b.Stats().Blobs
		w.do(anna.in(r).SetProperty(w.Context(), event.PropertyTopic, []byte("letters")))
		anna.kept(r)
		bert.kept(r)
		if n := b.Stats().Blobs; n > blobs+6 {
			t.Errorf("%d blobs more for one event", n-blobs)
		}
	})
}

// A prekey that is forged, dated ahead or older than what is known changes nothing; who sends the first is listened to no
// longer.
func TestHostilePrekeys(t *testing.T) {
	virtually(t, func(w *world) {
		anna, bert := w.person("anna"), w.person("bert")
		r := w.group(Draft{}, anna, bert)
		secret := must[*event.PrekeySecret](w)(event.NewPrekeySecret())
		made := func(key *peer.Key, at time.Time) []byte {
			p := must[event.Prekey](w)(event.NewPrekey(key, uint64(at.UnixMilli()), secret))
			return p.Bytes()
		}
		time.Sleep(time.Hour)
		first := anna.in(r).prekeyOf(bert.self)
		for what, row := range map[string][]byte{
			"dated ahead":          made(bert.node.Key(), time.Now().Add(time.Hour)),
			"dated back":           made(bert.node.Key(), time.Now().Add(-30*day)),
			"of a stranger":        made(identityOf("eve"), time.Now()),
			"for anna's own":       made(anna.node.Key(), time.Now()),
			"at the end of time":   made(bert.node.Key(), time.UnixMilli(1<<62)),
			"before all time":      made(bert.node.Key(), time.UnixMilli(-1)),
			"of a stranger, again": made(identityOf("mallory"), time.Now()),
		} {
			if err := (set{anna.in(r)}).TakeMarks(w.Context(), bert.node.Self(), [][]byte{row}); err != nil {
				t.Errorf("%s: %v", what, err)
			}
			if got := anna.in(r).prekeyOf(bert.self); *got != *first {
				t.Errorf("%s: it counts", what)
			}
		}
		if p := anna.prekey(); p.Device != anna.self || slices.Contains(rowsOf(w, anna, r), string(made(anna.node.Key(), time.Now()))) {
			t.Error("anna believes others of her own prekey")
		}
		forged := made(bert.node.Key(), time.Now())
		forged[len(forged)-1] ^= 1
		if err := (set{anna.in(r)}).TakeMarks(w.Context(), bert.node.Self(), [][]byte{forged}); !errors.Is(err, meet.ErrInvalid) {
			t.Errorf("a forged one is one that an honest member sends: %v", err)
		}
		for i := range 2 * maxStrays {
			anna.in(r).stray(&event.Prekey{Device: event.Device{byte(i), byte(i >> 8)}})
		}
		if n := len(anna.in(r).keys.strays); n > maxStrays {
			t.Errorf("%d are held of strangers", n)
		}
	})
}

func rowsOf(w *world, p *person, r *Room) (all []string) {
	rows, _, err := set{p.in(r)}.Marks(w.Context(), 0, 1000)
	w.do(err)
	for _, row := range rows {
		all = append(all, string(row))
	}
	return all
}

// A clock that was ahead for a while costs no keys, and keeps no later prekey from counting.
func TestPrekeysAndClocks(t *testing.T) {
	virtually(t, func(w *world) {
		ahead := time.Duration(0)
		anna := w.person("anna", func(c *Config) { c.Now = func() time.Time { return time.Now().Add(ahead) } })
		first := anna.prekey()
		ahead = 8 * day
		w.do(anna.renew(w.Context(), PrekeyAge))
		future := anna.prekey()
		ahead = 0
		time.Sleep(time.Hour)
		if anna.prekey() != first {
			t.Error("one from the future counts")
		}
		time.Sleep(week)
		w.do(anna.renew(w.Context(), PrekeyAge))
		if p := anna.prekey(); p == first || p == future {
			t.Error("there is no new one")
		}
		for _, p := range []*event.Prekey{first, future} {
			if anna.vault.private(p.Tag()) == nil {
				t.Error("private keys are lost")
			}
		}
	})
}
