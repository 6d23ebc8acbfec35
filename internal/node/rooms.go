package node

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/node/rooms"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// roomsFile is the database of the rooms, in the state directory.
const roomsFile = "rooms.db"

// A roomHost is the Node as a [rooms.Host].
type roomHost struct{ n *Node }

var _ rooms.Host = roomHost{}

func (h roomHost) Access() *peer.Access    { return h.n.access.Load() }
func (h roomHost) Tell(e api.Event)        { h.n.tell(e) }
func (h roomHost) Expect()                 { h.n.recheck() }
func (h roomHost) Heir(id peer.ID) peer.ID { return h.n.heir(id) }

// Renew may be called while the rooms are about to end, which Rotate waits for.
func (h roomHost) Renew() {
	h.n.all.Go(func() {
		h.n.tell(api.Event{Type: "warning", Text: "an old copy of this node's state was put back, or it was copied: it has said different things in one place of a room. It gets a new key, so that nobody takes the one for the other; nothing that was said is lost"})
		if _, err := h.n.Rotate(h.n.life); err != nil && h.n.life.Err() == nil {
			h.n.tell(api.Event{Type: "warning", Text: "no new key: " + err.Error()})
		}
	})
}

func (h roomHost) Self() string {
	h.n.mu.Lock()
	defer h.n.mu.Unlock()
	return h.n.suggested()
}

func (h roomHost) Called(id peer.ID) (name, said string) {
	h.n.mu.Lock()
	defer h.n.mu.Unlock()
	if p := h.n.facts.people[h.n.facts.heir(id)]; p != nil {
		return string(p.name), p.said
	}
	return "", ""
}

func (h roomHost) Find(text string) (peer.ID, error) {
	h.n.mu.Lock()
	defer h.n.mu.Unlock()
	return h.n.facts.find(text)
}

// Resembles tells whether this user calls a peer like that.
func (h roomHost) Resembles(name string) bool {
	h.n.mu.Lock()
	defer h.n.mu.Unlock()
	return h.n.facts.rival(peer.ID{}, peer.Name(name)) != nil
}

func (h roomHost) Ticket() (addrs, via []string, err error) {
	addrs, via, _, err = host(h).Ticket()
	return addrs, via, err
}

func (h roomHost) Reach(id peer.ID, addrs, via []string) []string {
	all := reached(addrs, via)
	h.n.addAddrs(id, all)
	return all
}

func (h roomHost) Own() []string { return h.n.told() }

func (h roomHost) Places(id peer.ID) []string { return h.n.knownAddrs(id) }

// Learnt takes note of where somebody may be, by what from says.
func (h roomHost) Learnt(from, id peer.ID, addrs []string) []string {
	return h.n.learnt(from, id, addrs)
}

// Attach shares files with who is in a room.
func (h roomHost) Attach(ctx context.Context, room string, paths []string, expires time.Duration) (api.Share, error) {
	s, err := h.n.theShares()
	if err != nil {
		return api.Share{}, err
	}
	return s.Attach(ctx, api.ShareRequest{Paths: paths, Expires: api.Duration(expires)}, room)
}

// Said notes by which message that was said.
func (h roomHost) Said(ctx context.Context, ticket, message string) error {
	s, err := h.n.theShares()
	if err != nil {
		return err
	}
	return s.Said(ctx, ticket, message)
}

// Detach ends that.
func (h roomHost) Detach(ctx context.Context, room, ticket string) error {
	s, err := h.n.theShares()
	if err != nil {
		return err
	}
	return s.Detach(ctx, room, ticket)
}

// Attached tells what is known of it here.
func (h roomHost) Attached(ticket string) (paths []string, got []peer.ID) {
	s, err := h.n.theShares()
	if err != nil {
		return nil, nil
	}
	return s.Attached(ticket)
}

// openRooms opens the database of the rooms, and begins to meet in them. A node that is there for one program has
// none.
func (n *Node) openRooms(ctx context.Context) error {
	if n.config.Passing {
		return nil
	}
	person, err := n.identity.Person()
	if err != nil {
		return err
	}
	r, err := rooms.New(ctx, rooms.Config{Host: roomHost{n}, Path: filepath.Join(n.config.Dir, roomsFile), Identity: person})
	if err != nil {
		return err
	}
	n.rooms.Store(r)
	return n.beginRooms(ctx)
}

// beginRooms has the rooms met in by the presence and the key that there are now.
func (n *Node) beginRooms(ctx context.Context) error {
	r := n.rooms.Load()
	if r == nil {
		return nil
	}
	p, err := n.here()
	if err != nil {
		return err
	}
	n.mu.Lock()
	key, rotations := n.identity.Key(), n.identity.Rotations()
	n.mu.Unlock()
	var earlier []peer.ID
	for _, r := range rotations {
		earlier = append(earlier, r.Old)
	}
	if err := r.Begin(ctx, p, key, earlier); err != nil {
		return err
	}
	if s := n.shares.Load(); s != nil {
		return s.HandOn(ctx)
	}
	return nil
}

// endRooms ends the meeting, before the presence ends.
func (n *Node) endRooms() {
	if r := n.rooms.Load(); r != nil {
		r.End()
	}
}

func (n *Node) closeRooms() error {
	if r := n.rooms.Swap(nil); r != nil {
		return r.Close()
	}
	return nil
}

// theRooms returns the rooms.
func (n *Node) theRooms() (*rooms.Rooms, error) {
	if r := n.rooms.Load(); r != nil {
		return r, nil
	}
	if n.config.Passing {
		return nil, transport.WithHint(transport.Mark(errors.New("this node is there for one program, and has no rooms"), errors.ErrUnsupported), "tenon up starts one that stays")
	}
	return nil, fmt.Errorf("the node ends: %w", peer.ErrUnreachable)
}

// sought returns whom to look for on the local network.
func (n *Node) sought() []peer.ID {
	all := n.paired()
	if r := n.rooms.Load(); r != nil {
		all = append(all, r.Sought()...)
	}
	return all
}
