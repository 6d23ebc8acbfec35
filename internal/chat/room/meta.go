package room

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/tenon-net/tenon/internal/chat/event"
)

// Property returns the value of a property now, or nil.
func (r *Room) Property(p event.Property) []byte {
	_, v := r.property(p, event.Key{Time: ^uint64(0)})
	return v
}

// property returns the latest value before a place in the order.
func (r *Room) property(p event.Property, at event.Key) (key event.Key, value []byte) {
	for _, l := range r.metas[p] {
		m, ok := l.e.Body.(*event.Meta)
		if k := l.e.Key(); ok && key.Less(k) && k.Less(at) && r.Counts(l.e.ID, l.node) {
			key, value = k, m.Value
		}
	}
	return key, value
}

// Expires returns when a message disappears: as long after it was written as the room said
// at its place in the order. ok is false if it does not.
func (r *Room) Expires(k event.Key) (at time.Time, ok bool) {
	_, v := r.property(event.PropertyTTL, k)
	if len(v) != 8 {
		return time.Time{}, false
	}
	seconds := binary.BigEndian.Uint64(v)
	if seconds == 0 || seconds > uint64(100*365*24*time.Hour/time.Second) {
		return time.Time{}, false
	}
	return event.Time(k.Time).Add(time.Duration(seconds) * time.Second), true
}

// InvitesFor returns those of the invites by which the user of a device could enter with it at a time: not those that are older than
// his removal, and none if the device was removed. Who has left by himself comes back by any.
func (r *Room) InvitesFor(who event.Identity, d event.Device, at time.Time) []event.ID {
	s := r.now()
	if len(s.devices[d]) > 0 {
		return nil
	}
	all := r.Invites(at)
	if st := s.members[who]; st != nil {
		all = slices.DeleteFunc(all, func(id event.ID) bool {
			return slices.ContainsFunc(st.limits, func(l *limit) bool { return l.excludes(r.acts[r.numbers[id]]) })
		})
	}
	return all
}

// An Invitation is what is known of an invite.
type Invitation struct {
	ID   event.ID
	By   event.Identity
	At   uint64 // when it was made, as [event.Time] has it
	Used uint64 // how many have entered by it
	event.Invite
}

// Invitation returns what is known of an invite that is one of [Room.Invites].
func (r *Room) Invitation(id event.ID) Invitation {
	n := r.numbers[id]
	a := r.acts[n]
	return Invitation{id, a.author, a.e.Time, r.now().invites[n].uses, *a.e.Body.(*event.Invite)} //nolint:forcetypeassert // Invites has looked
}

// Invites returns the invites that somebody could enter by at a time: no owner has
// revoked them, their author is one still, and they are neither used up nor over.
func (r *Room) Invites(at time.Time) []event.ID {
	var all []event.ID
	s := r.now()
	for n, i := range s.invites {
		a := r.acts[n]
		b, ok := a.e.Body.(*event.Invite)
		if !ok || i.place == nil || b.Uses > 0 && i.uses >= b.Uses || b.Expiry > 0 && uint64(max(at.UnixMilli(), 0)) > b.Expiry {
			continue
		}
		revoked := slices.ContainsFunc(i.ends, func(l *limit) bool { return l.revokes(i) })
		if p, role := s.latest(r, a.author); !revoked && p != nil && role == event.Owner {
			all = append(all, a.e.ID)
		}
	}
	sortIDs(all)
	return all
}
