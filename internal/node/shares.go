package node

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/node/shares"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/share"
	"github.com/tenon-net/tenon/transport"
)

// host is the Node as a [shares.Host].
type host struct{ n *Node }

var _ shares.Host = host{}

func (h host) Key() *peer.Key           { return h.n.key() }
func (h host) Access() *peer.Access     { return h.n.access.Load() }
func (h host) Network() share.Opener    { return h }
func (h host) Called(id peer.ID) string { return h.n.called(id) }
func (h host) Tell(e api.Event)         { h.n.tell(e) }
func (h host) Expect()                  { h.n.recheck() }
func (h host) Places() []string         { return h.n.told() }
func (h host) CalledSubject(s peer.Subject) string {
	h.n.mu.Lock()
	defer h.n.mu.Unlock()
	return h.n.facts.callSubject(s)
}

// Near returns the paired peers that are connected.
func (h host) Near() (ids []peer.ID, changed <-chan struct{}) {
	p, err := h.n.here()
	if err != nil {
		return nil, nil // it is looked again after a while
	}
	changed = p.LinksChanged()
	a, seen := h.n.access.Load(), map[peer.ID]bool{}
	for l := range p.Links() {
		if a.Paired[l.Peer] && !a.Blocked[l.Peer] && !seen[l.Peer] {
			seen[l.Peer], ids = true, append(ids, l.Peer)
		}
	}
	return ids, changed
}

// Seek looks for others who have a share.
func (h host) Seek(key peer.FindKey, public bool, found func(id peer.ID)) (stop func()) {
	p, err := h.n.here()
	f, ok := p.(ShareFinder)
	if err != nil || !ok {
		return func() {}
	}
	return f.SeekShare(key, public, func(id peer.ID, addrs []string) {
		if a := h.n.access.Load(); !a.IsSelf(id) && !a.Blocked[id] {
			h.n.addAddrs(id, addrs)
			found(id)
		}
	})
}

// Open opens a stream by the presence that there is now.
func (h host) Open(ctx context.Context, to peer.ID, proto string) (transport.Stream, error) {
	p, err := h.n.here()
	if err != nil {
		return nil, err
	}
	return p.Open(ctx, to, proto)
}

// MayHave tells whether a peer may have what was said in a room. Of no room that is not met in now may anybody.
func (h host) MayHave(ctx context.Context, room, message string, id peer.ID) bool {
	r := h.n.rooms.Load()
	return r != nil && r.MayHave(ctx, room, message, id)
}

// Stands tells whether the user is in a room, and a message there.
func (h host) Stands(ctx context.Context, room, message string) bool {
	r := h.n.rooms.Load()
	return r != nil && r.Stands(ctx, room, message)
}

// CalledRoom returns what a room is called.
func (h host) CalledRoom(room string) string {
	if r := h.n.rooms.Load(); r != nil {
		return r.RoomName(room)
	}
	return "a room"
}

// Subject finds those whom a user means.
func (h host) Subject(text string) (peer.Subject, error) {
	h.n.mu.Lock()
	defer h.n.mu.Unlock()
	return h.n.facts.subject(text)
}

// Ticket returns what of the node's places a ticket has room for.
func (h host) Ticket() (addrs, via []string, called string, err error) {
	all := h.n.addrs()
	h.n.mu.Lock()
	relays, called := h.n.settings.Network.Relays, h.n.suggested()
	h.n.mu.Unlock()
	if relays, err = relayAddrs(relays); err != nil {
		return nil, nil, "", err
	}
	addrs, via = places(all, relays)
	return addrs, via, called, nil
}

// Reach takes note of where a ticket says that its sharer and its holders are.
func (h host) Reach(t share.Ticket) {
	h.n.addAddrs(t.Sharer, reached(t.Addresses, t.Via))
	for _, c := range t.Holders {
		h.n.addAddrs(c.ID, c.Addrs)
	}
}

// Learnt takes note of where somebody may be, by what from says.
func (h host) Learnt(from, id peer.ID, addrs []string) []string { return h.n.learnt(from, id, addrs) }

// openShares takes up what is on record, for the key that the node has now.
func (n *Node) openShares(ctx context.Context) error {
	s, err := shares.New(ctx, shares.Config{Host: host{n}, DB: n.db, Dir: filepath.Join(n.config.Dir, "shares"), Passing: n.config.Passing})
	if err == nil {
		n.shares.Store(s)
		n.recheck() // what was taken up is published from now on
	}
	return err
}

// closeShares ends all of them, for good or until the node has another key.
func (n *Node) closeShares() {
	if s := n.shares.Swap(nil); s != nil {
		s.Close() //nolint:errcheck // it returns nil
	}
}

// takePart lets a peer take part in a share.
func (n *Node) takePart(s transport.Stream) {
	all, err := n.theShares()
	if err != nil {
		transport.Abort(s, err) //nolint:errcheck // that is said
		return
	}
	all.Handle(s)
}

// given returns by what others find the shares that are here.
func (n *Node) given() []peer.FindKey {
	if s := n.shares.Load(); s != nil {
		return s.Given()
	}
	return nil
}

// published returns by what those find the public shares that are here who look for them in a table.
func (n *Node) published() []peer.FindKey {
	if s := n.shares.Load(); s != nil {
		return s.Published()
	}
	return nil
}

// answerFind tells a peer which of some shares are here.
func (n *Node) answerFind(s transport.Stream) {
	all, err := n.theShares()
	if err != nil {
		transport.Abort(s, err) //nolint:errcheck // that is said
		return
	}
	all.HandleFind(s)
}

// getShare fetches a share, by a ticket or by what was said in a room.
func (n *Node) getShare(ctx context.Context, in api.FetchRequest, say func(api.FetchEvent)) error {
	all, err := n.theShares()
	if err != nil {
		return err
	}
	if in.Room == "" {
		return all.Fetch(ctx, in, say)
	}
	talk, err := n.theRooms()
	if err != nil {
		return err
	}
	if in.Ticket != "" {
		return transport.Usage(errors.New("a ticket is of no room"))
	}
	f, err := talk.File(ctx, in.Room, in.Message)
	if err != nil {
		return err
	}
	return all.FetchAttached(ctx, in, shares.Attached{Room: f.Room, Message: f.ID, Ticket: f.Ticket, Size: f.Size, Peers: f.Peers}, say)
}

// theShares returns all that is shared and fetched.
func (n *Node) theShares() (*shares.Shares, error) {
	if s := n.shares.Load(); s != nil {
		return s, nil
	}
	return nil, errAway
}
