package chat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/chat/mailbox"
	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/internal/store"
	"github.com/tenon-net/tenon/transport"
)

// A box is a node with a mailbox.
type box struct {
	*mailbox.Server
	node *peertest.Node
}

// box begins a mailbox, which ends with the world.
func (w *world) box(name string, limits mailbox.Limits) *box {
	w.Helper()
	b := &box{node: w.Node(name, nil)}
	db, err := store.Open(context.Background(), w.TempDir())
	w.do(err)
	b.Server, err = mailbox.Open(context.Background(), mailbox.Config{DB: db, Self: b.node.Self(), Limits: limits})
	w.do(err)
	b.node.Serve(mailbox.Proto, b.Handle)
	w.ends = append(w.ends, func() {
		b.Close()
		b.node.Close() //nolint:errcheck // it returns nil
		w.do(db.Check(context.Background()))
		w.do(db.Close())
	})
	return b
}

func (w *world) uses(r *Room, boxes ...*box) {
	w.Helper()
	var all []Mailbox
	for _, b := range boxes {
		all = append(all, Mailbox{Peer: b.node.Self(), Addresses: []string{"/memory/" + b.node.Name()}})
	}
	w.do(r.SetMailboxes(w.Context(), all...))
}

// apart makes a room with mailboxes, whose members can reach these from now on, and each other never.
func (w *world) apart(boxes []*box, owner *person, others ...*person) *Room {
	w.Helper()
	r := w.group(Draft{History: true}, owner, others...)
	w.uses(r, boxes...)
	all := append(others, owner)
	w.until("all have a secret in common", func() bool {
		for _, p := range all {
			if len(p.in(r).Info().Mailboxes) != len(boxes) || len(p.secretsOf(r)) == 0 {
				return false
			}
		}
		return true
	})
	w.same(r, all...)
	for i, a := range all {
		for _, b := range all[:i] {
			w.part(a, b)
		}
	}
	return r
}

// secretsOf returns the secrets that somebody has.
func (p *person) secretsOf(r *Room) map[event.ID]*event.Secret {
	p.w.Helper()
	own := p.in(r)
	give := must[func()](p.w)(own.take(p.w.Context()))
	defer give()
	all := map[event.ID]*event.Secret{}
	for id, s := range own.secrets {
		all[id] = s
	}
	return all
}

// kept waits until all that somebody has is in the mailboxes.
func (p *person) kept(r *Room) {
	p.w.Helper()
	since := time.Now()
	p.w.until(p.name+" has given all to the mailboxes", func() bool {
		all := p.in(r).Mailboxes()
		return len(all) > 0 && !slices.ContainsFunc(all, func(s MailboxState) bool { return s.Err != nil || !s.Synced.After(since) })
	})
}

// Two who are never there together, and never reach each other, talk by a mailbox, over changes of the secret, of
// who is in the room and of what it is called; and it knows nothing of what they say.
func TestMailbox(t *testing.T) {
	virtually(t, func(w *world) {
		b := w.box("mailbox", mailbox.Limits{})
		anna, bert := w.person("anna"), w.person("bert")
		r := w.apart([]*box{b}, anna, bert)
		bert.stop()
		key := anna.say(r, "are you there?")
		must[event.Key](w)(anna.in(r).Edit(w.Context(), key.ID, Message{Text: "are you there, bert?"}))
		w.do(anna.in(r).SetProperty(w.Context(), event.PropertyName, []byte("by letter")))
		anna.kept(r)
		if d := must[Delivery](w)(anna.in(r).Delivery(w.Context(), key)); d.Queued || d.Kept != 1 {
			t.Errorf("what was put into the mailbox is %+v", d)
		}
		anna.stop()
		time.Sleep(10 * 24 * time.Hour) // the secret is too old then
		bert.start()
		bert.hears(r, "are you there, bert?")
		if name := bert.in(r).Info().Name; name != "by letter" {
			t.Errorf("for bert the room is %q", name)
		}
		if m := bert.in(r).Mailboxes(); len(m) != 1 || m[0].Missing != 0 || m[0].Peer != b.node.Self() {
			t.Errorf("the mailboxes are %+v", m)
		}
		before := len(bert.secretsOf(r))
		bert.say(r, "now I am")
		bert.kept(r)
		bert.stop()
		if after := b.Stats(); after.Blobs < 4 {
			t.Errorf("there is %+v", after)
		}
		anna.start()
		anna.hears(r, "now I am")
		if after := len(anna.secretsOf(r)); after <= before {
			t.Errorf("there are %d secrets, and were %d", after, before)
		}
		bert.start()
		w.same(r, anna, bert)
	})
}

// What one of those who are there puts into the mailbox the others do not wait for.
func TestMailboxNews(t *testing.T) {
	virtually(t, func(w *world) {
		b := w.box("mailbox", mailbox.Limits{})
		anna, bert := w.person("anna"), w.person("bert")
		r := w.apart([]*box{b}, anna, bert)
		anna.kept(r)
		bert.kept(r)
		begin := time.Now()
		anna.say(r, "quick")
		bert.hears(r, "quick")
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
		// What all put is there once.
		w.same(r, anna, bert)
		n := b.Stats().Blobs
		time.Sleep(30 * time.Minute)
		if got := b.Stats().Blobs; got != n {
			t.Errorf("of %d blobs have become %d", n, got)
		}
	})
}

// Mailboxes are used when an owner has said so, until he says otherwise.
func TestMailboxOff(t *testing.T) {
	virtually(t, func(w *world) {
		b := w.box("mailbox", mailbox.Limits{})
		anna, bert := w.person("anna"), w.person("bert")
		r := w.group(Draft{}, anna, bert)
		anna.say(r, "not for mailboxes")
		if err := bert.in(r).SetMailboxes(w.Context(), Mailbox{Peer: b.node.Self()}); !errors.Is(err, ErrRole) {
			t.Errorf("who is no owner sets mailboxes: %v", err)
		}
		time.Sleep(time.Hour)
		if s := b.Stats(); s != (mailbox.Stats{}) || anna.Meets(b.node.Self()) {
			t.Errorf("there is %+v", s)
		}
		w.uses(r, b)
		bert.kept(r)
		if !bert.Meets(b.node.Self()) || bert.Meets(w.box("other", mailbox.Limits{}).node.Self()) {
			t.Error("which mailbox is used is not known")
		}
		w.uses(r)
		w.until("nobody comes any more", func() bool { return b.Stats().Streams == 0 })
		n := b.Stats().Blobs
		anna.say(r, "not for mailboxes either")
		time.Sleep(time.Hour)
		if got := b.Stats(); n == 0 || got.Blobs != n || bert.Meets(b.node.Self()) {
			t.Errorf("there were %d blobs and is %+v", n, got)
		}
	})
}

// Who was removed has no key to what is kept from then on, though he has that of all before.
func TestMailboxRemoved(t *testing.T) {
	virtually(t, func(w *world) {
		b := w.box("mailbox", mailbox.Limits{})
		anna, bert, carl := w.person("anna"), w.person("bert"), w.person("carl")
		r := w.apart([]*box{b}, anna, bert, carl)
		before := carl.secretsOf(r)
		w.do(anna.in(r).Remove(w.Context(), carl.Me()))
		anna.say(r, "without carl")
		anna.kept(r)
		bert.hears(r, "without carl")
		w.until("carl knows that he was removed", func() bool { return carl.in(r).Info().Role == event.Nobody })
		time.Sleep(time.Hour)
		if len(carl.in(r).Mailboxes()) != 0 || carl.Meets(b.node.Self()) {
			t.Error("he goes on using the mailbox")
		}
		// He looks into all that he has a key to.
		s := must[*mailbox.Session](w)(mailbox.Dial(w.Context(), carl.node, b.node.Self()))
		defer s.Close()
		opened := 0
		for epoch, secret := range carl.secretsOf(r) {
			if before[epoch] == nil {
				t.Error("he has got a new secret")
			}
			must[time.Duration](w)(s.Open(secret.MailboxKey()))
			need, _, err := s.Compare(&(&letters{}).index)
			w.do(err)
			w.do(s.Get(need, func(_ mailbox.ID, blob []byte) {
				e := must[*event.Event](w)(secret.OpenOuter(blob))
				if opened++; !e.Kind.Control() && before[e.Epoch] == nil {
					t.Errorf("he has got a message of a later secret: %v", e.Kind)
				}
			}))
		}
		if opened == 0 || slices.Contains(carl.sees(r), "without carl") {
			t.Errorf("he has opened %d, and sees %q", opened, carl.sees(r))
		}
		fresh := 0
		for epoch := range anna.secretsOf(r) {
			if before[epoch] == nil {
				fresh++
			}
		}
		if fresh == 0 {
			t.Error("there is no new secret")
		}
	})
}

// Who enters while there are mailboxes has a secret before anybody says something, so that he may go at once.
func TestMailboxEntered(t *testing.T) {
	virtually(t, func(w *world) {
		b := w.box("mailbox", mailbox.Limits{})
		anna, bert, carl := w.person("anna"), w.person("bert"), w.person("carl")
		r := w.group(Draft{}, anna, bert)
		w.uses(r, b)
		w.do(r.Add(w.Context(), carl.Me(), event.Member, carl.node.Self()))
		w.inside(r, carl)
		w.same(r, anna, bert, carl)
		w.until("carl has a secret", func() bool { return len(carl.secretsOf(r)) > 0 })
		carl.stop()
		anna.say(r, "welcome")
		anna.kept(r)
		anna.stop()
		bert.stop()
		carl.start()
		carl.hears(r, "welcome")
	})
}

// Who leaves while nobody else is there has told the mailbox, and is gone.
func TestMailboxLeave(t *testing.T) {
	virtually(t, func(w *world) {
		b := w.box("mailbox", mailbox.Limits{})
		anna, bert := w.person("anna"), w.person("bert")
		r := w.apart([]*box{b}, anna, bert)
		w.do(bert.in(r).Leave(w.Context(), false))
		w.until("bert has left", func() bool { return bert.in(r).Info().State == Left })
		w.until("anna knows it", func() bool { return len(anna.in(r).Info().Members) == 1 })
	})
}

// Two who were apart for long, each with new secrets of his own, have all by the mailbox at the end.
func TestMailboxPartition(t *testing.T) {
	weeks(t)
	virtually(t, func(w *world) {
		b := w.box("mailbox", mailbox.Limits{})
		anna, bert, carl := w.person("anna"), w.person("bert"), w.person("carl")
		r := w.apart([]*box{b}, anna, bert, carl)
		all := []*person{anna, bert, carl}
		for week := range 3 {
			for _, p := range all {
				w.Break(p.node, b.node)
				p.say(r, fmt.Sprint(p.name, " in week ", week))
				p.stop() // nobody is there meanwhile, so the week costs nothing
			}
			time.Sleep(8 * 24 * time.Hour)
			for _, p := range all {
				p.start()
			}
		}
		for _, p := range all {
			w.Heal(p.node, b.node)
		}
		w.same(r, anna, bert, carl)
		if got := carl.sees(r); len(got) != 9 {
			t.Errorf("carl sees %q", got)
		}
	})
}

// A mailbox that is full says so to who writes, and what it keeps is enough for nothing less; by another one all
// goes on.
func TestMailboxFull(t *testing.T) {
	virtually(t, func(w *world) {
		b, second := w.box("mailbox", mailbox.Limits{Guest: mailbox.Quota{Blobs: 30}, DayGuest: mailbox.Quota{Blobs: 30}}), w.box("second", mailbox.Limits{})
		anna, bert := w.person("anna"), w.person("bert")
		r := w.apart([]*box{b}, anna, bert)
		bert.stop()
		for n := range 60 {
			anna.say(r, fmt.Sprint("message ", n))
		}
		w.until("anna is told", func() bool {
			m := anna.in(r).Mailboxes()
			return len(m) == 1 && errors.Is(m[0].Err, mailbox.ErrFull)
		})
		told := func(n Notice) bool { return n.Kind == MailboxChanged && n.Room == r.ID() }
		if all, _, err := anna.Notices(0, keptNotices); err != nil || !slices.ContainsFunc(all, told) {
			t.Errorf("of %d notices none is about it, %v", len(all), err)
		}
		if n := b.Stats().Blobs; n != 30 {
			t.Errorf("it keeps %d", n)
		}
		bert.start()
		w.uses(r, b, second)
		time.Sleep(time.Minute)
		w.join(anna, bert) // he has to be told of the second one
		w.same(r, anna, bert)
		w.part(anna, bert)
		anna.say(r, "by the second one")
		bert.hears(r, "by the second one")
	})
}

// What is older than a mailbox keeps is not put there again when it is gone.
func TestMailboxExpires(t *testing.T) {
	weeks(t)
	virtually(t, func(w *world) {
		b := w.box("mailbox", mailbox.Limits{Keep: 24 * time.Hour})
		anna, bert := w.person("anna"), w.person("bert")
		r := w.apart([]*box{b}, anna, bert)
		for n := range 20 {
			anna.say(r, fmt.Sprint("message ", n))
		}
		w.same(r, anna, bert)
		time.Sleep(25 * time.Hour)
		if n := b.Stats().Blobs; n != 0 {
			t.Errorf("after a day it keeps %d", n)
		}
		time.Sleep(time.Hour)
		anna.say(r, "on it goes")
		bert.hears(r, "on it goes")
		if n := b.Stats().Blobs; n > 3 {
			t.Errorf("of one message it keeps %d", n)
		}
	})
}

// One mailbox keeps nothing, though it says so, or gives nothing of what it has; another one does both.
func TestMailboxWithholds(t *testing.T) {
	virtually(t, func(w *world) {
		honest := w.box("honest", mailbox.Limits{})
		liar := &box{node: w.Node("liar", nil)}
		w.ends = append(w.ends, func() { liar.node.Close() }) //nolint:errcheck // it returns nil
		liar.node.Serve(mailbox.Proto, func(s transport.Stream) {
			for { // every question is answered by yes, and an end
				if _, err := s.Read(make([]byte, 1<<16)); err != nil {
					return
				}
				s.Write([]byte{2, 0, 0, 0}) //nolint:errcheck // hostile
			}
		})
		anna, bert := w.person("anna"), w.person("bert")
		r := w.apart([]*box{liar, honest}, anna, bert)
		bert.stop()
		anna.say(r, "by one of two")
		w.until("it is kept by the honest one", func() bool {
			m := anna.in(r).Mailboxes()
			return len(m) == 2 && m[0].Err != nil && m[1].Err == nil && !m[1].Synced.IsZero()
		})
		time.Sleep(time.Minute)
		anna.stop()
		bert.start()
		bert.hears(r, "by one of two")
	})
}

// evil puts blobs into the box of a room's latest secret, as who has that can.
func (p *person) evil(r *Room, at *box, blobs func(s *event.Secret) [][]byte) {
	p.w.Helper()
	boxes := p.in(r).post.latest(1)
	if len(boxes) != 1 {
		p.w.Fatal("there is no box")
	}
	s := must[*mailbox.Session](p.w)(mailbox.Dial(p.w.Context(), p.node, at.node.Self()))
	defer s.Close()
	must[time.Duration](p.w)(s.Open(boxes[0].box))
	for part := range slices.Chunk(blobs(boxes[0].secret), 100) {
		p.w.do(s.Put(part))
	}
}

// Blobs that are nothing, that were forged, are of another room or come again hinder nobody: what was said
// arrives, and nothing else does. What comes without what stands before it is counted, and waits.
func TestMailboxGarbage(t *testing.T) {
	virtually(t, func(w *world) {
		b := w.box("mailbox", mailbox.Limits{})
		anna, bert, eve := w.person("anna"), w.person("bert"), w.person("eve")
		r := w.apart([]*box{b}, anna, bert, eve)
		other := w.group(Draft{}, eve)
		w.until("all have a box", func() bool { return len(eve.in(r).post.latest(1)) == 1 })
		elsewhere, secret := eve.drafted(other, &event.Text{Text: "of another room"})
		stray := must[*event.Event](w)(elsewhere.Seal(eve.node.Key(), secret))
		first, key := eve.drafted(r, &event.Text{Text: "first"})
		before := must[*event.Event](w)(first.Seal(eve.node.Key(), key))
		then := event.Draft{Room: first.Room, Seq: first.Seq + 1, Time: first.Time + 1, Epoch: first.Epoch, Parents: []event.ID{before.ID}, Body: &event.Text{Text: "then"}}
		after := must[*event.Event](w)(then.Seal(eve.node.Key(), key))
		anna.stop()
		bert.stop()
		eve.evil(r, b, func(s *event.Secret) (all [][]byte) {
			tag := s.OuterTag()
			for n := range 1000 {
				all = append(all, append(tag[:], strings.Repeat(fmt.Sprint("garbage ", n, " "), 30)...))
			}
			forged := s.Outer(after)
			forged[len(forged)-1] ^= 1
			return append(all, forged, s.Outer(stray), s.Outer(after))
		})
		anna.start()
		anna.say(r, "in the middle of it")
		anna.kept(r)
		bert.start()
		bert.hears(r, "in the middle of it")
		w.until("bert knows that something is missing", func() bool { m := bert.in(r).Mailboxes(); return len(m) == 1 && m[0].Missing == 1 })
		if got := bert.sees(r); len(got) != 1 {
			t.Errorf("bert sees %q", got)
		}
		eve.evil(r, b, func(s *event.Secret) [][]byte { return [][]byte{s.Outer(before)} })
		bert.hears(r, "then")
		// It is counted when the mailbox has been read to its end.
		w.until("bert knows that nothing is missing", func() bool { return bert.in(r).Mailboxes()[0].Missing == 0 })
		w.same(r, anna, bert)
	})
}

// Events that wait for what nobody has leave room for those of others.
func TestMailboxWaiting(t *testing.T) {
	weeks(t)
	virtually(t, func(w *world) {
		b := w.box("mailbox", mailbox.Limits{})
		anna, bert, eve := w.person("anna"), w.person("bert"), w.person("eve")
		r := w.apart([]*box{b}, anna, bert, eve)
		w.until("there is a box", func() bool { return len(eve.in(r).post.latest(1)) == 1 })
		anna.stop()
		bert.stop()
		d, key := eve.drafted(r, &event.Text{Text: "first"})
		parent := must[*event.Event](w)(d.Seal(eve.node.Key(), key)).ID
		eve.evil(r, b, func(s *event.Secret) (all [][]byte) {
			for n := range maxWaiting/waitingPart + 500 {
				then := event.Draft{Room: d.Room, Seq: d.Seq + 1, Time: d.Time + 1, Epoch: d.Epoch, Parents: []event.ID{parent}, Body: &event.Text{Text: fmt.Sprint(n)}}
				all = append(all, s.Outer(must[*event.Event](w)(then.Seal(eve.node.Key(), key))))
			}
			return all
		})
		anna.start()
		for n := range 300 {
			anna.say(r, fmt.Sprint("message ", n))
		}
		anna.kept(r)
		anna.stop()
		bert.start()
		w.until("bert has all of anna's", func() bool { return len(bert.sees(r)) == 300 })
		if m := bert.in(r).Mailboxes(); m[0].Missing > maxWaiting/waitingPart {
			t.Errorf("%d wait", m[0].Missing)
		}
	})
}
