package room

import (
	"slices"

	"github.com/tenon-net/tenon/internal/chat/event"
)

// Draft returns where the next event of a device goes: room, number and parents. Its
// time must be greater than after; a body with links has others that it must exceed as well.
// The parents are the latest event of the device and the newest of the heads
// that count, so that what nobody has to stand on is not cited.
func (r *Room) Draft(d event.Device) (next event.Draft, after uint64) {
	next = event.Draft{Room: r.id, Seq: 1}
	own := event.ID{}
	if x := r.devices[d]; x != nil && x.seq > 0 {
		own, next.Seq = x.tip, x.seq+1
	}
	var others []event.ID
	room := event.MaxParents
	if !own.IsZero() {
		room--
		if n, ok := r.past.Node(own); ok {
			after = n.Time
		}
	}
	for _, h := range r.Heads() {
		if len(others) == room {
			break
		}
		n, ok := r.past.Node(h.ID)
		if h.ID == own || !ok || !r.Counts(h.ID, n) {
			continue
		}
		others, after = append(others, h.ID), max(after, h.Time)
	}
	if own.IsZero() && len(others) == 0 {
		others, after = []event.ID{r.id}, r.acts[0].e.Time // whoever enters knows the room
	}
	slices.SortFunc(others, func(a, b event.ID) int { return event.Key{ID: a}.Compare(event.Key{ID: b}) })
	if !own.IsZero() {
		next.Parents = []event.ID{own}
	}
	next.Parents = append(next.Parents, others...)
	return next, after
}

// Cuts returns the cuts of a removal that lets everything stand that is known now: the
// latest events of the devices of somebody, at most [event.MaxCuts], ascending.
func (r *Room) Cuts(who event.Identity) []event.ID {
	var cuts []event.ID
	for _, n := range r.by[who] {
		a := r.acts[n]
		if a.e.Seq != 1 {
			continue
		}
		if tip := r.devices[a.e.Device].tip; !slices.Contains(cuts, tip) {
			cuts = append(cuts, tip)
		}
	}
	cuts = cuts[max(0, len(cuts)-event.MaxCuts):]
	slices.SortFunc(cuts, func(a, b event.ID) int { return event.Key{ID: a}.Compare(event.Key{ID: b}) })
	return cuts
}
