package share

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
)

// How peers are tried.
const (
	firstWait = time.Second // until a peer that could not be asked is asked again; then longer
	lastWait  = time.Minute
	otherWait = 20 * time.Second // until one is asked that should have asked us
	busyWait  = 15 * time.Second // until it is looked again whether one still takes part
	maxJoined = 64               // peers that are tried
	maxFrom   = 16               // of these, that one other has named, or that were found
	maxTries  = 5                // of a peer that others have named, or that was found
)

// A joining is who is tried in one call of Join.
type joining struct {
	share *Share
	net   Opener
	known map[peer.ID]origin // who is tried
	lost  chan peer.ID       // those who are not tried any more
	all   sync.WaitGroup
}

// An origin is how a peer has come to be known.
type origin struct {
	given bool    // to Join
	by    peer.ID // who has named it; nobody's: it was found
}

// Join takes part with peers, and with others of which these tell, until the context ends, or
// the share does: who cannot be reached is tried again, who was wrong is not. Of two who hear
// of each other the one with the lesser ID opens the stream, and the other if it has not.
func (s *Share) Join(ctx context.Context, net Opener, peers ...peer.ID) {
	j := &joining{share: s, net: net, known: map[peer.ID]origin{}, lost: make(chan peer.ID)}
	defer j.all.Wait()
	v := vigil{from: time.Now(), wait: firstStuck}
	watch := time.NewTicker(firstStuck / 2)
	defer watch.Stop()
	for _, id := range peers {
		j.start(ctx, id, origin{given: true})
	}
	for {
		select {
		case in := <-s.found:
			for _, id := range in.ids {
				if from := (origin{by: in.from}); len(j.known) < maxJoined && j.named(from) < maxFrom {
					j.start(ctx, id, from)
				}
			}
		case id := <-j.lost:
			delete(j.known, id)
		case now := <-watch.C:
			if e, ok := s.look(&v, now); ok {
				s.event(e)
			}
		case <-s.quit:
			return
		case <-ctx.Done():
			return
		}
	}
}

// named counts who is tried because of one origin.
func (j *joining) named(by origin) (n int) {
	for _, from := range j.known {
		if from == by {
			n++
		}
	}
	return n
}

func (j *joining) start(ctx context.Context, id peer.ID, from origin) {
	if _, ok := j.known[id]; ok || id == j.share.Self || id.IsZero() {
		return
	}
	j.known[id] = from
	j.all.Go(func() {
		j.share.stay(ctx, j.net, id, from)
		j.share.trouble(id, nil)
		select {
		case j.lost <- id:
		case <-j.share.quit:
		case <-ctx.Done():
		}
	})
}

// shutTimes is how often, one after the other, the sharer must not let us in at all until that
// is taken for an answer.
const shutTimes = 3

// stay takes part with one peer for as long as there is reason to.
func (s *Share) stay(ctx context.Context, net Opener, id peer.ID, from origin) {
	wait, pause, tries, refused := firstWait, time.Duration(0), 0, 0
	if !from.by.IsZero() && s.Self.String() > id.String() {
		pause = otherWait
	}
	for {
		select {
		case <-time.After(pause):
		case <-s.quit:
			return
		case <-ctx.Done():
			return
		}
		if over, busy := s.settled(id); over {
			return
		} else if busy {
			pause = busyWait
			continue
		}
		began := time.Now()
		err := s.Ask(ctx, net, id)
		if over, _ := s.settled(id); over || ctx.Err() != nil {
			return
		}
		refused++
		switch shut := errors.Is(err, peer.ErrNotAdmitted); {
		case id != s.Sharer, !shut && !errors.Is(err, ErrGone):
			refused = 0
		case shut && refused < shutTimes: // its process may have begun just now
		case s.refused(refused):
			return
		}
		if s.trouble(id, err); err != nil {
			s.event(Event{Kind: Unreachable, Peer: id, Text: "cannot be asked", Err: err})
		}
		if time.Since(began) > lastWait {
			wait, tries = firstWait, 0
		}
		if tries++; !from.given && (tries == maxTries || from.by.IsZero() && errors.Is(err, ErrGone)) {
			return
		}
		pause, wait = wait, min(2*wait, lastWait)
	}
}

// settled tells whether a peer is never to be asked again, or has a session.
func (s *Share) settled(id peer.ID) (over, busy bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, banned := s.banned[id]
	return s.closed || s.ended != nil || banned, s.sessions[id] != nil
}
