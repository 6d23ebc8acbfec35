package rooms

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tenon-net/tenon/internal/chat"
	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// minDigits is how many digits of an ID may stand for it.
const minDigits = 4

// begins tells whether a text is an ID or the beginning of one.
func begins(id, text string) bool {
	return len(text) >= minDigits && strings.HasPrefix(id, strings.ToLower(text))
}

// A found is a room that somebody may mean.
type found struct {
	room *chat.Room
	info chat.Info
}

// over tells whether the user is not in a room any more.
func over(i *chat.Info) bool {
	return i.State == chat.Leaving || i.State == chat.Left || i.State == chat.Inside && i.Role == event.Nobody
}

// find returns the room that somebody means: by its name, with # for sure, by the name of the other one, with @
// for sure, or by its ID. Of several of that name, those count that the user is in.
func (r *Rooms) find(text string) (*chat.Chat, *chat.Room, error) {
	c, err := r.now()
	if err != nil {
		return nil, nil, err
	}
	if text == "" {
		return nil, nil, transport.Usage(errors.New("a room has a name"))
	}
	all := r.meant(c, text)
	if now := slices.DeleteFunc(slices.Clone(all), func(f found) bool { return over(&f.info) }); len(now) > 0 {
		all = now
	}
	switch len(all) {
	case 1:
		return c, all[0].room, nil
	case 0:
		return nil, nil, r.noRoom(c, text)
	}
	if all[0].info.Direct && all[len(all)-1].info.Direct {
		return c, all[0].room, nil // both have begun one: the first is the same to both
	}
	var ids []string
	for _, f := range all {
		ids = append(ids, fmt.Sprintf("%s (%s)", f.info.ID.String()[:12], r.roomName(&f.info)))
	}
	return nil, nil, transport.WithHint(transport.Usage(fmt.Errorf("%d rooms are called %q", len(all), text)),
		"name it by the beginning of its ID: "+strings.Join(ids, ", "))
}

// meant returns the rooms that a text may mean, in the order of their IDs.
func (r *Rooms) meant(c *chat.Chat, text string) (all []found) {
	named, person := strings.HasPrefix(text, "#"), strings.HasPrefix(text, "@")
	bare := text
	if named || person {
		bare = text[1:]
	}
	var who []event.Identity
	if id, err := r.Host.Find(bare); err == nil && !named {
		who = r.whose(id)
	}
	var byID []found
	for _, room := range c.Rooms() {
		f := found{room, room.Info()}
		if r.setting(f.info.ID).forget {
			continue
		}
		other := r.other(&f.info)
		switch {
		case f.info.ID.String() == text:
			return []found{f}
		case f.info.Name != "" && !person && (same(neutral.Line(f.info.Name), bare) || same(f.info.Name, bare)),
			f.info.Name == "" && !named && (slices.Contains(who, other) || same(r.roomName(&f.info), bare)):
			all = append(all, f)
		case begins(f.info.ID.String(), text):
			byID = append(byID, f)
		}
	}
	if len(all) == 0 {
		return byID
	}
	return all
}

// noPeer says what to do to talk with somebody who is called so in a room, and is no peer; nil: nobody is.
func (r *Rooms) noPeer(c *chat.Chat, text string) error {
	bare := strings.TrimPrefix(text, "@")
	for _, room := range c.Rooms() {
		i := room.Info()
		if over(&i) || i.Direct || r.setting(i.ID).forget {
			continue
		}
		names := r.names(&i)
		for _, m := range i.Members {
			if name := names.call(m.Identity); m.Identity != r.me() && (same(name, bare) || same(personID(m.Identity), bare)) {
				return transport.WithHint(transport.Mark(fmt.Errorf("%s is in the room %q, and no peer of yours", name, r.roomName(&i)), api.ErrNotFound),
					fmt.Sprintf("tenon pair, on both sides, lets you talk alone; or say it to all who are there: tenon say ROOM '@%s ...'", bare))
			}
		}
	}
	return nil
}

// noRoom says that there is no room of that name, and what there may be instead.
func (r *Rooms) noRoom(c *chat.Chat, text string) error {
	if _, err := r.peerOf(text); err != nil && !strings.HasPrefix(text, "#") {
		if err := r.noPeer(c, text); err != nil {
			return err
		}
	}
	hint := "tenon room lists the rooms, and tenon room new NAME makes one"
	if id, err := r.Host.Find(strings.TrimPrefix(text, "@")); err == nil {
		if name, _ := r.Host.Called(id); name != "" {
			hint = fmt.Sprintf("tenon say %s TEXT begins a conversation", name)
		}
	}
	for _, o := range c.Offers() {
		if o.Name != "" && same(o.Name, strings.TrimPrefix(text, "#")) {
			hint = "it is offered: tenon room join " + o.Room.String()[:12]
		}
	}
	return transport.WithHint(transport.Mark(fmt.Errorf("there is no room %q", text), api.ErrNotFound), hint)
}

// findMember returns the member that somebody means: by a name, or by his ID or that of a device of his.
func (r *Rooms) findMember(i *chat.Info, text string) (event.Identity, error) {
	names := r.names(i)
	bare := strings.TrimPrefix(text, "@")
	var who []event.Identity
	if id, err := r.Host.Find(bare); err == nil {
		who = r.whose(id)
	}
	var exact, near []event.Identity
	for _, m := range i.Members {
		name := names.call(m.Identity)
		switch {
		case same(name, bare), same(personID(m.Identity), bare), same(short(m.Identity), bare), slices.Contains(who, m.Identity),
			m.Identity == r.me() && (same(bare, "me") || same(bare, "self")):
			exact = append(exact, m.Identity)
		case strings.HasPrefix(strings.ToLower(name), strings.ToLower(bare)+"~"):
			near = append(near, m.Identity)
		}
	}
	if len(exact) == 0 {
		exact = near
	}
	switch len(exact) {
	case 1:
		return exact[0], nil
	case 0:
		return event.Identity{}, transport.WithHint(transport.Mark(fmt.Errorf("nobody in the room is called %q", text), api.ErrNotFound), "tenon room members ROOM lists who is there")
	}
	var all []string
	for _, who := range exact {
		all = append(all, names.call(who)+" ("+personID(who)+")")
	}
	return event.Identity{}, transport.WithHint(transport.Usage(fmt.Errorf("%d members may be meant by %q", len(exact), text)), "name one by the ID: "+strings.Join(all, ", "))
}

// findMessage returns the message whose ID is or begins with a text.
func findMessage(ctx context.Context, room *chat.Room, text string) (chat.Entry, error) {
	if len(text) < minDigits || len(text) > 64 {
		return chat.Entry{}, transport.Usage(fmt.Errorf("%q is not the ID of a message, nor the beginning of one", text))
	}
	all, err := room.Find(ctx, text, 3)
	if err != nil {
		return chat.Entry{}, err
	}
	switch len(all) {
	case 1:
		return all[0], nil
	case 0:
		return chat.Entry{}, transport.Mark(fmt.Errorf("there is no message %s", neutral.Line(text)), api.ErrNotFound)
	}
	return chat.Entry{}, transport.Usage(fmt.Errorf("several messages have IDs that begin with %s", text))
}

// peerOf returns the peer that somebody means, and who that is to people, if that is known.
func (r *Rooms) peerOf(text string) (peer.ID, error) {
	return r.Host.Find(strings.TrimPrefix(text, "@"))
}

// explain says to which class an error belongs.
func explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, chat.ErrRole):
		return transport.Mark(err, transport.ErrDenied)
	case errors.Is(err, chat.ErrJunior):
		return transport.WithHint(transport.Mark(err, transport.ErrDenied), "tenon room members ROOM lists first who came first")
	case errors.Is(err, chat.ErrLast):
		return transport.WithHint(transport.Mark(err, api.ErrConflict), "tenon room role ROOM WHO owner makes one")
	case errors.Is(err, chat.ErrOutside):
		return transport.WithHint(transport.Mark(err, transport.ErrDenied), "tenon room tells whether nobody has let you in yet, or you have left")
	case errors.Is(err, chat.ErrNoRoom), errors.Is(err, chat.ErrMember), errors.Is(err, chat.ErrMessage):
		return transport.Mark(err, api.ErrNotFound)
	case errors.Is(err, chat.ErrKey):
		return transport.WithHint(transport.Mark(err, transport.ErrDenied), "it goes on the device that this one was linked by")
	case errors.Is(err, chat.ErrDevice):
		return transport.WithHint(transport.Mark(err, api.ErrNotFound), "tenon device lists them")
	case errors.Is(err, chat.ErrRemoved):
		return transport.WithHint(transport.Mark(err, api.ErrConflict), "on that device, tenon id --rotate makes a new key; then link it again")
	case errors.Is(err, chat.ErrHasRoom):
		return transport.WithHint(transport.Mark(err, api.ErrConflict), "leave them first, tenon room leave ROOM, and tenon room decline what tenon room offers shows; what was said stays readable. Or link the other device to this one")
	case errors.Is(err, chat.ErrClosed):
		return errAway
	case errors.Is(err, event.ErrAhead):
		return transport.WithHint(err, "look at the clock of this computer")
	case errors.Is(err, peer.ErrUnreachable), errors.Is(err, peer.ErrNotAdmitted), errors.Is(err, peer.ErrNoProtocol):
		return transport.Mark(err, api.ErrUnreachable)
	}
	return err
}
