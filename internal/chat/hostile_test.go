package chat

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/chat/meet"
	"github.com/tenon-net/tenon/internal/chat/room"
	"github.com/tenon-net/tenon/internal/peer"
)

// push has a person send events that an honest one would not make, and not keep them himself.
func (p *person) push(r *Room, events ...*event.Event) {
	own := p.in(r)
	for _, e := range events {
		own.meets.Load().Push(own.blob(e))
	}
}

// drafted returns the next event of a person, not made yet, and the secret to seal it with.
func (p *person) drafted(r *Room, body event.Body) (event.Draft, *event.Secret) {
	p.w.Helper()
	own := p.in(r)
	give := must[func()](p.w)(own.take(p.w.Context()))
	defer give()
	epoch := must[event.ID](p.w)(own.epoch(p.w.Context()))
	d := must[event.Draft](p.w)(own.draft(body))
	d.Epoch = epoch
	return d, own.secrets[epoch]
}

// What a member may not do has no effect on anybody, and what he says to deceive is seen by all alike.
func TestHostileMember(t *testing.T) {
	virtually(t, func(w *world) {
		anna, bert, carl := w.person("anna"), w.person("bert"), w.person("carl")
		r := w.group(Draft{History: true}, anna, bert, carl)
		bert.say(r, "I am honest")
		w.same(r, anna, bert, carl)
		w.until("all are connected", func() bool { return len(bert.in(r).Connected()) == 2 })

		// He removes the owner.
		d, _ := bert.drafted(r, &event.Remove{Member: anna.Me()})
		bert.push(r, must[*event.Event](w)(d.Sign(bert.node.Key())))
		time.Sleep(time.Minute)
		if i := carl.in(r).Info(); len(i.Members) != 3 || anna.in(r).Info().Role != event.Owner {
			t.Errorf("after a member has removed the owner there are %+v", i.Members)
		}

		// He says two things at one place.
		d, s := bert.drafted(r, &event.Text{Text: "to anna"})
		first := must[*event.Event](w)(d.Seal(bert.node.Key(), s))
		d.Body = &event.Text{Text: "to carl"}
		second := must[*event.Event](w)(d.Seal(bert.node.Key(), s))
		bert.push(r, first, second)
		for _, p := range []*person{anna, carl} {
			p.hears(r, "to anna")
			p.hears(r, "to carl")
			forked := func(m Member) bool { return m.Identity == bert.Me() && m.Forked }
			w.until(p.name+" knows of the fork", func() bool { return slices.ContainsFunc(p.in(r).Info().Members, forked) })
		}
		// He gets both back as well, and goes on.
		w.same(r, anna, bert, carl)

		// He seals something with another key than that of the epoch.
		d, _ = bert.drafted(r, &event.Text{Text: "cannot be read"})
		bad := must[*event.Event](w)(d.Seal(bert.node.Key(), event.NewSecret()))
		bert.push(r, bad)
		w.same(r, anna, bert, carl)
		if x, err := anna.in(r).Get(w.Context(), bad.ID); err != nil || x.Message.Text != "" || x.Waiting {
			t.Errorf("what nobody can open is %+v, %v", x, err)
		}

		// He says that it was long ago: it comes after what it stands on, and is marked.
		time.Sleep(time.Hour)
		d, s = bert.drafted(r, &event.Text{Text: "long ago"})
		d.Time -= uint64((30 * time.Minute).Milliseconds()) << 16
		old := must[*event.Event](w)(d.Seal(bert.node.Key(), s))
		bert.push(r, old)
		anna.hears(r, "long ago")
		if x := must[Entry](w)(anna.in(r).Get(w.Context(), old.ID)); !x.Late {
			t.Errorf("what was dated back is %+v", x)
		}
		w.same(r, anna, bert, carl)
	})
}

// Somebody whose prekey is none, so that nothing can be wrapped to it, keeps nobody from talking.
func TestBadPrekey(t *testing.T) {
	virtually(t, func(w *world) {
		anna, bert, carl := w.person("anna"), w.person("bert"), w.person("carl")
		bad := *carl.prekey()
		for i := range bad.Hybrid {
			bad.Hybrid[i] = 0xff
		}
		b := bad.Bytes()
		bad.Sig = [64]byte(carl.node.Key().SignAs(peer.ContextChatPrekey, b[:len(b)-64]))
		carl.vault.prekeys[0].public = &bad
		r := must[*Room](w)(anna.Create(w.Context(), Draft{}))
		w.do(r.Add(w.Context(), bert.Me(), event.Member, bert.node.Self()))
		w.do(r.Add(w.Context(), carl.Me(), event.Member, carl.node.Self()))
		w.inside(r, bert, carl)
		w.same(r, anna, bert, carl)
		if len(r.Info().Members) != 3 {
			t.Fatal("he is not in")
		}
		anna.say(r, "hello")
		bert.hears(r, "hello")
		before := r.index.Len()
		anna.say(r, "again")
		bert.hears(r, "again")
		if n := r.index.Len() - before; n != 1 {
			t.Errorf("for one message there are %d events", n)
		}
	})
}

// What is dated ahead is held until it is due, and moves nobody's clock.
func TestHeld(t *testing.T) {
	virtually(t, func(w *world) {
		anna := w.person("anna")
		bert := w.person("bert", func(c *Config) { c.Now = func() time.Time { return time.Now().Add(10 * time.Minute) } })
		r := must[*Room](w)(anna.Create(w.Context(), Draft{History: true}))
		w.do(r.Add(w.Context(), bert.Me(), event.Member, bert.node.Self()))
		w.until("he believes to be inside", func() bool {
			own, err := bert.Room(r.ID())
			return err == nil && own.Info().State == Inside
		})
		begin := time.Now()
		bert.say(r, "from the future")
		time.Sleep(7 * time.Minute)
		if got := anna.sees(r); len(got) != 0 {
			t.Errorf("after %v anna sees %q", time.Since(begin), got)
		}
		k := anna.say(r, "now")
		if ahead := time.Until(event.Time(k.Time)); ahead > time.Second {
			t.Errorf("anna's clock is ahead by %v", ahead)
		}
		anna.hears(r, "from the future")
		if late := time.Since(begin); late > 12*time.Minute {
			t.Errorf("what was due after 8 minutes came after %v", late)
		}
	})
}

// Who says much at once, by all his devices, is heard slowly; what others say comes at once.
func TestFlood(t *testing.T) {
	virtually(t, func(w *world) {
		usual := func(c *Config) { c.Rate = 0 }
		anna, bert, carl := w.person("anna", usual), w.person("bert"), w.person("carl", usual)
		r := w.group(Draft{History: true}, anna, bert, carl)
		second := w.person("bert/2")
		w.do(r.Offer(w.Context(), second.node.Self()))
		w.inside(r, second)
		w.same(r, anna, bert, carl, second)
		slot := 10 * time.Second
		time.Sleep(time.Until(time.Now().Truncate(slot).Add(6 * slot))) // what follows is in one
		for n := range 25 {
			bert.say(r, fmt.Sprint("flood ", n))
			second.say(r, fmt.Sprint("more flood ", n))
		}
		time.Sleep(9 * time.Second)
		floods := 0
		for _, text := range anna.sees(r) {
			if strings.Contains(text, "flood") {
				floods++
			}
		}
		if floods == 0 || floods > meet.DefaultRate {
			t.Errorf("anna hears %d of 50 at once", floods)
		}
		begin := time.Now()
		carl.say(r, "can you hear me?")
		anna.hears(r, "can you hear me?")
		if took := time.Since(begin); took > time.Minute {
			t.Errorf("what somebody else says comes after %v", took)
		}
		w.same(r, anna, bert, carl, second)
		if n := len(anna.sees(r)); n != 51 {
			t.Errorf("at the end anna reads %d of 51", n)
		}
	})
}

// Who knows the room but has no right to be in it is not let in, nor told anything.
func TestStranger(t *testing.T) {
	virtually(t, func(w *world) {
		anna, eve := w.person("anna"), w.person("eve")
		r := w.group(Draft{Name: "closed"}, anna)
		i := must[Invite](w)(r.Invite(w.Context(), Terms{}))
		must[Invite](w)(r.Invite(w.Context(), Terms{}))
		for _, i := range must[[]room.Invitation](w)(r.Invites(w.Context())) {
			w.do(r.Revoke(w.Context(), i.ID))
		}
		must[*Room](w)(eve.Join(w.Context(), i))
		time.Sleep(10 * time.Minute)
		own := eve.in(r)
		if n := own.index.Len(); n != 0 || own.Info().State != Joining {
			t.Errorf("by an invite that was revoked eve is %v and has %d events", own.Info().State, n)
		}
		i.Seed[0]++
		if _, err := own.knock(w.Context(), place{room: r.ID(), seed: i.Seed}, anna.node.Self()); err == nil {
			t.Error("by an invite that there never was eve is let in")
		}
		if _, err := own.knock(w.Context(), place{room: r.ID()}, anna.node.Self()); err == nil {
			t.Error("without any invite eve is let in")
		}
	})
}
