package chat

import (
	"slices"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/chat/meet"
	"github.com/tenon-net/tenon/internal/chat/rbsr"
	"github.com/tenon-net/tenon/internal/chat/room"
)

// What was said is said again by somebody who has kept it: in the room, where it changes nothing and makes nothing
// unread, and in another one of the same people, where it is nothing.
func TestReplay(t *testing.T) {
	virtually(t, func(w *world) {
		anna, bert := w.person("anna"), w.person("bert")
		r := w.group(Draft{History: true}, anna, bert)
		k := bert.say(r, "I owe you ten")
		anna.hears(r, "I owe you ten")
		w.do(anna.in(r).SetRead(w.Context(), k))
		w.same(r, anna, bert)
		before, number := anna.digest(r), anna.in(r).index.Len()
		told := anna.LastNotice()

		give(w, r, bert, anna) // as if it were new
		rows := must[[]meet.Blob](w)(set{bert.in(r)}.Get(w.Context(), [][32]byte{k.ID}))
		bert.in(r).meets.Load().Push(rows...)
		time.Sleep(time.Minute)
		if got := anna.digest(r); got != before || anna.in(r).index.Len() != number {
			t.Errorf("what was there already has changed\n%s\ninto\n%s", before, got)
		}
		if _, unread, err := anna.in(r).Unread(w.Context()); err != nil || unread != 0 {
			t.Errorf("%d are unread, %v", unread, err)
		}
		notices, _, err := anna.Notices(told, 100)
		w.do(err)
		for _, n := range notices {
			if n.Kind == NewMessage {
				t.Errorf("anna is told of a message: %+v", n)
			}
		}

		other := w.group(Draft{History: true}, anna, bert)
		anna.say(other, "here we say other things")
		w.same(other, anna, bert)
		before = anna.digest(other)
		if _, err := other.parse([][]byte{rows[0].Bytes}); err == nil {
			t.Error("an event of another room is one that an honest member may send")
		}
		if err := (set{anna.in(other)}).Take(w.Context(), rows); err != nil {
			t.Error(err)
		}
		if got := anna.digest(other); got != before {
			t.Errorf("what was said elsewhere has changed\n%s\ninto\n%s", before, got)
		}
	})
}

// Who sends what is too long, or no event, is not listened to any more, and nobody else minds.
func TestOversizedAndMalformed(t *testing.T) {
	for name, bend := range map[string]func([]byte) []byte{
		"longer than any event": func([]byte) []byte { return make([]byte, meet.MaxEvent+1) },
		"a body beyond 64 KiB":  func(b []byte) []byte { return append(b, make([]byte, 66_000)...) },
		"another signature":     func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		"nothing":               func([]byte) []byte { return []byte{0} },
	} {
		t.Run(name, func(t *testing.T) {
			virtually(t, func(w *world) {
				anna, bert, carl := w.person("anna"), w.person("bert"), w.person("carl")
				r := w.group(Draft{History: true}, anna, bert, carl)
				w.until("all are connected", func() bool { return len(anna.in(r).Connected()) == 2 })
				d, s := bert.drafted(r, &event.Text{Text: "bad"})
				e := must[*event.Event](w)(d.Seal(bert.node.Key(), s))
				w.same(r, anna, bert, carl)
				number := anna.in(r).index.Len()
				begin := time.Now()
				bert.in(r).meets.Load().Push(meet.Blob{Key: rbsr.Key{Time: e.Time, ID: e.ID}, Bytes: bend(slices.Clone(e.Bytes()))})
				w.until("anna has had enough of bert", func() bool {
					return !slices.ContainsFunc(anna.in(r).Connected(), func(p meet.Peer) bool { return p.ID == bert.node.Self() })
				})
				carl.say(r, "go on")
				anna.hears(r, "go on")
				if took := time.Since(begin); took > time.Minute {
					t.Errorf("what carl says comes after %v", took)
				}
				if n := anna.in(r).index.Len(); n != number+1 {
					t.Errorf("anna has %d events more", n-number)
				}
				w.same(r, anna, bert, carl) // he is let in again after a while
			})
		})
	}
}

// Who comes later cannot read what was said before, whatever he is given, unless the room says that he can.
func TestLaterMemberReadsNothingOld(t *testing.T) {
	virtually(t, func(w *world) {
		anna, bert, carl := w.person("anna"), w.person("bert"), w.person("carl")
		r := w.group(Draft{}, anna, bert)
		k := anna.say(r, "before")
		bert.hears(r, "before")
		w.do(r.Add(w.Context(), carl.Me(), event.Member, carl.node.Self()))
		w.inside(r, carl)
		w.same(r, anna, bert, carl)
		bert.say(r, "after")
		carl.hears(r, "after")
		give(w, r, anna, carl)
		if x := must[Entry](w)(carl.in(r).Get(w.Context(), k.ID)); x.Message.Text != "" || !x.Waiting {
			t.Errorf("who has come later reads %+v", x)
		}
	})
}

// Tickets that are used up, expired or revoked let nobody in, and tell him nothing.
func TestOldTickets(t *testing.T) {
	virtually(t, func(w *world) {
		anna, bert := w.person("anna"), w.person("bert")
		r := w.group(Draft{Name: "closed"}, anna)
		once := must[Invite](w)(r.Invite(w.Context(), Terms{Uses: 1}))
		short := must[Invite](w)(r.Invite(w.Context(), Terms{NotAfter: time.Now().Add(time.Minute)}))
		must[*Room](w)(bert.Join(w.Context(), once))
		w.inside(r, bert)
		w.same(r, anna, bert)
		time.Sleep(5 * time.Minute)
		kept := must[Invite](w)(r.Invite(w.Context(), Terms{}))
		for _, i := range must[[]room.Invitation](w)(r.Invites(w.Context())) {
			w.do(r.Revoke(w.Context(), i.ID))
		}
		w.same(r, anna, bert)
		for name, i := range map[string]Invite{"used up": once, "expired": short, "revoked": kept} {
			eve := w.person("eve, " + name)
			must[*Room](w)(eve.Join(w.Context(), i))
			time.Sleep(10 * time.Minute)
			if own := eve.in(r); own.index.Len() != 0 || own.Info().State != Joining || len(own.Connected()) != 0 {
				t.Errorf("by an invite that is %s eve is %v, with %d events", name, own.Info().State, own.index.Len())
			}
		}
	})
}
