package node

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// lookAround is how long after its start a node waits for what the local network says
// about a peer that it does not reach otherwise.
const lookAround = 3 * time.Second

// sightings tells who waits for a peer that it was found on the local network.
type sightings struct {
	until time.Time // nobody waits longer than that

	mu   sync.Mutex // guards what follows
	next map[peer.ID]chan struct{}
}

// seen wakes who waits for the peer.
func (s *sightings) seen(id peer.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.next[id]; c != nil {
		close(c)
		delete(s.next, id)
	}
}

// all wakes all who wait: other peers may be turned to now.
func (s *sightings) all() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.next {
		close(c)
	}
	clear(s.next)
}

// of returns a channel that is closed when the peer is found, or found elsewhere.
func (s *sightings) of(id peer.ID) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.next[id]
	if c == nil {
		if s.next == nil {
			s.next = make(map[peer.ID]chan struct{})
		}
		c = make(chan struct{})
		s.next[id] = c
	}
	return c
}

// try calls open, and as long as the peer cannot be reached and the node has just
// begun, again each time that the peer is found. A program that starts, calls a peer
// and ends has no other chance to hear where it is.
func (s *sightings) try(ctx context.Context, id peer.ID, open func() (transport.Stream, error)) (transport.Stream, error) {
	if s == nil || !time.Now().Before(s.until) {
		return open()
	}
	late := time.NewTimer(time.Until(s.until))
	defer late.Stop()
	for {
		found := s.of(id)
		c, err := open()
		if !errors.Is(err, peer.ErrUnreachable) {
			return c, err
		}
		select {
		case <-found:
		case <-late.C:
			return c, err
		case <-ctx.Done():
			return c, err
		}
	}
}
