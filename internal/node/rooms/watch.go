package rooms

import (
	"context"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/chat"
	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
)

// watch does what goes on by itself: it notes whose devices are in the rooms, asks peers that are paired and have
// come who they are, so that they can be written to when they are away, and forgets rooms that were left.
func (r *Rooms) watch(ctx context.Context, c *chat.Chat, network peer.Network, all *sync.WaitGroup) {
	for _, room := range c.Rooms() {
		r.look(ctx, room)
	}
	asked := map[peer.ID]time.Time{}
	renewed := false
	for seq := c.LastNotice(); ; {
		changed, linked := c.NoticesChanged(), network.LinksChanged()
		for l := range network.Links() {
			if r.Host.Access().Paired[l.Peer] && !asked[l.Peer].Equal(l.Since) && len(r.whose(l.Peer)) == 0 {
				asked[l.Peer] = l.Since
				all.Go(func() { r.ask(ctx, c, l.Peer) })
			}
		}
		news, last, _ := c.Notices(seq, eventsPart) //nolint:errcheck // of what was lost a later one tells
		rooms := map[event.ID]bool{}
		for _, n := range news {
			if n.Kind == chat.RoomChanged || n.Kind == chat.Offered {
				rooms[n.Room] = true
			}
		}
		for id := range rooms {
			if room, err := c.Room(id); err == nil {
				r.look(ctx, room)
			}
		}
		if len(rooms) > 0 {
			r.Host.Expect()
		}
		if !renewed && c.Outdated() {
			renewed = true
			r.renew(c)
		}
		if seq = last; len(news) > 0 {
			continue
		}
		select {
		case <-changed:
		case <-linked:
		case <-ctx.Done():
			return
		}
	}
}

// renew has a device have a new key that has signed different things in one place. One that was linked cannot go on with another key
// by itself.
func (r *Rooms) renew(c *chat.Chat) {
	if c.MayLink() == nil {
		r.Host.Renew()
		return
	}
	r.Host.Tell(api.Event{Type: "warning", Text: "an old copy of this device's rooms was put back, or it was copied: others see that it has said different things in one place. " +
		"tenon id --rotate, and tenon device join, make it a new device"})
}

// look notes what a room says of people, and forgets it if that is to be.
func (r *Rooms) look(ctx context.Context, room *chat.Room) {
	i := room.Info()
	for _, m := range i.Members {
		if m.Identity == r.me() {
			continue
		}
		var devices []peer.ID
		for _, d := range m.Devices {
			if id, err := peer.NewID(d[:]); err == nil {
				devices = append(devices, id)
			}
		}
		r.learn(m.Identity, devices...)
	}
	switch s := r.setting(i.ID); {
	case s.forget && i.State == chat.Left:
		r.warn(r.forget(ctx, room))
	case i.Direct && s.other == (event.Identity{}):
		if who := r.other(&i); who != (event.Identity{}) {
			r.warn(r.change(ctx, i.ID, func(s *setting) { s.other = who }))
		}
	}
}

// ask asks a peer who its user is.
func (r *Rooms) ask(ctx context.Context, c *chat.Chat, id peer.ID) {
	ctx, cancel := context.WithTimeout(ctx, whoTime)
	defer cancel()
	if who, err := c.Who(ctx, id); err == nil && who != r.me() {
		r.learn(who, id)
	}
}
