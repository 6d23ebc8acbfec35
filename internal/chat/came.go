package chat

import (
	"context"
	"slices"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/chat/log"
)

// A coming is how somebody came into the room, or went.
type coming struct {
	event.Key
	kind event.Kind // KindEnter: by an invite; KindAdd, KindRemove
}

// comings are those of each identity, in the order of their keys.
type comings map[event.Identity][]coming

func (c comings) see(who event.Identity, e *event.Event) {
	all := c[who]
	i, there := slices.BinarySearchFunc(all, e.Key(), func(x coming, k event.Key) int { return x.Compare(k) })
	if !there {
		c[who] = slices.Insert(all, i, coming{e.Key(), e.Kind})
	}
}

// confirming returns the additions of those who had come by an invite: an owner's client makes them, so that a place does not depend
// on the invite any more. Nobody was added by that, and it is not shown.
func (c comings) confirming() map[event.ID]bool {
	found := map[event.ID]bool{}
	for _, all := range c {
		for i := 1; i < len(all); i++ {
			if all[i].kind == event.KindAdd && all[i-1].kind == event.KindEnter {
				found[all[i].ID] = true
			}
		}
	}
	return found
}

// confirms tells whether an event is one of confirming.
func (c comings) confirms(e *event.Event) bool {
	b, ok := e.Body.(*event.Add)
	if !ok {
		return false
	}
	all := c[b.Member]
	i := slices.IndexFunc(all, func(x coming) bool { return x.ID == e.ID })
	return i > 0 && all[i-1].kind == event.KindEnter
}

// confirming returns the additions that are not shown, as far as the latest snapshot knows.
func (r *Room) confirming() map[event.ID]bool {
	if s := r.now.Load(); s != nil {
		return s.confirm
	}
	return nil
}

// Inviter returns who has made the invite by which somebody has entered; zero: it was none.
func (r *Room) Inviter(ctx context.Context, b *event.Enter) (who event.Identity, err error) {
	if b.Proof == [64]byte{} {
		return who, nil
	}
	rows, err := r.log.Get(ctx, log.ID(b.Via))
	if err == nil && len(rows) == 1 {
		who = event.Identity(rows[0].Author)
	}
	return who, err
}
