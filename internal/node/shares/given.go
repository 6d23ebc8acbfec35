package shares

import (
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/share"
)

// Given returns by what others who have the ticket find the shares that are here: those that are for whoever has that, and not for
// named peers, a room, or who it is sent to.
func (s *Shares) Given() (all []peer.FindKey) {
	sharing, fetching := s.both()
	for _, x := range sharing {
		if x.open() && x.share.Gives() {
			all = append(all, x.share.FindKey())
		}
	}
	for _, f := range fetching {
		if x := f.its(); f.open() && x != nil && x.Gives() {
			all = append(all, x.FindKey())
		}
	}
	return all
}

// Published returns by what everybody may find the public shares that are here for longer: those that are shared, and those that were
// fetched and are handed on.
func (s *Shares) Published() (all []peer.FindKey) {
	sharing, fetching := s.both()
	for _, x := range sharing {
		if x.record.Request.Public && x.open() && x.share.Gives() {
			all = append(all, x.share.FindKey())
		}
	}
	for _, f := range fetching {
		if x := f.its(); f.public() && f.stays.Load() && x.Gives() {
			all = append(all, x.FindKey())
		}
	}
	return all
}

// both returns all that is shared and fetched now.
func (s *Shares) both() (sharing []*sharing, fetching []*fetching) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.sharing {
		sharing = append(sharing, x)
	}
	for _, f := range s.fetching {
		fetching = append(fetching, f)
	}
	return sharing, fetching
}

// open tells whether a share is for whoever has the ticket, and somebody may still fetch it.
func (x *sharing) open() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	r := x.record
	used := r.Request.Uses > 0 && len(r.Fetched) >= r.Request.Uses
	return len(x.subjects) == 0 && r.Room == "" && !r.Lent && !used && !r.over(time.Now())
}

// open tells whether what is fetched is for whoever has the ticket.
func (f *fetching) open() bool { return f.attached == nil && !f.ticket.Listed }

// public tells whether what is fetched is for everybody.
func (f *fetching) public() bool { return f.open() && len(f.ticket.Secret) == 0 }

// its returns the Share of what is fetched; nil if it has not begun.
func (f *fetching) its() *share.Share {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.share
}
