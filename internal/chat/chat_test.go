package chat

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/chat/log"
	"github.com/tenon-net/tenon/internal/chat/meet"
	"github.com/tenon-net/tenon/internal/chat/rbsr"
)

// Two talk: what one says the other hears, in order, and the one learns that.
func TestTwoTalk(t *testing.T) {
	virtually(t, func(w *world) {
		anna, bert := w.person("anna"), w.person("bert")
		r := must[*Room](w)(anna.Direct(w.Context(), bert.Me(), bert.node.Self()))
		k := anna.say(r, "hello")
		if d := must[Delivery](w)(r.Delivery(w.Context(), k)); !d.Queued {
			t.Errorf("before anybody has it, it is %+v", d)
		}
		w.inside(r, bert)
		bert.say(r, "hello to you")
		anna.hears(r, "hello to you")
		k = anna.say(r, "how are you?")
		bert.hears(r, "how are you?")
		bert.hears(r, "hello")
		if got := bert.sees(r); !slices.Equal(got, []string{"hello", "hello to you", "how are you?"}) {
			t.Errorf("bert sees %q", got)
		}
		own := bert.in(r)
		if _, n, err := own.Unread(w.Context()); n == 0 || err != nil {
			t.Errorf("%d are unread, %v", n, err)
		}
		w.until("it is delivered", func() bool { return must[Delivery](w)(r.Delivery(w.Context(), k)).Delivered == 1 })
		if d := must[Delivery](w)(r.Delivery(w.Context(), k)); d.Queued || d.Kept != 1 || d.Read != 0 {
			t.Errorf("once it is delivered, it is %+v", d)
		}
		w.do(own.SetRead(w.Context(), k))
		w.until("it is read", func() bool { return must[Delivery](w)(r.Delivery(w.Context(), k)).Read == 1 })
		if _, n, err := own.Unread(w.Context()); n != 0 || err != nil {
			t.Errorf("%d are unread, %v", n, err)
		}
		if again := must[*Room](w)(anna.Direct(w.Context(), bert.Me())); again != r {
			t.Error("there are two conversations with one")
		}
	})
}

// Whoever was away gets all from somebody who is there, though its author is not.
func TestFromAThird(t *testing.T) {
	virtually(t, func(w *world) {
		anna, bert, carl := w.person("anna"), w.person("bert"), w.person("carl")
		r := w.group(Draft{Name: "three"}, anna, bert, carl)
		w.part(anna, carl)
		w.part(bert, carl)
		anna.say(r, "one")
		anna.say(r, "two")
		bert.hears(r, "two")
		w.part(anna, bert)
		w.join(bert, carl)
		carl.hears(r, "one")
		carl.hears(r, "two")
	})
}

// Who was removed reads nothing that is said later, whoever says it and whatever reaches him.
func TestRemovedReadsNothingNew(t *testing.T) {
	virtually(t, func(w *world) {
		anna, bert, carl := w.person("anna"), w.person("bert"), w.person("carl")
		r := w.group(Draft{}, anna, bert, carl)
		anna.say(r, "before")
		carl.hears(r, "before")
		w.do(r.Remove(w.Context(), carl.Me()))
		w.same(r, anna, bert)
		last := bert.say(r, "after")
		anna.hears(r, "after")
		// Even if he is given every event, he cannot open it.
		give(w, r, anna, carl)
		if x := must[Entry](w)(carl.in(r).Get(w.Context(), last.ID)); !x.Waiting || x.Message.Text != "" {
			t.Errorf("the removed reads %+v", x)
		}
		if i := carl.in(r).Info(); i.Role != event.Nobody {
			t.Errorf("once he knows it, he is %v", i.Role)
		}
		if _, err := carl.in(r).Say(w.Context(), Message{Text: "still here"}); !errors.Is(err, ErrOutside) {
			t.Errorf("what he says is answered by %v", err)
		}
		if err := bert.in(r).Remove(w.Context(), anna.Me()); !errors.Is(err, ErrRole) {
			t.Errorf("a member removes the owner: %v", err)
		}
		// He is added again, and talks again.
		w.do(r.Add(w.Context(), carl.Me(), event.Member, carl.node.Self()))
		w.inside(r, carl)
		w.same(r, anna, bert, carl)
		carl.say(r, "back")
		bert.hears(r, "back")
		anna.say(r, "welcome")
		carl.hears(r, "welcome")
	})
}

// Where history is for all, who comes back reads what was said meanwhile, though he makes the next epoch himself.
func TestHistoryOfAbsence(t *testing.T) {
	virtually(t, func(w *world) {
		anna, bert, carl := w.person("anna"), w.person("bert"), w.person("carl")
		r := w.group(Draft{History: true}, anna, bert, carl)
		w.do(r.Remove(w.Context(), carl.Me()))
		w.same(r, anna, bert)
		bert.say(r, "meanwhile")
		anna.hears(r, "meanwhile")
		w.do(r.Add(w.Context(), carl.Me(), event.Member, carl.node.Self()))
		w.inside(r, carl)
		carl.say(r, "back")
		carl.hears(r, "meanwhile")
		w.same(r, anna, bert, carl)
	})
}

// give has somebody take all events of another, as if they had come by a way of which nobody knows.
func give(w *world, r *Room, from, to *person) {
	w.Helper()
	rows := must[[]log.Event](w)(from.in(r).log.All(w.Context(), log.Key{}, log.MaxPage))
	var blobs []meet.Blob
	for i := range rows {
		blobs = append(blobs, meet.Blob{Key: rbsr.Key(rows[i].Key), Bytes: whole(&rows[i])})
	}
	w.do(set{to.in(r)}.Take(w.Context(), blobs))
}

// Who has an invite is let in by any member that it names, though the owner is away, and reads what is said
// from then on.
func TestInviteWithoutTheOwner(t *testing.T) {
	virtually(t, func(w *world) {
		anna, bert, carl := w.person("anna"), w.person("bert"), w.person("carl")
		r := w.group(Draft{Name: "open"}, anna, bert)
		anna.say(r, "before")
		i := must[Invite](w)(r.Invite(w.Context(), Terms{Uses: 1, NotAfter: time.Now().Add(time.Hour)}))
		w.same(r, anna, bert)
		text := must[string](w)(i.Encode())
		got := must[Invite](w)(ParseInvite(text))
		if got.Room != i.Room || got.Seed != i.Seed || !slices.Equal(got.Hosts, i.Hosts) || got.Name != "open" {
			t.Fatalf("%+v is read as %+v", i, got)
		}
		anna.stop()
		must[*Room](w)(carl.Join(w.Context(), got))
		w.inside(r, carl)
		w.same(r, bert, carl)
		bert.say(r, "welcome")
		carl.hears(r, "welcome")
		carl.say(r, "thanks")
		bert.hears(r, "thanks")
		if slices.Contains(carl.sees(r), "before") {
			t.Error("who has come later reads what was said before")
		}
		// It was for one, and for an hour.
		dora := w.person("dora")
		must[*Room](w)(dora.Join(w.Context(), got))
		time.Sleep(5 * time.Minute)
		if s := dora.in(r).Info().State; s != Joining {
			t.Errorf("a second one is %v", s)
		}
		// The owner's client sees to it that the place does not depend on the invite.
		anna.start()
		w.until("carl is added", func() bool {
			own := carl.in(r)
			give := must[func()](w)(own.take(w.Context()))
			defer give()
			return own.acts.added[carl.Me()]
		})
		w.same(r, anna, bert, carl)
	})
}

// An invite that has expired is revoked by an owner's client.
func TestExpiredInvite(t *testing.T) {
	virtually(t, func(w *world) {
		anna := w.person("anna")
		r := w.group(Draft{}, anna)
		must[Invite](w)(r.Invite(w.Context(), Terms{NotAfter: time.Now().Add(time.Minute)}))
		must[Invite](w)(r.Invite(w.Context(), Terms{}))
		time.Sleep(5 * time.Minute)
		give := must[func()](w)(r.take(w.Context()))
		defer give()
		if all := r.state.Invites(time.UnixMilli(0)); len(all) != 1 {
			t.Errorf("%d invites are good for who claims an early time", len(all))
		}
	})
}

// Two parts of a room that go on by themselves show the same in the same order once they meet.
func TestPartition(t *testing.T) {
	virtually(t, func(w *world) {
		anna, bert, carl, dora := w.person("anna"), w.person("bert"), w.person("carl"), w.person("dora")
		r := w.group(Draft{History: true}, anna, bert, carl, dora)
		for _, x := range []*person{anna, bert} {
			for _, y := range []*person{carl, dora} {
				w.part(x, y)
			}
		}
		for n := range 10 {
			anna.say(r, fmt.Sprint("anna ", n))
			carl.say(r, fmt.Sprint("carl ", n))
			time.Sleep(time.Minute)
		}
		w.same(r, anna, bert)
		w.same(r, carl, dora)
		w.join(bert, carl)
		w.same(r, anna, bert, carl, dora)
		if n := len(dora.sees(r)); n != 20 {
			t.Errorf("dora reads %d of 20", n)
		}
		late := 0
		for _, x := range must[[]Entry](w)(dora.in(r).Before(w.Context(), event.Key{}, 100)) {
			if x.Late {
				late++
			}
		}
		if late < 5 {
			t.Errorf("%d of what came later is marked", late)
		}
	})
}

// A Chat that is opened again has all that it had, goes on where it was, and gives what was said while it
// was alone.
func TestRestart(t *testing.T) {
	virtually(t, func(w *world) {
		anna, bert := w.person("anna"), w.person("bert")
		r := w.group(Draft{Name: "again", History: true}, anna, bert)
		for n := range 30 {
			anna.say(r, fmt.Sprint("said ", n))
		}
		w.same(r, anna, bert)
		before := anna.digest(r)
		bert.stop()
		k := anna.say(r, "alone")
		anna.stop()
		anna.start()
		r = anna.in(r)
		if got := anna.digest(r); !strings.HasPrefix(got, before) || len(got) == len(before) {
			t.Errorf("it was\n%s\nand is\n%s", before, got)
		}
		if d := must[Delivery](w)(r.Delivery(w.Context(), k)); !d.Queued {
			t.Errorf("what nobody was given is %+v", d)
		}
		anna.say(r, "once more")
		bert.start()
		bert.hears(r, "alone")
		bert.hears(r, "once more")
		bert.say(r, "all there")
		anna.hears(r, "all there")
		w.same(r, anna, bert)
		if d := must[Delivery](w)(r.Delivery(w.Context(), k)); d.Queued {
			t.Errorf("what bert has is %+v", d)
		}
	})
}

// A database that can take nothing for a while is told of, loses nothing that was said yes to, and the room goes
// on when it works again.
func TestFullDisk(t *testing.T) {
	virtually(t, func(w *world) {
		anna, bert := w.person("anna"), w.person("bert")
		r := w.group(Draft{History: true}, anna, bert)
		anna.say(r, "before")
		w.same(r, anna, bert)
		limit := func(p *person, pages int) {
			w.do(p.db.View(w.Context(), func(tx *sql.Tx) error {
				_, err := tx.Exec(fmt.Sprint("PRAGMA max_page_count = ", pages)) // at least as many as there are
				return err
			}))
		}
		for _, p := range w.all {
			limit(p, 1)
		}
		var err error
		said := 0
		for ; err == nil && said < 1000; said++ {
			_, err = r.Say(w.Context(), Message{Text: strings.Repeat("long ", 1000)})
		}
		if err == nil {
			t.Fatal("it is never full")
		}
		time.Sleep(10 * time.Minute)
		for _, p := range w.all {
			limit(p, 1<<30)
		}
		anna.say(r, "after")
		bert.hears(r, "after")
		w.same(r, anna, bert)
		if n := len(bert.sees(r)); n != said-1+2 {
			t.Errorf("bert reads %d of %d", n, said-1+2)
		}
	})
}

// What was said is edited, deleted and reacted to, by those who may, and found as it is now.
func TestChanges(t *testing.T) {
	virtually(t, func(w *world) {
		anna, bert := w.person("anna"), w.person("bert")
		r := w.group(Draft{History: true}, anna, bert)
		own := bert.in(r)
		k := bert.say(r, "the first apple")
		d := bert.say(r, "a secret pear")
		anna.hears(r, "a secret pear")
		answer := must[event.Key](w)(r.Say(w.Context(), Message{Text: "which apple?", Reply: k.ID, Mentions: []event.Identity{bert.Me()}}))
		must[event.Key](w)(own.Edit(w.Context(), k.ID, Message{Text: "the first orange"}))
		must[event.Key](w)(r.React(w.Context(), k.ID, "+1", false))
		must[event.Key](w)(r.Delete(w.Context(), d.ID))
		if _, err := own.Delete(w.Context(), answer.ID); err == nil {
			t.Error("a member deletes what the owner has said")
		}
		if _, err := r.Edit(w.Context(), k.ID, Message{Text: "mine"}); !errors.Is(err, ErrRole) || !strings.Contains(err.Error(), "only who has said it") {
			t.Errorf("the owner edits what somebody else has said: %v", err)
		}
		w.same(r, anna, bert)
		for _, p := range []*person{anna, bert} {
			x := must[Entry](w)(p.in(r).Get(w.Context(), k.ID))
			if x.Message.Text != "the first orange" || len(x.Message.Reactions["+1"]) != 1 || x.Message.Reactions["+1"][0] != anna.Me() {
				t.Errorf("%s sees %+v", p.name, x)
			}
			if x := must[Entry](w)(p.in(r).Get(w.Context(), d.ID)); !x.Message.Deleted || !x.Erased {
				t.Errorf("of what was deleted %s sees %+v", p.name, x)
			}
			if x := must[Entry](w)(p.in(r).Get(w.Context(), answer.ID)); x.Reply != k.ID {
				t.Errorf("%s sees an answer to %v", p.name, x.Reply)
			}
			for text, want := range map[string]int{"orange": 1, "apple": 1, "pear": 0} {
				found, _, err := p.in(r).Search(w.Context(), Query{Text: text, Limit: 10})
				if err != nil || len(found) != want {
					t.Errorf("%s finds %s %d times, %v", p.name, text, len(found), err)
				}
			}
		}
	})
}

// Who leaves is no member any more, for all, once somebody has been told.
func TestLeave(t *testing.T) {
	virtually(t, func(w *world) {
		anna, bert := w.person("anna"), w.person("bert")
		r := w.group(Draft{}, anna, bert)
		w.part(anna, bert)
		w.do(bert.in(r).Leave(w.Context(), false))
		time.Sleep(time.Minute)
		if s := bert.in(r).Info().State; s != Leaving {
			t.Errorf("while nobody knows it he is %v", s)
		}
		w.join(anna, bert)
		w.until("all know", func() bool {
			return len(anna.in(r).Info().Members) == 1 && bert.in(r).Info().State == Left
		})
		w.do(bert.in(r).Forget(w.Context()))
		if all := bert.Rooms(); len(all) != 0 {
			t.Errorf("%d rooms are left", len(all))
		}
	})
}

// The only owner does not leave others to themselves without meaning it: nobody could make another owner any more.
func TestOnlyOwnerLeaves(t *testing.T) {
	virtually(t, func(w *world) {
		anna, bert := w.person("anna"), w.person("bert")
		r := w.group(Draft{}, anna, bert)
		before := r.index.Len()
		if err := r.Leave(w.Context(), false); !errors.Is(err, ErrLast) || r.index.Len() != before || r.Info().State != Inside {
			t.Errorf("%v, %d events, %v", err, r.index.Len()-before, r.Info().State)
		}
		w.do(r.SetRole(w.Context(), bert.Me(), event.Owner))
		w.do(r.Leave(w.Context(), false)) // there is another one
		w.until("bert knows it", func() bool { return len(bert.in(r).Info().Members) == 1 })
		w.do(bert.in(r).Leave(w.Context(), false)) // there is nobody else

		other := w.group(Draft{}, anna, bert)
		w.do(other.Leave(w.Context(), true))
		w.until("bert is alone", func() bool { return len(bert.in(other).Info().Members) == 1 })

		direct := must[*Room](w)(anna.Direct(w.Context(), bert.Me(), bert.Device.ID()))
		w.until("bert is there", func() bool {
			own, err := bert.Room(direct.ID())
			return err == nil && own.Info().State == Inside && len(direct.Connected()) > 0
		})
		w.do(direct.Leave(w.Context(), false)) // nobody is invited to a conversation of two
	})
}

// What would not count is refused, and said to nobody: what a junior owner does to a senior, and the end of the last owner.
func TestActsThatWouldNotCount(t *testing.T) {
	virtually(t, func(w *world) {
		anna, bert, carl := w.person("anna"), w.person("bert"), w.person("carl")
		r := w.group(Draft{}, anna, bert, carl)
		ctx, before := w.Context(), r.index.Len()
		if err := r.SetRole(ctx, anna.Me(), event.Reader); !errors.Is(err, ErrLast) {
			t.Errorf("nobody would be an owner: %v", err)
		}
		if n := r.index.Len(); n != before {
			t.Errorf("%d events", n-before)
		}
		w.do(r.SetRole(ctx, carl.Me(), event.Owner))
		w.do(r.SetRole(ctx, bert.Me(), event.Owner))
		w.same(r, anna, bert, carl)
		before = r.index.Len()
		for _, who := range []*person{bert, anna} {
			if err := carl.in(r).Remove(ctx, who.Me()); !errors.Is(err, ErrJunior) {
				t.Errorf("he removes %s: %v", who.name, err)
			}
			if err := carl.in(r).SetRole(ctx, who.Me(), event.Reader); !errors.Is(err, ErrJunior) {
				t.Errorf("he has %s be a reader: %v", who.name, err)
			}
		}
		if n := carl.in(r).index.Len(); n != before {
			t.Errorf("%d events", n-before)
		}
		w.do(bert.in(r).SetRole(ctx, carl.Me(), event.Reader))
		w.do(r.SetRole(ctx, anna.Me(), event.Member))
		w.same(r, anna, bert, carl)
		if i := carl.in(r).Info(); i.Role != event.Reader || i.Members[0].Role != event.Member {
			t.Errorf("%+v", i)
		}
		w.do(bert.in(r).Remove(ctx, carl.Me())) // by the right of being an owner, though he was added as a member
		w.until("it counts", func() bool { return len(r.Info().Members) == 2 })
	})
}

// A second device of somebody enters by an offer of the first, and reads what is said from then on.
func TestSecondDevice(t *testing.T) {
	virtually(t, func(w *world) {
		anna, bert := w.person("anna"), w.person("bert")
		r := w.group(Draft{History: true}, anna, bert)
		bert.say(r, "early")
		second := w.person("anna/2")
		w.do(r.Offer(w.Context(), second.node.Self()))
		w.inside(r, second)
		second.hears(r, "early")
		second.say(r, "from elsewhere")
		bert.hears(r, "from elsewhere")
		w.same(r, anna, bert, second)
		if m := r.Info().Members; len(m) != 2 || len(m[0].Devices) != 2 {
			t.Errorf("members are %+v", m)
		}
	})
}

// What a blocked one says is not shown and makes nothing unread, but what he does to the room counts.
func TestBlocked(t *testing.T) {
	virtually(t, func(w *world) {
		bad := event.Identity(identityOf("carl").ID().Bytes())
		anna, carl := w.person("anna"), w.person("carl")
		bert := w.person("bert", func(c *Config) { c.Blocked = func(i event.Identity) bool { return i == bad } })
		r := must[*Room](w)(anna.Create(w.Context(), Draft{}))
		w.do(r.Add(w.Context(), carl.Me(), event.Owner, carl.node.Self()))
		w.do(r.Add(w.Context(), bert.Me(), event.Member, bert.node.Self()))
		w.inside(r, bert, carl)
		w.same(r, anna, bert, carl)
		carl.say(r, "nonsense")
		w.do(carl.in(r).SetProperty(w.Context(), event.PropertyTopic, []byte("about")))
		anna.hears(r, "nonsense")
		w.until("bert knows the topic", func() bool { return bert.in(r).Info().Topic == "about" })
		if slices.Contains(bert.sees(r), "nonsense") {
			t.Error("what a blocked one has said is shown")
		}
		if _, n, err := bert.in(r).Unread(w.Context()); n != 0 || err != nil {
			t.Errorf("it makes %d unread, %v", n, err)
		}
		// And bert passes it on.
		w.part(anna, carl)
		w.part(anna, bert)
		carl.say(r, "more nonsense")
		time.Sleep(time.Minute)
		w.part(bert, carl)
		w.join(anna, bert)
		anna.hears(r, "more nonsense")
	})
}

// Who is writing is told to those who are there, and kept by nobody.
func TestTyping(t *testing.T) {
	virtually(t, func(w *world) {
		anna, bert := w.person("anna"), w.person("bert")
		r := w.group(Draft{}, anna, bert)
		w.until("they are connected", func() bool { return len(r.Connected()) == 1 })
		r.Typing()
		w.until("bert is told", func() bool {
			all, _, _ := bert.Notices(0, 1000)
			return slices.ContainsFunc(all, func(n Notice) bool { return n.Kind == Typing && n.Who == anna.Me() && n.Room == r.ID() })
		})
	})
}
