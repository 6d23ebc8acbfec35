package link

import (
	"slices"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
)

// A Session is what is known of a stream that survives.
type Session struct {
	Peer           peer.ID
	Proto          string
	Opened         bool // by this side
	Since          time.Time
	Sent, Received int64         // bytes; what was sent may not have arrived
	Path           peer.Path     // of the stream below; "" while there is none
	PausedSince    time.Time     // zero while the session is well
	Survive        time.Duration // how long a pause may last
	RoundTrip      time.Duration // as last measured; 0 if it was not
	Resumed        int           // how often it has got another stream below
}

// Sessions returns all sessions that are not over, oldest first.
func (n *Network) Sessions() []Session {
	var all []Session
	for _, s := range n.streams() {
		all = append(all, s.Status())
	}
	slices.SortFunc(all, func(a, b Session) int { return a.Since.Compare(b.Since) })
	return all
}

// Status returns what is known of the session.
func (s *Stream) Status() Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Session{Peer: s.id.peer, Proto: s.proto, Opened: s.opener, Since: s.began, Sent: s.acked + int64(s.out.length), Received: s.inEnd(),
		PausedSince: s.pausedSince, Survive: s.survive, RoundTrip: s.roundTrip, Resumed: s.resumed}
	if s.cur != nil {
		st.Path = s.cur.path
	}
	return st
}
