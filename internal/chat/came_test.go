package chat

import (
	"fmt"
	"slices"
	"testing"

	"github.com/tenon-net/tenon/internal/chat/event"
)

// Who has come by a ticket has come by that, and was not added by the owner whose client takes care that his place lasts. Who is added
// once he has gone was added.
func TestCameByTicket(t *testing.T) {
	virtually(t, func(w *world) {
		anna, bert := w.person("anna"), w.person("bert")
		r := w.group(Draft{}, anna)
		got := must[Invite](w)(r.Invite(w.Context(), Terms{}))
		must[*Room](w)(bert.Join(w.Context(), got))
		w.inside(r, bert)
		added := func() bool {
			give := must[func()](w)(r.take(w.Context()))
			defer give()
			return r.acts.added[bert.Me()]
		}
		w.until("anna's client has added him", added)
		w.same(r, anna, bert)
		shown := func(p *person) (all []string) {
			for _, x := range must[[]Entry](w)(p.in(r).Before(w.Context(), event.Key{}, 50)) {
				switch b := x.Body.(type) {
				case *event.Enter:
					who := must[event.Identity](w)(p.in(r).Inviter(w.Context(), b))
					all = append(all, fmt.Sprintf("enter %v", who == anna.Me()))
				case *event.Add, *event.Remove:
					all = append(all, x.Kind.String())
				}
			}
			return all
		}
		for _, p := range []*person{anna, bert} {
			if got := shown(p); !slices.Equal(got, []string{"enter true"}) {
				t.Errorf("%s is shown %q", p.name, got)
			}
		}
		w.do(r.Remove(w.Context(), bert.Me()))
		w.do(r.Add(w.Context(), bert.Me(), event.Member, bert.Device.ID()))
		if got := shown(anna); !slices.Equal(got, []string{"enter true", "remove", "add"}) {
			t.Errorf("anna is shown %q", got)
		}
		anna.stop()
		anna.start()
		r = anna.in(r)
		if got := shown(anna); !slices.Equal(got, []string{"enter true", "remove", "add"}) {
			t.Errorf("once she is back anna is shown %q", got)
		}
	})
}
