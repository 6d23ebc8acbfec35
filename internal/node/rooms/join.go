package rooms

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tenon-net/tenon/internal/chat"
	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/ticket"
	"github.com/tenon-net/tenon/transport"
)

// Limits of what a room is called.
const (
	maxName  = 64   // bytes
	maxTopic = 1024 // bytes
)

// checkName checks what a room is to be called.
func checkName(name string) (string, error) {
	name = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(name), "#"))
	switch {
	case name == "":
		return "", transport.Usage(errors.New("a room has a name"))
	case len(name) > maxName || !utf8.ValidString(name):
		return "", transport.Usage(fmt.Errorf("the name of a room has at most %d bytes", maxName))
	case neutral.Line(name) != name:
		return "", transport.Usage(fmt.Errorf("the name has characters that cannot be seen: %s", neutral.Line(name)))
	case strings.HasPrefix(name, "@"), name == "/", ticket.Is(name): // a path has no part that is a slash, to net/http
		return "", transport.Usage(fmt.Errorf("%s could be taken for something else than a room", name))
	}
	return name, nil
}

func checkTopic(topic string) error {
	if len(topic) > maxTopic || !utf8.ValidString(topic) {
		return transport.Usage(fmt.Errorf("the topic of a room has at most %d bytes", maxTopic))
	}
	return nil
}

// Create makes a room.
func (r *Rooms) Create(ctx context.Context, n api.NewRoom) (api.Room, error) {
	name, err := checkName(n.Name)
	if err == nil {
		err = checkTopic(n.Topic)
	}
	if err != nil {
		return api.Room{}, err
	}
	c, err := r.now()
	if err != nil {
		return api.Room{}, err
	}
	for _, f := range r.meant(c, "#"+name) {
		switch {
		case over(&f.info):
		case n.Existing:
			return r.describeWhole(ctx, f.room)
		default:
			return api.Room{}, transport.WithHint(transport.Mark(fmt.Errorf("there is a room %s already", name), api.ErrConflict), "tenon room lists the rooms")
		}
	}
	room, err := c.Create(ctx, chat.Draft{Name: name, History: n.History})
	if err == nil && n.Topic != "" {
		err = room.SetProperty(ctx, event.PropertyTopic, []byte(n.Topic))
	}
	if err != nil {
		return api.Room{}, explain(err)
	}
	return r.describeWhole(ctx, room)
}

// whoTime is how long it takes at most to ask a peer who its user is.
const whoTime = 15 * time.Second

// who returns who the user of a peer is, and the peer. One who has not been met yet is asked.
func (r *Rooms) who(ctx context.Context, c *chat.Chat, text string) (event.Identity, peer.ID, error) {
	id, err := r.peerOf(text)
	switch {
	case err != nil:
		return event.Identity{}, id, cmp.Or(r.noPeer(c, text), err)
	case r.Host.Access().Blocked[id]:
		return event.Identity{}, id, transport.WithHint(peer.Blocked, "tenon peers unblock PEER")
	}
	if all := r.whose(id); len(all) > 0 {
		return all[len(all)-1], id, nil
	}
	ctx, cancel := context.WithTimeout(ctx, whoTime)
	defer cancel()
	who, err := c.Who(ctx, id)
	if err != nil {
		return who, id, transport.WithHint(transport.Mark(fmt.Errorf("who %s is has to be asked once: %w", strings.TrimPrefix(text, "@"), err), api.ErrUnreachable), "tenon doctor PEER tells why somebody cannot be reached")
	}
	if who != r.me() {
		r.learn(who, id)
	}
	return who, id, nil
}

// Direct returns the conversation with a peer.
func (r *Rooms) Direct(ctx context.Context, text string) (api.Room, error) {
	c, err := r.now()
	if err != nil {
		return api.Room{}, err
	}
	for _, f := range r.meant(c, text) {
		if f.info.Direct && !over(&f.info) {
			return r.describeWhole(ctx, f.room)
		}
	}
	who, at, err := r.who(ctx, c, text)
	switch {
	case err != nil:
		return api.Room{}, err
	case who == r.me():
		return api.Room{}, transport.Usage(errors.New("that is you"))
	}
	for _, o := range c.Offers() {
		if o.Inviter == who && o.Name == "" {
			return r.accept(ctx, c, o)
		}
	}
	room, err := c.Direct(ctx, who, at)
	if err == nil {
		err = r.change(ctx, room.ID(), func(s *setting) { s.other = who })
	}
	if err != nil {
		return api.Room{}, explain(err)
	}
	return r.describeWhole(ctx, room)
}

// Join enters a room by a ticket.
func (r *Rooms) Join(ctx context.Context, text string) (api.Room, error) {
	c, err := r.now()
	if err != nil {
		return api.Room{}, err
	}
	i, err := chat.ParseInvite(text)
	switch {
	case err != nil:
		return api.Room{}, transport.Usage(err)
	case !i.NotAfter.IsZero() && time.Now().After(i.NotAfter):
		return api.Room{}, transport.WithHint(peer.TicketExpired, "who is in the room can make another one: tenon room invite ROOM")
	}
	addrs := r.Host.Reach(i.Hosts[0], i.Addresses, i.Via)
	x, err := r.entered(ctx, i.Room, func() (*chat.Room, error) { return c.Join(ctx, i) })
	if err == nil {
		r.Remember(i.Hosts[0], addrs) // for the next node, if nobody is there now
	}
	return x, err
}

// entered has the user join a room, which may be one that is about to be forgotten.
func (r *Rooms) entered(ctx context.Context, id event.ID, join func() (*chat.Room, error)) (api.Room, error) {
	if err := r.change(ctx, id, func(s *setting) { s.forget = false }); err != nil {
		return api.Room{}, err
	}
	room, err := join()
	if err != nil {
		return api.Room{}, explain(err)
	}
	r.Host.Expect()
	return r.describeWhole(ctx, room)
}

// Accept joins a room that was offered.
func (r *Rooms) Accept(ctx context.Context, text string) (api.Room, error) {
	c, o, err := r.findOffer(text)
	if err != nil {
		return api.Room{}, err
	}
	return r.accept(ctx, c, o)
}

func (r *Rooms) accept(ctx context.Context, c *chat.Chat, o chat.Offer) (api.Room, error) {
	return r.entered(ctx, o.Room, func() (*chat.Room, error) { return c.Accept(ctx, o.Room) })
}

// Decline forgets an offer.
func (r *Rooms) Decline(ctx context.Context, text string) error {
	c, o, err := r.findOffer(text)
	if err != nil {
		return err
	}
	return explain(c.Decline(ctx, o.Room))
}

// findOffer returns the offer that somebody means: by the name of the room, its ID, or who has made it.
func (r *Rooms) findOffer(text string) (*chat.Chat, chat.Offer, error) {
	c, err := r.now()
	if err != nil {
		return nil, chat.Offer{}, err
	}
	var found []chat.Offer
	for _, o := range c.Offers() {
		x := r.offer(o)
		if x.ID == strings.ToLower(text) {
			return c, o, nil
		}
		if begins(x.ID, text) || x.Name != "" && same(x.Name, strings.TrimPrefix(text, "#")) || same(x.From, strings.TrimPrefix(text, "@")) {
			found = append(found, o)
		}
	}
	switch len(found) {
	case 1:
		return c, found[0], nil
	case 0:
		return nil, chat.Offer{}, transport.WithHint(transport.Mark(fmt.Errorf("no room %q is offered", text), api.ErrNotFound), "tenon room offers lists what is")
	}
	var ids []string
	for _, o := range found {
		ids = append(ids, o.Room.String()[:12])
	}
	return nil, chat.Offer{}, transport.WithHint(transport.Usage(fmt.Errorf("%d rooms that are offered may be meant by %q", len(found), text)), "name one by the beginning of its ID: "+strings.Join(ids, ", "))
}

// Change changes what a room is, and what it is to the user.
func (r *Rooms) Change(ctx context.Context, name string, x api.RoomChange) (api.Room, error) {
	_, room, err := r.find(name)
	if err != nil {
		return api.Room{}, err
	}
	if err := r.changeRoom(ctx, room, x); err != nil {
		return api.Room{}, explain(err)
	}
	return r.describeWhole(ctx, room)
}

func (r *Rooms) changeRoom(ctx context.Context, room *chat.Room, x api.RoomChange) error {
	type property struct {
		of    event.Property
		value []byte
	}
	var set []property
	if x.Name != nil {
		name, err := checkName(*x.Name)
		if err != nil {
			return err
		}
		if room.Info().Direct {
			return transport.Mark(errors.New("a conversation of two is called like the other one"), api.ErrConflict)
		}
		set = append(set, property{event.PropertyName, []byte(name)})
	}
	if x.Topic != nil {
		if err := checkTopic(*x.Topic); err != nil {
			return err
		}
		set = append(set, property{event.PropertyTopic, []byte(*x.Topic)})
	}
	if x.Vanish != nil {
		d := time.Duration(*x.Vanish)
		if d < 0 || d > maxVanish || d > 0 && d < time.Second {
			return transport.Usage(errors.New("messages disappear after a second or more, or with 0 not at all"))
		}
		var value []byte
		if d > 0 {
			value = binary.BigEndian.AppendUint64(nil, uint64(d/time.Second))
		}
		set = append(set, property{event.PropertyTTL, value})
	}
	for _, p := range set {
		if err := room.SetProperty(ctx, p.of, p.value); err != nil {
			return err
		}
	}
	if x.Mailboxes != nil {
		if err := r.setMailboxes(ctx, room, *x.Mailboxes); err != nil {
			return err
		}
	}
	if x.Receipts != nil {
		if err := room.SetReceipts(ctx, *x.Receipts); err != nil {
			return err
		}
	}
	if x.Muted != nil {
		return r.change(ctx, room.ID(), func(s *setting) { s.muted = *x.Muted })
	}
	return nil
}

// Leave ends the user's own membership, and what the user has shared with the room.
func (r *Rooms) Leave(ctx context.Context, name string, anyway bool) error {
	_, room, err := r.find(name)
	if err != nil {
		return err
	}
	return r.leave(ctx, room, anyway)
}

func (r *Rooms) leave(ctx context.Context, room *chat.Room, anyway bool) error {
	err := room.Leave(ctx, anyway)
	switch {
	case errors.Is(err, chat.ErrLast):
		return transport.WithHint(transport.Mark(err, api.ErrConflict), "tenon room role ROOM WHO owner makes one; with --anyway you go, and nobody can invite or remove anybody there any more")
	case err != nil:
		return explain(err)
	}
	return r.Host.Detach(ctx, room.ID().String(), "")
}

// Forget leaves a room, and forgets all that was said in it: as soon as somebody has been told.
func (r *Rooms) Forget(ctx context.Context, name string, anyway bool) error {
	_, room, err := r.find(name)
	if err != nil {
		return err
	}
	if i := room.Info(); i.State == chat.Inside && i.Role > event.Nobody {
		if err := r.leave(ctx, room, anyway); err != nil {
			return err
		}
	}
	if room.Info().State == chat.Leaving {
		return r.change(ctx, room.ID(), func(s *setting) { s.forget = true })
	}
	return r.forget(ctx, room)
}

func (r *Rooms) forget(ctx context.Context, room *chat.Room) error {
	if err := room.Forget(ctx); err != nil {
		return explain(err)
	}
	return r.drop(ctx, room.ID())
}
