package shares

import (
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/share"
	"github.com/tenon-net/tenon/transport"
)

// Others who have what is fetched are looked for by the Host, and among the paired peers that are connected: each is asked once
// for all that is fetched, when it has come and when something else is fetched, and then now and then.
const (
	askAgain  = 2 * time.Minute // whether somebody has it now
	askAtOnce = 8               // peers
)

// How often a peer may ask what is here: each question costs a hash for each share.
const (
	askedEvery = time.Second
	askedBurst = 64
)

// HandleFind answers a paired peer that asks which of some shares are here.
func (s *Shares) HandleFind(stream transport.Stream) {
	id, ok := peer.Of(stream)
	if a := s.Host.Access(); !ok || !a.Paired[id] || a.Blocked[id] || !s.askers.Allow(id) {
		transport.Abort(stream, peer.ErrNotAdmitted)
		return
	}
	s.hub.HandleFind(stream)
}

// Moved has it begun anew to look for others: the Host is present in the network in another way than before.
func (s *Shares) Moved() {
	s.moved.Store(true)
	s.look()
}

// look has it looked again soon for who has what is fetched.
func (s *Shares) look() {
	select {
	case s.hint <- struct{}{}:
	default: // it is looked already
	}
}

// seek looks for others who have what is fetched, until the node ends.
func (s *Shares) seek() {
	asked := map[peer.ID]map[*share.Share]time.Time{}
	slots := make(chan struct{}, askAtOnce)
	timer := time.NewTimer(askAgain)
	defer timer.Stop()
	sought := map[*share.Share]func(){}
	defer func() { s.seekAround(nil, sought) }()
	for {
		near, changed := s.Host.Near()
		if s.moved.Swap(false) {
			s.seekAround(nil, sought)
		}
		lacks := s.lacks()
		s.seekAround(lacks, sought)
		was := asked
		asked = make(map[peer.ID]map[*share.Share]time.Time, len(near))
		for _, id := range near {
			asked[id] = map[*share.Share]time.Time{}
			var some []*share.Share
			for _, w := range lacks {
				at, ok := was[id][w.Share]
				if !ok || time.Since(at) >= askAgain {
					at, some = time.Now(), append(some, w.Share)
				}
				asked[id][w.Share] = at
			}
			if !s.askEach(id, some, slots) {
				return
			}
		}
		timer.Reset(askAgain)
		select {
		case <-changed:
		case <-s.hint:
		case <-timer.C:
		case <-s.life.Done():
			return
		}
	}
}

// askEach asks a peer for some shares, and tells whether the node goes on.
func (s *Shares) askEach(id peer.ID, all []*share.Share, slots chan struct{}) bool {
	for len(all) > 0 {
		some := all[:min(len(all), share.MaxAsked)]
		all = all[len(some):]
		select {
		case slots <- struct{}{}:
		case <-s.life.Done():
			return false
		}
		if !s.task(func() {
			defer func() { <-slots }()
			s.ask(id, some)
		}) {
			return false
		}
	}
	return true
}

// ask asks a peer for shares.
func (s *Shares) ask(id peer.ID, some []*share.Share) {
	var keys []peer.FindKey
	for _, x := range some {
		keys = append(keys, x.FindKey())
	}
	has, err := share.AskFor(s.life, s.Host.Network(), s.Host.Key().ID(), id, keys)
	if err != nil {
		return // it has gone, or is of an earlier version; it is asked again
	}
	for i, x := range some {
		if has[i] {
			x.Found(id)
		}
	}
}

// A lacking share is fetched, and not all there yet.
type lacking struct {
	*share.Share
	open, public bool // it is for whoever has the ticket; for everybody
}

// lacks returns all of them. In a room it is known who may have what is fetched.
func (s *Shares) lacks() (all []lacking) {
	_, fetching := s.both()
	for _, f := range fetching {
		x := f.its()
		if x == nil || f.attached != nil {
			continue
		}
		select {
		case <-x.Over():
		default:
			all = append(all, lacking{x, f.open(), f.public()})
		}
	}
	return all
}

// seekAround has others looked for who are not paired and have what is lacking, and no more for what is not.
func (s *Shares) seekAround(lacks []lacking, sought map[*share.Share]func()) {
	still := map[*share.Share]bool{}
	for _, w := range lacks {
		if still[w.Share] = true; w.open && sought[w.Share] == nil {
			sought[w.Share] = s.Host.Seek(w.FindKey(), w.public, func(id peer.ID) { w.Found(id) })
		}
	}
	for x, stop := range sought {
		if !still[x] {
			delete(sought, x)
			stop()
		}
	}
}
