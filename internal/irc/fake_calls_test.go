package irc

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/transport"
)

// What a fake answers.

func (f *fake) ID(context.Context) (api.Identity, error) {
	unlock, err := f.is()
	defer unlock()
	return api.Identity{ID: peerID(f.me), Name: f.me}, err
}

func (f *fake) Peers(context.Context) ([]api.Peer, error) {
	unlock, err := f.is()
	defer unlock()
	return slices.Clone(f.peers), err
}

func (f *fake) Rooms(context.Context) (all []api.Room, err error) {
	unlock, err := f.is()
	defer unlock()
	for _, r := range f.rooms {
		all = append(all, r.shown())
	}
	return all, err
}

func (f *fake) Room(_ context.Context, room string) (api.Room, error) {
	unlock, err := f.is()
	defer unlock()
	r, fault := f.find(room)
	if err = cmp.Or(err, fault); err != nil {
		return api.Room{}, err
	}
	return r.shown(), nil
}

func (f *fake) DirectRoom(_ context.Context, peer string) (api.Room, error) {
	unlock, err := f.is()
	i := slices.IndexFunc(f.peers, func(p api.Peer) bool { return p.ID == peer || p.Name == peer })
	unlock()
	if err != nil || i < 0 {
		return api.Room{}, cmp.Or(err, error(&api.Error{Code: "not-found", Message: "no peer is called so"}))
	}
	return f.direct(f.peers[i].Name).shown(), nil
}

func (f *fake) ChangeRoom(_ context.Context, room string, c api.RoomChange) (api.Room, error) {
	unlock, err := f.is()
	r, fault := f.find(room)
	unlock()
	if err = cmp.Or(err, fault); err != nil {
		return api.Room{}, err
	}
	if r.Role != "owner" {
		return api.Room{}, transport.WithHint(&api.Error{Code: "denied", Message: "only owners change a room"}, "ask one")
	}
	f.alter(r, f.me, "topic", "", func() { r.Topic = *c.Topic })
	return r.shown(), nil
}

func (f *fake) RoomMembers(_ context.Context, room string) ([]api.RoomMember, error) {
	unlock, err := f.is()
	defer unlock()
	r, fault := f.find(room)
	if err = cmp.Or(err, fault); err != nil {
		return nil, err
	}
	return slices.Clone(r.members), nil
}

func (f *fake) InviteToRoom(_ context.Context, room string, i api.RoomInvite) (api.RoomInvited, error) {
	unlock, err := f.is()
	r, fault := f.find(room)
	k := slices.IndexFunc(f.peers, func(p api.Peer) bool { return p.ID == i.Peer })
	unlock()
	if err = cmp.Or(err, fault); err != nil || k < 0 {
		return api.RoomInvited{}, cmp.Or(err, api.ErrNotFound)
	}
	name := f.peers[k].Name
	f.alter(r, f.me, "add", name, func() { r.members = append(r.members, f.member(name, "member")) })
	return api.RoomInvited{Member: name}, nil
}

func (f *fake) SetRoomRole(_ context.Context, room, who, role string) error {
	return f.member1(room, who, "role", func(r *fakeRoom, i int) { r.members[i].Role = role })
}

func (f *fake) RemoveFromRoom(_ context.Context, room, who string) error {
	return f.member1(room, who, "remove", func(r *fakeRoom, i int) { r.members = slices.Delete(slices.Clone(r.members), i, i+1) })
}

func (f *fake) member1(room, who, done string, with func(*fakeRoom, int)) error {
	unlock, err := f.is()
	r, fault := f.find(room)
	unlock()
	if err = cmp.Or(err, fault); err != nil {
		return err
	}
	i := slices.IndexFunc(r.members, func(m api.RoomMember) bool { return m.ID == who || m.Name == who })
	switch {
	case i < 0:
		return api.ErrNotFound
	case r.Role != "owner":
		return transport.Mark(fmt.Errorf("you may not"), transport.ErrDenied)
	}
	f.alter(r, f.me, done, r.members[i].Name, func() { with(r, i) })
	return nil
}

func (f *fake) RoomOffers(context.Context) ([]api.RoomOffer, error) {
	unlock, err := f.is()
	defer unlock()
	return slices.Clone(f.offers), err
}

func (f *fake) AcceptRoom(_ context.Context, offer string) (api.Room, error) {
	unlock, err := f.is()
	i := slices.IndexFunc(f.offers, func(o api.RoomOffer) bool { return o.ID == offer })
	if err != nil || i < 0 {
		unlock()
		return api.Room{}, cmp.Or(err, api.ErrNotFound)
	}
	o := f.offers[i]
	f.offers = slices.Delete(slices.Clone(f.offers), i, i+1)
	unlock()
	r := f.room(o.Name, o.From)
	f.tell(api.RoomEvent{Type: api.RoomItself, Room: r.ID})
	return r.shown(), nil
}

// RoomMessages is right about what the gateway asks for.
func (f *fake) RoomMessages(_ context.Context, room string, q api.RoomQuery) (api.RoomPage, error) {
	unlock, err := f.is()
	defer unlock()
	r, fault := f.find(room)
	if err = cmp.Or(err, fault); err != nil {
		return api.RoomPage{}, err
	}
	all := r.messages
	index := func(id string) int {
		return slices.IndexFunc(all, func(m api.RoomMessage) bool { return m.ID == id })
	}
	limit := cmp.Or(q.Limit, 50)
	switch {
	case q.Arrived > 0:
		all = slices.Clone(all)
		slices.SortFunc(all, func(a, b api.RoomMessage) int { return cmp.Compare(a.ID, b.ID) }) // they are numbered as they come
		all = slices.DeleteFunc(all, func(m api.RoomMessage) bool { return m.ID <= fmt.Sprintf("msg%04d", q.Arrived) })
	case q.Before != "":
		i := index(q.Before)
		if i < 0 {
			return api.RoomPage{}, api.ErrNotFound
		}
		all = all[max(0, i-limit):i]
	case q.After != "":
		i := index(q.After)
		if i < 0 {
			return api.RoomPage{}, api.ErrNotFound
		}
		all = all[i+1 : min(len(all), i+1+limit)]
	case !q.Since.IsZero():
		i := slices.IndexFunc(all, func(m api.RoomMessage) bool { return !m.Time.Before(q.Since) })
		if i < 0 {
			i = len(all)
		}
		all = all[i:min(len(all), i+limit)]
	default:
		all = all[max(0, len(all)-limit):]
	}
	return api.RoomPage{Messages: slices.Clone(all), Last: int64(f.ids)}, nil
}

func (f *fake) RoomMessage(_ context.Context, room, message string) (api.RoomMessage, error) {
	unlock, err := f.is()
	defer unlock()
	r, fault := f.find(room)
	if err = cmp.Or(err, fault); err != nil {
		return api.RoomMessage{}, err
	}
	for _, m := range r.messages {
		if m.ID == message {
			return m, nil
		}
	}
	return api.RoomMessage{}, &api.Error{Code: "not-found", Message: "there is no such message"}
}

func (f *fake) SayInRoom(_ context.Context, room string, s api.RoomSay) (api.RoomMessage, error) {
	unlock, err := f.is()
	r, fault := f.find(room)
	wait := f.said
	unlock()
	if err = cmp.Or(err, fault); err != nil {
		return api.RoomMessage{}, err
	}
	if r.Role == "reader" {
		return api.RoomMessage{}, &api.Error{Code: "denied", Message: "you may only read here"}
	}
	m := api.RoomMessage{Text: s.Text}
	if s.Reply != "" {
		m.Reply = &api.RoomQuote{ID: s.Reply, From: "bob", Text: "what was said"}
	}
	m = f.add(r, f.me, m)
	if wait != nil {
		<-wait
	}
	return m, nil
}

func (f *fake) DeleteRoomMessage(ctx context.Context, room, message string) error {
	m, err := f.RoomMessage(ctx, room, message)
	if err != nil {
		return err
	}
	if !m.Mine {
		return &api.Error{Code: "denied", Message: "it is not yours"}
	}
	unlock, _ := f.is()
	r, _ := f.find(room)
	unlock()
	f.change(r, message, func(m *api.RoomMessage) { m.Deleted, m.Text = true, "" })
	return nil
}

func (f *fake) ReactInRoom(ctx context.Context, room, message, emoji string, off bool) error {
	if _, err := f.RoomMessage(ctx, room, message); err != nil {
		return err
	}
	unlock, _ := f.is()
	r, _ := f.find(room)
	unlock()
	f.react(r, message, f.me, emoji, off)
	return nil
}

func (f *fake) react(r *fakeRoom, message, who, emoji string, off bool) {
	f.change(r, message, func(m *api.RoomMessage) {
		if off {
			m.Reactions = nil
			return
		}
		m.Reactions = append(slices.Clone(m.Reactions), api.RoomReaction{Emoji: emoji, From: []string{who}})
	})
}

func (f *fake) ReadRoom(_ context.Context, room, message string) error {
	unlock, err := f.is()
	defer unlock()
	r, fault := f.find(room)
	if err = cmp.Or(err, fault); err != nil {
		return err
	}
	r.Read, r.Unread = message, 0
	f.publish(api.RoomEvent{Type: api.RoomRead, Room: r.ID})
	return nil
}

func (f *fake) TypingInRoom(_ context.Context, room string) error {
	unlock, err := f.is()
	defer unlock()
	f.typed = append(f.typed, room)
	return err
}

var _ Node = (*fake)(nil)
