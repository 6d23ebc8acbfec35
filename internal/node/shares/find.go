package shares

import (
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/share"
	"github.com/tenon-net/tenon/transport"
)

// Others who have what is fetched are looked for among the paired peers that are connected: each is asked once for all that
// is fetched, when it has come and when something else is fetched, and then now and then.
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
	for {
		near, changed := s.Host.Near()
		wanted := s.wanted()
		was := asked
		asked = make(map[peer.ID]map[*share.Share]time.Time, len(near))
		for _, id := range near {
			asked[id] = map[*share.Share]time.Time{}
			var some []*share.Share
			for _, x := range wanted {
				at, ok := was[id][x]
				if !ok || time.Since(at) >= askAgain {
					at, some = time.Now(), append(some, x)
				}
				asked[id][x] = at
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

// wanted returns what is fetched and not there yet. In a room it is known who may have it.
func (s *Shares) wanted() (all []*share.Share) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.fetching {
		if x := f.now(); x != nil && f.attached == nil {
			all = append(all, x)
		}
	}
	return all
}

// now returns the Share that is fetched, unless it has not begun, or is over.
func (f *fetching) now() *share.Share {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.share == nil {
		return nil
	}
	select {
	case <-f.share.Over():
		return nil
	default:
		return f.share
	}
}
