package room

import (
	"slices"

	"github.com/tenon-net/tenon/internal/chat/event"
)

// Draft returns where the next event of a device goes: room, number and parents. Its
// time must be greater than after; a body with links has others that it must exceed as well.
// The parents are the latest event of the device and the newest of those that count and that
// none stands on that does.
func (r *Room) Draft(d event.Device) (next event.Draft, after uint64) {
	next = event.Draft{Room: r.id, Seq: 1}
	own := event.ID{}
	if x := r.devices[d]; x != nil && x.seq > 0 {
		own, next.Seq = x.tip, x.seq+1
		next.Parents = []event.ID{own}
		if n, ok := r.past.Node(own); ok {
			after = n.Time
		}
	}
	r.dropVoid()
	var others []event.ID
	for _, h := range r.Heads() {
		if h.ID != own && len(next.Parents)+len(others) < event.MaxParents {
			others, after = append(others, h.ID), max(after, h.Time)
		}
	}
	sortIDs(others)
	next.Parents = append(next.Parents, others...)
	return next, after
}

// dropVoid replaces heads that are void by what they stand on, so that nobody has to stand on
// them, and nobody can hide an event from others by standing on it.
func (r *Room) dropVoid() {
	pending := []event.ID{}
	for id := range r.heads {
		pending = append(pending, id)
	}
	seen := map[event.ID]bool{}
	for len(pending) > 0 {
		id := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		n, ok := r.past.Node(id)
		if seen[id] || !ok {
			continue
		}
		seen[id] = true
		if r.Counts(id, n) {
			r.heads[id] = n.Time
			continue
		}
		delete(r.heads, id)
		pending = append(pending, r.past.Links(id)...)
	}
}

func sortIDs(ids []event.ID) {
	slices.SortFunc(ids, func(a, b event.ID) int { return event.Key{ID: a}.Compare(event.Key{ID: b}) })
}

// Tip returns the latest event of a device, zero if there is none.
func (r *Room) Tip(d event.Device) event.ID {
	if x := r.devices[d]; x != nil {
		return x.tip
	}
	return event.ID{}
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
	sortIDs(cuts)
	return cuts
}
