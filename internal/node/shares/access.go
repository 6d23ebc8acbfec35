package shares

import (
	"slices"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
)

// Expects tells whether a peer that nobody knows may come, for a share. It is asked often,
// before anything of the peer was read. Members of rooms are let in because they are.
func (s *Shares) Expects(id peer.ID) bool {
	if s.holds.some() {
		return true // whoever has the ticket
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.fetching {
		if f.attached == nil {
			return true // who fetches the same is found by others
		}
	}
	a, now := s.Host.Access(), time.Now()
	for _, x := range s.sharing {
		if x.record.Room == "" && !x.record.over(now) && (len(x.subjects) == 0 || covers(x.subjects, a, id)) {
			return true
		}
	}
	return false
}

// covers tells whether a peer is one of those.
func covers(all []peer.Subject, a *peer.Access, id peer.ID) bool {
	return slices.Contains(all, peer.Only(id)) || slices.Contains(all, peer.Paired) && a.Paired[id]
}

// admits decides who may take part in a share of this node. Proved tells whether a peer has shown that it has
// the ticket.
func (x *sharing) admits(id peer.ID, proved bool) bool {
	a := x.of.Host.Access()
	if a.IsSelf(id) || a.Blocked[id] {
		return false
	}
	x.mu.Lock()
	r := *x.record
	x.mu.Unlock()
	if r.Room != "" && !x.of.Host.MayHave(x.ctx, r.Room, r.Message, id) {
		return false
	}
	switch {
	case r.over(time.Now()):
		return false
	case len(x.subjects) > 0 && !covers(x.subjects, a, id):
		return false
	case !r.lets(id):
		return false
	}
	return proved
}

// use decides whether a peer may be sent what is in the files, and notes that it was.
func (x *sharing) use(id peer.ID) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.record.lets(id) {
		return false
	}
	if x.record.use(id) {
		x.saveSoon()
	}
	return true
}

// admits decides who may have what was fetched of a share: of a restricted one, those whom
// its sharer has named alone; of what was said in a room, those who are in it now.
func (f *fetching) admits(id peer.ID, proved bool) bool {
	a := f.of.Host.Access()
	if a.IsSelf(id) || a.Blocked[id] || !proved {
		return false
	}
	if f.attached != nil {
		return f.of.Host.MayHave(f.of.life, f.attached.Room, f.attached.Message, id)
	}
	if !f.ticket.Listed || id == f.ticket.Sharer {
		return true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.named[id]
}
