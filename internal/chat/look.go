package chat

import (
	"context"
	"slices"
	"time"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/chat/log"
	"github.com/tenon-net/tenon/internal/peer"
)

// Arrived returns what has come into the room above a number, in the order in which it came, and the number from
// which the next call goes on: who follows it misses nothing, and is told nothing twice. What was done to a message
// stands for the message, as it is now.
func (r *Room) Arrived(ctx context.Context, after int64, limit int) (entries []Entry, last int64, err error) {
	rows, last, err := r.log.Arrived(ctx, after, limit)
	if err != nil {
		return nil, 0, err
	}
	var ids []log.ID
	seen := map[log.ID]bool{}
	for i := range rows {
		id := rows[i].ID
		if rows[i].Target != (log.ID{}) {
			id = rows[i].Target
		}
		if rows[i].Status != log.Void && !seen[id] {
			ids = append(ids, id)
			seen[id] = true
		}
	}
	entries, err = r.shown(ctx, ids)
	return entries, last, err
}

// Latest returns the number of what has come last: see Arrived.
func (r *Room) Latest(ctx context.Context) (int64, error) { return r.log.Latest(ctx) }

// shown returns those of the entries that are shown, in this order.
func (r *Room) shown(ctx context.Context, ids []log.ID) ([]Entry, error) {
	rows, err := r.log.Get(ctx, ids...)
	if err != nil {
		return nil, err
	}
	shown := rows[:0]
	for i := range rows {
		if rows[i].Status == log.Valid || rows[i].Status == log.Late {
			shown = append(shown, rows[i])
		}
	}
	return r.show(ctx, shown)
}

// Find returns entries whose IDs begin with these hexadecimal digits, at most limit.
func (r *Room) Find(ctx context.Context, digits string, limit int) ([]Entry, error) {
	ids, err := r.log.Find(ctx, digits, limit)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	return r.shown(ctx, ids)
}

// maxPins is how many of the last pins are looked at.
const maxPins = 200

// Pinned returns the messages that are pinned, those that were pinned last first.
func (r *Room) Pinned(ctx context.Context) (pinned []Entry, err error) {
	rows, err := r.log.Pins(ctx, maxPins)
	if err != nil {
		return nil, err
	}
	var ids []log.ID
	seen := map[log.ID]bool{{}: true}
	for i := range rows {
		if id := rows[i].Target; !seen[id] {
			ids = append(ids, id)
			seen[id] = true
		}
	}
	all, err := r.shown(ctx, ids)
	for _, x := range all {
		if x.Message.Pinned {
			pinned = append(pinned, x)
		}
	}
	return pinned, err
}

// Files returns the last messages that are files, in order, at most limit, without those of which nothing is left.
func (r *Room) Files(ctx context.Context, limit int) ([]Entry, error) {
	rows, err := r.log.Files(ctx, limit)
	if err != nil {
		return nil, err
	}
	all, err := r.show(ctx, rows)
	return slices.DeleteFunc(all, func(x Entry) bool {
		_, ok := x.Message.Body.(*event.File)
		return !ok || x.Message.Deleted || x.Erased || x.Waiting
	}), err
}

// Meets tells whether a device takes part in a room, or did and is to be told that it was removed, offers one, may let this one into one, is a mailbox of one, or
// another one of the user's.
func (c *Chat) Meets(id peer.ID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if gone, linked := c.own[event.Device(id.Bytes())]; linked && !gone {
		return true
	}
	now := time.Now()
	for _, r := range c.rooms {
		s := r.now.Load()
		if s.State == Left {
			continue
		}
		if _, in := s.devices[event.Device(id.Bytes())]; in || s.hosts[id] || s.postsTo(id) || r.isGuest(id, now) {
			return true
		}
		if _, parted := r.partedBy(id); parted {
			return true
		}
	}
	for _, o := range c.offers {
		if slices.Contains(o.At, id) {
			return true
		}
	}
	return false
}

// Invites tells whether somebody has an invite, who may be anybody.
func (c *Chat) Invites() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	for _, r := range c.rooms {
		if now.Before(r.now.Load().opens) {
			return true
		}
	}
	return false
}

// Members returns the devices with which there are rooms, and those of the user's.
func (c *Chat) Members() (all []peer.ID) {
	seen := map[peer.ID]bool{c.Network.Self(): true}
	for d, gone := range c.others() {
		if id, err := peer.NewID(d[:]); err == nil && !gone {
			all, seen[id] = append(all, id), true
		}
	}
	for _, r := range c.Rooms() {
		for _, id := range r.now.Load().meet {
			if !seen[id] {
				all, seen[id] = append(all, id), true
			}
		}
	}
	return all
}

func (r *Room) isGuest(id peer.ID, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return now.Before(r.guest[id])
}
