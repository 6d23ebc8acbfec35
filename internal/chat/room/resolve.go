package room

import (
	"container/heap"
	"slices"

	"github.com/tenon-net/tenon/internal/chat/event"
)

// A state is what the acts mean, all together.
//
// Memberships are worked out from the senior to the junior. What a member may do depends
// on acts of seniors alone, and on leaving by oneself; so when a membership is reached, all
// that limits it is known, and one pass is enough. Two who remove each other are no
// circle: the act of the junior has no power over the senior.
type state struct {
	members map[event.Identity]*standing
	devices map[event.Device][]*limit // removals of devices
	invites map[uint32]*invite        // by the number of the act
	done    map[uint32]bool           // acts that count
	acts    int                       // how many acts there were

	list []Membership                    // who is in the room, by rank
	live map[event.Device]event.Identity // devices of who is in the room
}

// A standing is all that decides what an identity may do.
type standing struct {
	places []*place // in the order of their ranks
	limits []*limit // in the order of the keys of their acts
}

// A place is a membership: it begins with an act, whose key is its rank. Lesser
// ranks are senior. Who is removed and added again has another place.
type place struct {
	who  event.Identity
	act  uint32
	rank event.Key
	role event.Role
}

// A limit is an act that changes the role of a member, or ends a membership or a device.
type limit struct {
	act  uint32
	rank event.Key // of the place by whose right it counts; zero: by that of the identity itself
	self bool      // by its own author
	role event.Role
	cuts []*cut
}

type invite struct {
	place *place // by whose right it counts; nil: it does not
	uses  uint64
	ends  []*limit // revocations, by whoever
}

// resolver works out a state.
type resolver struct {
	*Room
	*state
	next queue
}

// queue has the acts that begin a place, the least key first.
type queue struct {
	room *Room
	acts []uint32
}

func (q *queue) Len() int { return len(q.acts) }
func (q *queue) Less(i, j int) bool {
	return q.room.acts[q.acts[i]].e.Key().Less(q.room.acts[q.acts[j]].e.Key())
}
func (q *queue) Swap(i, j int) { q.acts[i], q.acts[j] = q.acts[j], q.acts[i] }
func (q *queue) Push(x any)    { q.acts = append(q.acts, x.(uint32)) } //nolint:errcheck // only resolve pushes
func (q *queue) Pop() any {
	last := len(q.acts) - 1
	x := q.acts[last]
	q.acts = q.acts[:last]
	return x
}

// now returns the state of all acts.
func (r *Room) now() *state {
	if r.state == nil {
		r.state = r.resolve()
		r.note(r.before, r.state)
		r.before = r.state
	}
	return r.state
}

func (r *Room) resolve() *state {
	s := &state{members: map[event.Identity]*standing{}, devices: map[event.Device][]*limit{}, invites: map[uint32]*invite{},
		done: map[uint32]bool{}, acts: len(r.acts)}
	v := &resolver{r, s, queue{room: r}}
	for _, a := range v.Room.acts {
		switch b := a.e.Body.(type) {
		case *event.Create:
			v.next.acts = append(v.next.acts, a.number)
		case *event.Enter:
			if via := r.acts[r.numbers[b.Via]]; via.e.Kind == event.KindInvite {
				v.next.acts = append(v.next.acts, a.number)
			}
		case *event.RemoveDevice:
			if b.Proof != [64]byte{} {
				v.done[a.number] = true
				v.removeDevice(a, b, event.Key{})
			}
		}
	}
	heap.Init(&v.next)
	for v.next.Len() > 0 {
		if p := v.begin(r.acts[heap.Pop(&v.next).(uint32)]); p != nil { //nolint:errcheck // only numbers are pushed
			st := s.of(p.who)
			st.places = append(st.places, p)
			v.done[p.act] = true
			v.judge(p)
		}
	}
	v.listMembers()
	return s
}

func (s *state) of(who event.Identity) *standing {
	st := s.members[who]
	if st == nil {
		st = new(standing)
		s.members[who] = st
	}
	return st
}

// begin returns the place that an act begins, or nil if it does not.
func (v *resolver) begin(a *act) *place {
	switch b := a.e.Body.(type) {
	case *event.Create:
		return &place{a.author, a.number, a.e.Key(), event.Owner}
	case *event.Add:
		return &place{b.Member, a.number, a.e.Key(), b.Role}
	case *event.Enter:
		return v.invited(a, v.Room.acts[v.numbers[b.Via]])
	}
	return nil
}

// invited returns the place of who has entered by an invite. The invite has been judged: it
// is before the act, so its author's rank is a lesser one.
func (v *resolver) invited(a, by *act) *place {
	b, ok := by.e.Body.(*event.Invite)
	i := v.invites[by.number]
	if !ok || i == nil || i.place == nil || b.Uses > 0 && i.uses >= b.Uses {
		return nil
	}
	// An invite ends when it is revoked, and when its author is an owner no more: who has entered
	// before that is in the past of the act that has ended it, and nobody can come from there later.
	ended := func(l *limit) bool { return !v.Room.acts[l.act].past.has(a.number) }
	for _, l := range i.ends {
		if l.revokes(i) && ended(l) {
			return nil
		}
	}
	for _, l := range v.of(by.author).limits {
		if l.counts(v.Room, i.place) && l.role < event.Owner && !by.past.has(l.act) && ended(l) {
			return nil
		}
	}
	// Nobody who was removed comes back by an invite that is older than that.
	for _, l := range v.of(a.author).limits {
		if l.rank.Less(a.e.Key()) && l.excludes(by) && ended(l) {
			return nil
		}
	}
	i.uses++
	return &place{a.author, a.number, a.e.Key(), b.Role}
}

// excludes tells whether it removes somebody so that an invite, which does not know of it, does not let him in again.
func (l *limit) excludes(invite *act) bool {
	return !l.self && l.role == event.Nobody && !invite.past.has(l.act)
}

// revokes tells whether the revocation is by who has made the invite, or by a senior of his.
func (l *limit) revokes(i *invite) bool { return !i.place.rank.Less(l.rank) }

// judge takes what the member does by the right of a place.
func (v *resolver) judge(p *place) {
	own, st := v.by[p.who], v.of(p.who)
	// First what a member does to itself: it needs no right but to be there, and limits the rest.
	for _, n := range own {
		if v.done[n] {
			continue
		}
		a := v.Room.acts[n]
		if l, who := v.limiting(a); l != nil && who == p.who && v.state.role(v.Room, p, a.query(), true) > event.Nobody {
			l.rank, l.self = p.rank, true
			v.done[n] = true
			st.add(v.Room, l)
		}
	}
	for _, n := range own {
		a := v.Room.acts[n]
		if v.done[n] || !v.needsOwner(a, p.who) || v.state.role(v.Room, p, a.query(), false) < event.Owner {
			continue
		}
		v.done[n] = true
		v.count(p, a)
	}
}

// needsOwner tells whether it is an act that counts by the right of an owner.
func (v *resolver) needsOwner(a *act, author event.Identity) bool {
	switch b := a.e.Body.(type) {
	case *event.Add, *event.Invite, *event.Revoke:
		return true
	case *event.Remove:
		return b.Member != author
	case *event.SetRole:
		return b.Member != author
	case *event.RemoveDevice:
		return b.Proof == [64]byte{}
	}
	return false
}

// count takes an act of an owner.
func (v *resolver) count(p *place, a *act) {
	switch b := a.e.Body.(type) {
	case *event.Add:
		heap.Push(&v.next, a.number)
	case *event.Invite:
		i := v.inviteOf(a.number)
		i.place = p
	case *event.Revoke:
		i := v.inviteOf(v.numbers[b.Invite])
		i.ends = append(i.ends, &limit{act: a.number, rank: p.rank})
	case *event.RemoveDevice:
		v.removeDevice(a, b, p.rank)
	default:
		if l, who := v.limiting(a); l != nil {
			l.rank = p.rank
			v.of(who).add(v.Room, l)
		}
	}
}

func (v *resolver) inviteOf(n uint32) *invite {
	i := v.invites[n]
	if i == nil {
		i = new(invite)
		v.invites[n] = i
	}
	return i
}

// limiting returns the limit that an act sets, and to whom.
func (v *resolver) limiting(a *act) (*limit, event.Identity) {
	switch b := a.e.Body.(type) {
	case *event.Remove:
		return &limit{act: a.number, role: event.Nobody, cuts: v.cutsOf(b.Cuts)}, b.Member
	case *event.SetRole:
		return &limit{act: a.number, role: b.Role, cuts: v.cutsOf(b.Cuts)}, b.Member
	}
	return nil, event.Identity{}
}

func (v *resolver) removeDevice(a *act, b *event.RemoveDevice, rank event.Key) {
	d := v.Room.acts[v.numbers[b.Enter]].e.Device
	v.state.devices[d] = append(v.state.devices[d], &limit{act: a.number, rank: rank, cuts: v.cutsOf(b.Cuts)})
}

func (r *Room) cutsOf(ids []event.ID) []*cut {
	cuts := make([]*cut, 0, len(ids))
	for _, id := range ids {
		if n, ok := r.past.Node(id); ok {
			cuts = append(cuts, &cut{id: id, seq: n.Seq, root: n.Root})
		}
	}
	return cuts
}

func (s *standing) add(r *Room, l *limit) {
	key := func(l *limit) event.Key { return r.acts[l.act].e.Key() }
	i, _ := slices.BinarySearchFunc(s.limits, key(l), func(x *limit, k event.Key) int { return key(x).Compare(k) })
	s.limits = slices.Insert(s.limits, i, l)
}
