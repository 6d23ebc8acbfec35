package link

import (
	"maps"
	"slices"
	"time"

	"github.com/tenon-net/tenon/internal/account"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// maxFinished is how many sessions with a peer are remembered that have ended as they
// should.
const maxFinished = 256

// A peerState is what there is with one peer. The mutex of the Network guards it, but
// for the account.
type peerState struct {
	memory     account.Account
	sessions   int
	handshakes int
	finished   []finished // oldest first
}

// A finished session is one that both sides had ended, of which the other may not have
// heard the last word.
type finished struct {
	random [idSize]byte
	until  time.Time
}

// with returns the state of a peer. The mutex is held.
func (n *Network) with(id peer.ID) *peerState {
	p := n.peers[id]
	if p == nil {
		p = &peerState{memory: account.Account{Limit: n.options.Memory, Parent: &n.memory}}
		n.peers[id] = p
	}
	return p
}

// tidy forgets a peer with whom there is nothing. The mutex is held.
func (n *Network) tidy(id peer.ID, p *peerState) {
	now := time.Now()
	for len(p.finished) > 0 && now.After(p.finished[0].until) {
		p.finished = p.finished[1:]
	}
	if p.sessions == 0 && p.handshakes == 0 && len(p.finished) == 0 {
		delete(n.peers, id)
	}
}

// An accepted stream belongs to no session yet, or to none at all. Close aborts it.
type accepted struct {
	below transport.Stream
	from  peer.ID
	plain bool // its handshake is over
}

// beginHandshake tells whether the peer may have one more that is not over.
func (n *Network) beginHandshake(a *accepted) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.with(a.from)
	if n.life.Err() != nil || p.handshakes >= n.options.Handshakes {
		n.tidy(a.from, p)
		return false
	}
	p.handshakes++
	n.accepted[a] = true
	return true
}

// plain notes that a handshake is over, and the stream goes on without a session.
func (n *Network) plain(a *accepted) {
	n.mu.Lock()
	defer n.mu.Unlock()
	a.plain = true
	p := n.with(a.from)
	p.handshakes--
	n.tidy(a.from, p)
}

// endHandshake is called when a session has taken the stream, or it has ended.
func (n *Network) endHandshake(a *accepted) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.accepted, a)
	if !a.plain {
		p := n.with(a.from)
		p.handshakes--
		n.tidy(a.from, p)
	}
}

// abortAccepted ends the streams that belong to no session.
func (n *Network) abortAccepted() {
	n.mu.Lock()
	all := slices.Collect(maps.Keys(n.accepted))
	n.mu.Unlock()
	for _, a := range all {
		abort(a.below, errClosing)
	}
}

// register makes a session known, if the limits allow one more.
func (n *Network) register(s *Stream) reason {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.with(s.id.peer)
	switch {
	case n.closed, len(n.sessions) >= n.options.AllSessions, p.sessions >= n.options.Sessions:
		n.tidy(s.id.peer, p)
		return refusedBusy
	case n.sessions[s.id] != nil:
		return refusedProtocol
	}
	// While there is little memory left, new sessions begin slowly.
	s.window = firstWindow
	if !p.memory.Take(s.window, false) {
		s.window = slowWindow
		if !p.memory.Take(s.window, p.sessions == 0) {
			return refusedBusy
		}
	}
	s.memory, s.out.memory = &p.memory, &p.memory
	p.sessions++
	n.sessions[s.id] = s
	return 0
}

// forget removes a session. One that has ended as it should is remembered for a while.
func (n *Network) forget(s *Stream, clean bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.sessions[s.id] != s {
		return
	}
	delete(n.sessions, s.id)
	p := n.with(s.id.peer)
	p.sessions--
	if clean {
		if len(p.finished) == maxFinished {
			p.finished = p.finished[:copy(p.finished, p.finished[1:])]
		}
		p.finished = append(p.finished, finished{s.id.random, time.Now().Add(2 * s.survive)})
	}
	n.tidy(s.id.peer, p)
}

// find returns a session, or why there is none.
func (n *Network) find(id sessionID) (*Stream, reason) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s := n.sessions[id]; s != nil {
		return s, 0
	}
	if p := n.peers[id.peer]; p != nil {
		for _, f := range p.finished {
			if f.random == id.random {
				return nil, refusedFinished
			}
		}
	}
	return nil, refusedUnknown
}
