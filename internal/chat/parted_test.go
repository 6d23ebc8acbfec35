package chat

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/chat/rbsr"
)

// Who was removed while he was away is told so by any member when he comes back, and sees what was said before; he gets nothing that was
// said by those who knew of it, not even sealed.
func TestRemovedWhileAway(t *testing.T) {
	virtually(t, func(w *world) {
		anna, bert, carl, dora := w.person("anna"), w.person("bert"), w.person("carl"), w.person("dora")
		r := w.group(Draft{Name: "plans"}, anna, bert, carl, dora)
		phone := bert.link("phone")
		w.inside(r, phone)
		w.same(r, anna, bert, carl, dora, phone)
		who := bert.Me()
		bert.stop()
		phone.stop()
		carl.say(r, "he is away")
		w.same(r, anna, carl, dora)
		w.do(anna.in(r).Remove(w.Context(), who))
		secret := anna.say(r, "without him")
		carl.hears(r, "without him")
		dora.hears(r, "without him")
		time.Sleep(24 * time.Hour)
		anna.stop() // who has removed him need not be there
		dora.stop()
		for _, p := range []*person{bert, phone} {
			p.start()
			w.until(p.name+" knows", func() bool { return p.in(r).Info().Role == event.Nobody })
			if !slices.Contains(p.sees(r), "he is away") {
				t.Errorf("%s sees %q", p.name, p.sees(r))
			}
			if _, err := p.in(r).Say(w.Context(), Message{Text: "still here"}); !errors.Is(err, ErrOutside) {
				t.Errorf("%s goes on: %v", p.name, err)
			}
		}
		time.Sleep(24 * time.Hour)
		for _, p := range []*person{bert, phone} {
			if own := p.in(r); own.index.Has(rbsr.Key{Time: secret.Time, ID: secret.ID}) || slices.Contains(p.sees(r), "without him") {
				t.Errorf("%s has what is not for him", p.name)
			}
			if len(p.in(r).Connected()) > 0 || slices.Contains(carl.in(r).members(), p.node.Self()) {
				t.Errorf("%s is met in the room", p.name)
			}
		}
		// Added again, he is in it again.
		anna.start()
		w.do(anna.in(r).Add(w.Context(), who, event.Member, bert.node.Self()))
		w.inside(r, bert)
		carl.say(r, "welcome back")
		bert.hears(r, "welcome back")
	})
}

// Who has left comes back by the ticket by which he had come, with the same device, and who was removed by one of later; by one of before he
// does not, is told nothing, and says nothing.
func TestComesBack(t *testing.T) {
	virtually(t, func(w *world) {
		anna, bert := w.person("anna"), w.person("bert")
		r := w.group(Draft{Name: "open"}, anna)
		first := must[Invite](w)(r.Invite(w.Context(), Terms{}))
		must[*Room](w)(bert.Join(w.Context(), first))
		w.inside(r, bert)
		bert.say(r, "before")
		anna.hears(r, "before")
		for range 2 {
			w.do(bert.in(r).Leave(w.Context(), false))
			w.until("all know", func() bool { return len(r.Info().Members) == 1 && bert.in(r).Info().State == Left })
			missed := anna.say(r, "without him")
			begin := time.Now()
			must[*Room](w)(bert.Join(w.Context(), first))
			w.inside(r, bert)
			if took := time.Since(begin); took > knockEvery/3 {
				t.Errorf("it takes %v to be let in again", took)
			}
			w.same(r, anna, bert)
			if x := must[Entry](w)(bert.in(r).Get(w.Context(), missed.ID)); !x.Waiting {
				t.Errorf("he reads what was said when he was not there: %+v", x)
			}
			bert.say(r, "back")
			anna.hears(r, "back")
			anna.say(r, "welcome")
			bert.hears(r, "welcome")
		}
		w.do(r.Remove(w.Context(), bert.Me()))
		w.until("he knows", func() bool { return bert.in(r).Info().Role == event.Nobody })
		secret := anna.say(r, "in private")
		before := r.index.Len()
		must[*Room](w)(bert.Join(w.Context(), first))
		time.Sleep(10 * time.Minute)
		if own := bert.in(r); r.index.Len() != before || own.Info().State != Joining || own.index.Has(rbsr.Key{Time: secret.Time, ID: secret.ID}) {
			t.Errorf("by an invite of before he is %v, and there are %d events more", own.Info().State, r.index.Len()-before)
		}
		later := must[Invite](w)(r.Invite(w.Context(), Terms{}))
		must[*Room](w)(bert.Join(w.Context(), later))
		w.inside(r, bert)
		w.same(r, anna, bert)
		bert.say(r, "forgiven")
		anna.hears(r, "forgiven")
	})
}
