package room

import (
	"slices"

	"github.com/tenon-net/tenon/internal/chat/event"
)

// A query is an event whose author's role is asked for.
type query struct {
	id    event.ID
	node  Node
	act   *act     // nil: it is none
	known []uint32 // the latest acts of its past, or itself
}

func (a *act) query() query { return query{a.e.ID, a.node, a, a.node.Past} }

func ask(id event.ID, n Node) query { return query{id: id, node: n, known: n.Past} }

// role returns the role that a place gives for an event. In it go the limits in the past of
// the event, one after the other, and those that the event does not know, unless they let
// it stand. If past is set, only the former do.
func (s *state) role(r *Room, p *place, q query, past bool) event.Role {
	if !r.knows(q.known, p.act) {
		return event.Nobody
	}
	role, most := p.role, event.Owner
	for _, l := range s.of(p.who).limits {
		switch {
		case q.is(l) || !l.counts(r, p):
		case r.knows(q.known, l.act):
			role = l.after(role)
		case !past && l.role < most && !r.stands(l, q):
			most = l.role
		}
	}
	for _, l := range s.devices[r.acts[q.node.Root].e.Device] {
		if !q.is(l) && l.ends(p) && (r.knows(q.known, l.act) || !past && !r.stands(l, q)) {
			return event.Nobody
		}
	}
	return min(role, most)
}

func (q query) is(l *limit) bool { return q.act != nil && q.act.number == l.act }

// counts tells whether the limit has power over the place: it was set by a senior, who knew of
// the place, or by the member.
func (l *limit) counts(r *Room, p *place) bool {
	return (l.rank.Less(p.rank) || l.self && l.rank == p.rank) && r.acts[l.act].past.has(p.act)
}

// ends tells whether the removal of a device has power over it, as one of the place's.
func (l *limit) ends(p *place) bool { return l.rank == event.Key{} || l.rank.Less(p.rank) }

// after returns the role of somebody who had another one before the limit. The end of a
// membership is for ever, and nobody gains by what he does to himself.
func (l *limit) after(role event.Role) event.Role {
	if role == event.Nobody || l.self {
		return min(role, l.role)
	}
	return l.role
}

// stands tells whether a limit that an event does not know lets it stand. Acts stand if
// who has set the limit knew them; all else does if it leads to one of the cuts.
func (r *Room) stands(l *limit, q query) bool {
	if q.act != nil {
		return r.acts[l.act].past.has(q.act.number)
	}
	return slices.ContainsFunc(l.cuts, func(c *cut) bool { return r.reaches(c, q.id, q.node) })
}

// Role returns the role that the author of an event has for it, by all that is known: Nobody
// if it is void.
func (r *Room) Role(id event.ID, n Node) event.Role {
	s, best := r.now(), event.Nobody
	q := ask(id, n)
	if i, ok := r.numbers[id]; ok {
		q = r.acts[i].query()
	}
	for _, p := range s.of(r.identity(n.Root)).places {
		best = max(best, s.role(r, p, q, false))
	}
	return best
}

// Author returns who has done what the node is of.
func (r *Room) Author(n Node) event.Identity { return r.identity(n.Root) }

// Counts tells whether an event counts: its author had the right to it, and has not been
// removed meanwhile by somebody who did not know it. What does not count is void. It stays in
// the set, for others may stand on it; it changes nothing and is not shown. More events
// can change the answer: see [Room.Changed].
func (r *Room) Counts(id event.ID, n Node) bool {
	if i, ok := r.numbers[id]; ok {
		a := r.acts[i]
		if s := r.now(); a.e.Kind != event.KindEnter || s.done[i] {
			return s.done[i]
		}
		return r.Role(id, n) > event.Nobody
	}
	if n.Kind == event.KindMeta {
		return r.Role(id, n) == event.Owner
	}
	return r.Role(id, n) >= event.Member
}
