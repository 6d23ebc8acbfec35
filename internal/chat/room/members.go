package room

import (
	"bytes"
	"maps"
	"slices"

	"github.com/tenon-net/tenon/internal/chat/event"
)

// A Membership is somebody who is in the room.
type Membership struct {
	Identity event.Identity
	Role     event.Role
	Rank     event.Key // the less, the more senior
	Devices  []event.Device
}

// Members returns who is in the room, the most senior first. The slice is the room's.
func (r *Room) Members() []Membership { return r.now().list }

// RoleNow returns the role that somebody has now.
func (r *Room) RoleNow(who event.Identity) event.Role {
	if p, role := r.now().latest(r, who); p != nil {
		return role
	}
	return event.Nobody
}

// Device returns whose device it is. ok is false if it is none of somebody who is in the
// room.
func (r *Room) Device(d event.Device) (who event.Identity, ok bool) {
	who, ok = r.now().live[d]
	return who, ok
}

// latest returns the most senior place of somebody that has not ended, and its role.
func (s *state) latest(r *Room, who event.Identity) (*place, event.Role) {
	st := s.members[who]
	if st == nil {
		return nil, event.Nobody
	}
	for _, p := range st.places {
		if role := st.gives(r, p); role > event.Nobody {
			return p, role
		}
	}
	return nil, event.Nobody
}

// gives returns the role that a place gives after all that limits it.
func (st *standing) gives(r *Room, p *place) event.Role {
	role := p.role
	for _, l := range st.limits {
		if l.counts(r, p) {
			role = l.after(role)
		}
	}
	return role
}

// Over tells whether somebody is an owner whose acts have power over a member: he is the senior of the two.
func (r *Room) Over(owner, member event.Identity) bool {
	s := r.now()
	st := s.members[owner]
	p, _ := s.latest(r, member)
	if st == nil || p == nil {
		return false
	}
	i := slices.IndexFunc(st.places, func(own *place) bool { return st.gives(r, own) == event.Owner })
	return i >= 0 && st.places[i].rank.Less(p.rank)
}

// listMembers fills in who is in the room, at the end of resolving.
func (v *resolver) listMembers() {
	v.live = map[event.Device]event.Identity{}
	for who := range v.members {
		p, role := v.latest(v.Room, who)
		if p == nil {
			continue
		}
		m := Membership{Identity: who, Role: role, Rank: p.rank}
		for _, n := range v.by[who] {
			a := v.Room.acts[n]
			removed := slices.ContainsFunc(v.state.devices[a.e.Device], func(l *limit) bool { return l.ends(p) })
			if a.e.Seq == 1 && !removed && !slices.Contains(m.Devices, a.e.Device) {
				m.Devices = append(m.Devices, a.e.Device)
				v.live[a.e.Device] = who
			}
		}
		slices.SortFunc(m.Devices, func(a, b event.Device) int { return bytes.Compare(a[:], b[:]) })
		v.list = append(v.list, m)
	}
	slices.SortFunc(v.list, func(a, b Membership) int { return a.Rank.Compare(b.Rank) })
}

// FirstPrekey returns the first prekey of a device that has entered, or nil.
func (r *Room) FirstPrekey(d event.Device) *event.Prekey {
	x := r.devices[d]
	if x == nil || len(x.roots) == 0 {
		return nil
	}
	switch b := r.acts[slices.Min(x.roots)].e.Body.(type) {
	case *event.Create:
		return b.Prekey
	case *event.Enter:
		return b.Prekey
	}
	return nil
}

// Changed returns the identities whose older events may count now and did not when it was
// called last, or the other way round. Their events behind the cuts of what has changed have to be asked
// for again with [Room.Counts].
func (r *Room) Changed() []event.Identity {
	r.now()
	all := slices.SortedFunc(maps.Keys(r.changed), func(a, b event.Identity) int { return bytes.Compare(a[:], b[:]) })
	clear(r.changed)
	return all
}

// note keeps who has lost a place or a limit, got a limit, or got back a place.
func (r *Room) note(before, after *state) {
	if before == nil {
		return
	}
	devices := func(s *state, who event.Identity, seen map[uint32]bool) {
		for _, n := range r.by[who] {
			for _, l := range s.devices[r.acts[n].e.Device] {
				seen[l.act] = true
			}
		}
	}
	for who := range r.by {
		was, is := map[uint32]bool{}, map[uint32]bool{}
		if st := before.members[who]; st != nil {
			st.parts(r, was)
		}
		if st := after.members[who]; st != nil {
			st.parts(r, is)
		}
		if len(before.devices)+len(after.devices) > 0 {
			devices(before, who, was)
			devices(after, who, is)
		}
		if !subset(was, is) {
			r.changed[who] = struct{}{}
			continue
		}
		for n := range is {
			begins := after.begins(who, n)
			if !was[n] && (!begins || int(n) < before.acts) {
				r.changed[who] = struct{}{}
			}
		}
	}
}

func (s *state) begins(who event.Identity, n uint32) bool {
	st := s.members[who]
	return st != nil && slices.ContainsFunc(st.places, func(p *place) bool { return p.act == n })
}

// parts adds the acts that make a standing: those that begin a place, and limits that
// count for one.
func (st *standing) parts(r *Room, all map[uint32]bool) {
	for _, p := range st.places {
		all[p.act] = true
		for _, l := range st.limits {
			if l.counts(r, p) {
				all[l.act] = true
			}
		}
	}
}

func subset(a, b map[uint32]bool) bool {
	for n := range a {
		if !b[n] {
			return false
		}
	}
	return true
}

// A Parting is a device of somebody who was a member of the room and is none any more, or not with this device, because of others.
type Parting struct {
	Device event.Device
	By     event.Key // the act by which it is so: the first one that counts
}

// Partings returns those devices. Who has left by himself knows that.
func (r *Room) Partings() (all []Parting) {
	s := r.now()
	for who, st := range s.members {
		p, _ := s.latest(r, who)
		var by event.Key
		if p == nil {
			if by = r.ending(st); by == (event.Key{}) {
				continue
			}
		}
		for _, n := range r.by[who] {
			a := r.acts[n]
			if _, live := s.live[a.e.Device]; live || a.e.Seq != 1 {
				continue
			}
			x := Parting{a.e.Device, by}
			for _, l := range s.devices[a.e.Device] {
				if k := r.acts[l.act].e.Key(); (p == nil || l.ends(p)) && (x.By == (event.Key{}) || k.Less(x.By)) {
					x.By = k
				}
			}
			if x.By != (event.Key{}) {
				all = append(all, x)
			}
		}
	}
	return all
}

// ending returns the act that has ended the last place of somebody, or nothing if that was his own.
func (r *Room) ending(st *standing) event.Key {
	if len(st.places) == 0 {
		return event.Key{}
	}
	last := st.places[len(st.places)-1]
	for _, l := range st.limits {
		if l.role == event.Nobody && l.counts(r, last) {
			if l.self {
				return event.Key{}
			}
			return r.acts[l.act].e.Key()
		}
	}
	return event.Key{}
}
