package rooms

import (
	"context"
	"errors"

	"github.com/tenon-net/tenon/internal/chat"
	"github.com/tenon-net/tenon/internal/chat/event"
	notices "github.com/tenon-net/tenon/internal/event"
	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
)

// eventsPart is how many events are told of at a time.
const eventsPart = 256

// Events tells what happens in all rooms, until the context ends: after the event with that number, or with 0
// from now on. Idle is called when there is nothing new, and waits for the end of one of two channels, of which one may
// be nil; it returns whether to go on.
func (r *Rooms) Events(ctx context.Context, after uint64, say func(api.RoomEvent), idle func(news, swapped <-chan struct{}) bool) {
	begun := false
	for {
		c, swapped := r.current()
		if c == nil {
			if !idle(nil, swapped) {
				return
			}
			continue
		}
		changed := c.NoticesChanged()
		if after == 0 {
			after = c.LastNotice()
		}
		all, last, err := c.Notices(after, eventsPart)
		if !begun {
			say(api.RoomEvent{Type: api.RoomsReady, Seq: after})
			begun = true
		}
		if errors.Is(err, notices.ErrGap) {
			say(api.RoomEvent{Type: api.RoomsLost, Seq: last - uint64(len(all))})
		}
		for _, n := range all {
			if ctx.Err() != nil {
				return
			}
			if e, ok := r.event(ctx, c, n); ok {
				say(e)
			}
		}
		if after = last; len(all) == 0 && !idle(changed, swapped) {
			return
		}
	}
}

// current returns what is met in, and a channel that is closed when that changes.
func (r *Rooms) current() (*chat.Chat, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.chat, r.changed
}

// event tells of a notice, unless what it is about is not shown.
func (r *Rooms) event(ctx context.Context, c *chat.Chat, n chat.Notice) (api.RoomEvent, bool) {
	e := api.RoomEvent{Seq: n.Seq, Room: n.Room.String()}
	if n.Kind == chat.Offered {
		e.Type = api.RoomOffered
		for _, o := range c.Offers() {
			if o.Room == n.Room {
				e.Name = neutral.Line(o.Name)
			}
		}
		e.Who = r.names(nil).call(n.Who)
		return e, true
	}
	room, err := c.Room(n.Room)
	if err != nil || r.setting(n.Room).forget {
		return e, false
	}
	t := r.teller(room)
	e.Name = r.roomName(&t.info)
	switch n.Kind {
	case chat.NewMessage:
		e.Type = api.RoomNewMessage
	case chat.MessageChanged:
		e.Type = api.RoomChanged
	case chat.MarksChanged:
		e.Type = api.RoomMarks
	case chat.ReadChanged:
		e.Type = api.RoomRead
	case chat.Typing:
		e.Type, e.Who = api.RoomTyping, t.names.call(n.Who)
	case chat.Connected:
		e.Type, e.Who = api.RoomPresence, r.device(t, n.Peer)
	default:
		e.Type = api.RoomItself
	}
	if (e.Type == api.RoomNewMessage || e.Type == api.RoomChanged) && !n.Key.ID.IsZero() {
		x, err := room.Get(ctx, n.Key.ID)
		if err != nil {
			return e, false
		}
		m, err := t.one(ctx, x)
		if err != nil {
			return e, false
		}
		e.Message = &m
	}
	return e, true
}

// device returns what to call who has a device.
func (r *Rooms) device(t *teller, id peer.ID) string {
	for _, m := range t.info.Members {
		for _, d := range m.Devices {
			if d == event.Device(id.Bytes()) {
				return t.names.call(m.Identity)
			}
		}
	}
	if name, _ := r.Host.Called(id); name != "" {
		return name
	}
	return id.Short()
}
