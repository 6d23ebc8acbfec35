package rooms

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tenon-net/tenon/internal/chat"
	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/transport"
)

// Say says something, or something else instead of what was said.
func (r *Rooms) Say(ctx context.Context, name string, s api.RoomSay) (api.RoomMessage, error) {
	room, m, err := r.prepare(ctx, name, &s)
	if err != nil {
		return api.RoomMessage{}, explain(err)
	}
	var id event.ID
	switch {
	case s.Edit != "":
		x, err := findMessage(ctx, room, s.Edit)
		if err != nil {
			return api.RoomMessage{}, explain(err)
		}
		if x.Message.Deleted || x.Kind.Control() {
			return api.RoomMessage{}, transport.Mark(errors.New("there is nothing left of that message to be changed"), api.ErrConflict)
		}
		id = x.ID
		_, err = room.Edit(ctx, id, m)
		if err != nil {
			return api.RoomMessage{}, explain(err)
		}
	case len(s.Paths) > 0:
		if id, err = r.attach(ctx, room, m, s.Paths); err != nil {
			return api.RoomMessage{}, explain(err)
		}
	default:
		key, err := room.Say(ctx, m)
		if err != nil {
			return api.RoomMessage{}, explain(err)
		}
		id = key.ID
	}
	x, err := room.Get(ctx, id)
	if err != nil {
		return api.RoomMessage{}, explain(err)
	}
	said, err := r.teller(room).one(ctx, x)
	return said, explain(err)
}

// prepare finds out what is to be said where.
func (r *Rooms) prepare(ctx context.Context, name string, s *api.RoomSay) (room *chat.Room, m chat.Message, err error) {
	switch {
	case len(s.Paths) > 0 && s.Edit != "":
		return nil, m, transport.Usage(errors.New("a message of which files are said stays what it is"))
	case s.Reply != "" && s.Edit != "":
		return nil, m, transport.Usage(errors.New("what is edited answers what it has answered before"))
	case !utf8.ValidString(s.Text):
		return nil, m, transport.Usage(errors.New("it is not a text: it is not in UTF-8"))
	case strings.TrimSpace(s.Text) == "" && len(s.Paths) == 0:
		return nil, m, transport.Usage(errors.New("there is nothing to say"))
	case len(s.Text) > event.MaxText:
		return nil, m, transport.WithHint(transport.Usage(fmt.Errorf("a message has at most %d bytes, and this one has %d", event.MaxText, len(s.Text))), "tenon say ROOM --file FILE shares a longer one")
	}
	c, room, err := r.find(name)
	if err != nil {
		return nil, m, err
	}
	if err := r.await(ctx, c, room); err != nil {
		return nil, m, err
	}
	i := room.Info()
	m.Text, m.Mentions = s.Text, mentionsIn(s.Text, r.names(&i), &i)
	if s.Reply != "" {
		x, err := findMessage(ctx, room, s.Reply)
		if err != nil {
			return nil, m, err
		}
		m.Reply = x.ID
	}
	return room, m, nil
}

// enterTime is how long who says something waits until somebody has let him in.
const enterTime = 10 * time.Second

// await waits for a while until the user is in a room that he has joined just now.
func (r *Rooms) await(ctx context.Context, c *chat.Chat, room *chat.Room) error {
	timer := time.NewTimer(enterTime)
	defer timer.Stop()
	for {
		changed := c.NoticesChanged()
		if room.Info().State != chat.Joining {
			return nil
		}
		select {
		case <-changed:
		case <-timer.C:
			return transport.WithHint(transport.Mark(errors.New("nobody has let you in yet"), transport.ErrDenied), "one who is in the room must be there; it goes on by itself")
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Delete takes a message back, and what was shared by it.
func (r *Rooms) Delete(ctx context.Context, name, id string) error {
	_, room, err := r.find(name)
	if err != nil {
		return err
	}
	x, err := findMessage(ctx, room, id)
	if err != nil {
		return explain(err)
	}
	if _, err := room.Delete(ctx, x.ID); err != nil {
		return explain(err)
	}
	if f, ok := x.Message.Body.(*event.File); ok {
		return r.Host.Detach(ctx, room.ID().String(), f.Ticket)
	}
	return nil
}

// React adds a reaction, or takes it back.
func (r *Rooms) React(ctx context.Context, name, id, emoji string, off bool) error {
	if emoji == "" || len(emoji) > event.MaxEmoji || !utf8.ValidString(emoji) {
		return transport.Usage(fmt.Errorf("a reaction has 1 to %d bytes", event.MaxEmoji))
	}
	return r.about(ctx, name, id, func(room *chat.Room, id event.ID) error {
		_, err := room.React(ctx, id, emoji, off)
		return err
	})
}

// Pin puts a message where all see it, or takes it from there.
func (r *Rooms) Pin(ctx context.Context, name, id string, off bool) error {
	return r.about(ctx, name, id, func(room *chat.Room, id event.ID) error {
		_, err := room.Pin(ctx, id, off)
		return err
	})
}

// about does something to a message.
func (r *Rooms) about(ctx context.Context, name, id string, f func(*chat.Room, event.ID) error) error {
	_, room, err := r.find(name)
	if err != nil {
		return err
	}
	x, err := findMessage(ctx, room, id)
	if err != nil {
		return explain(err)
	}
	return explain(f(room, x.ID))
}

// Read notes up to where the user has read; "" is all.
func (r *Rooms) Read(ctx context.Context, name, id string) error {
	_, room, err := r.find(name)
	if err != nil {
		return err
	}
	var k event.Key
	if id != "" {
		x, err := findMessage(ctx, room, id)
		if err != nil {
			return explain(err)
		}
		k = x.Key
	} else {
		last, err := room.Before(ctx, event.Key{}, 1)
		if err != nil || len(last) == 0 {
			return explain(err)
		}
		k = last[0].Key
	}
	return explain(room.SetRead(ctx, k))
}

// Typing tells those who are connected that the user is writing.
func (r *Rooms) Typing(name string) error {
	_, room, err := r.find(name)
	if err == nil {
		room.Typing()
	}
	return err
}
