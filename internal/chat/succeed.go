package chat

import (
	"context"
	"slices"
	"time"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/peer"
)

// succeed has the device enter a room that the user is in, and it is not: its key is a new one, or the database
// that of another device. What it was before is removed, so that who has an old key can do nothing with it.
// Nobody knows the new one yet: see acquaint.
func (r *Room) succeed(ctx context.Context) error {
	give, err := r.take(ctx)
	if err != nil {
		return err
	}
	defer give()
	c := r.chat
	if r.may(event.Reader) != nil {
		return nil
	}
	if _, in := r.state.Device(c.self); in {
		return nil
	}
	via, ok := r.way(c.me)
	if !ok {
		return r.past.err
	}
	if _, err := r.control(ctx, &event.Enter{Cert: c.cert, Prekey: c.prekey(), Via: via, Called: c.suggests()}); err != nil {
		return err
	}
	for _, d := range c.selves[1:] {
		if _, in := r.state.Device(d); !in || c.key == nil { // who has the key removes it, when it links the new one
			continue
		}
		if err := r.removeDevice(ctx, d); err != nil {
			return err
		}
	}
	p := r.place
	p.hosts = nil
	for _, id := range r.now.Load().meet {
		if id != c.Network.Self() && len(p.hosts) < maxAcquainted {
			p.hosts = append(p.hosts, id)
		}
	}
	return r.keep(ctx, p)
}

// maxAcquainted is how many members are asked to let in a device that nobody knows yet.
const maxAcquainted = 32

// way returns an event by which another device of somebody may enter. It is called with the turn.
func (r *Room) way(who event.Identity) (via event.ID, ok bool) {
	for _, id := range slices.Backward(r.acts.ways[who]) {
		if n, there := r.past.Node(id); there && r.state.Counts(id, n) {
			return id, true
		}
	}
	return event.ID{}, false
}

// acquaint asks members to let this device in that they do not know yet, until one has the same events as we. It
// returns when the next try is due.
func (r *Room) acquaint(ctx context.Context, knocked *time.Time) time.Time {
	give, err := r.take(ctx)
	if err != nil {
		return time.Time{}
	}
	p := r.place
	if p.state == Inside && len(p.hosts) > 0 && r.known() {
		p.hosts = nil
		r.keep(ctx, p) //nolint:errcheck // another try follows
	}
	give()
	if p.state != Inside || len(p.hosts) == 0 {
		return time.Time{}
	}
	if now := time.Now(); !now.Before(knocked.Add(knockEvery)) {
		*knocked = now
		r.knockAll(ctx)
	}
	return knocked.Add(knockEvery)
}

// known tells whether a member knows this device: both have had the same since it has entered.
func (r *Room) known() bool {
	for _, p := range r.Connected() {
		if !p.Equal.IsZero() {
			return true
		}
	}
	return false
}

// heir returns the key that a device has now that has, or had, this one.
func (c *Chat) heir(id peer.ID) peer.ID {
	if c.Heir == nil {
		return id
	}
	return c.Heir(id)
}
