package irc

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/transport"
)

// A fake is a Node in memory, whose rooms behave as those of package api promise.
type fake struct {
	mu      sync.Mutex // guards what follows
	me      string     // the name of the user
	rooms   []*fakeRoom
	peers   []api.Peer
	offers  []api.RoomOffer
	seq     uint64
	events  []api.RoomEvent
	changed chan struct{}
	ids     int
	typed   []string      // rooms that TypingInRoom was called for
	broken  error         // of all calls, if not nil
	said    chan struct{} // SayInRoom waits for it, if not nil, after its event
}

type fakeRoom struct {
	api.Room
	members  []api.RoomMember
	messages []api.RoomMessage
}

func newFake() *fake {
	return &fake{me: "alice", seq: 100, changed: make(chan struct{})}
}

func personID(name string) string { return "tenonid1" + strings.ToLower(strings.Repeat(name+"q", 5)) }
func peerID(name string) string   { return "tenonid1" + strings.ToLower(strings.Repeat(name+"dev", 4)) }

// member is somebody, with a role; "!" behind the name is for who is not connected.
func (f *fake) member(name, role string) api.RoomMember {
	name, offline := strings.CutSuffix(name, "!")
	return api.RoomMember{ID: personID(name), Name: name, Role: role, Me: name == f.me, Online: !offline, Devices: []string{peerID(name)}}
}

// room adds a room; members are "name" or "name:role".
func (f *fake) room(name string, members ...string) *fakeRoom {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := &fakeRoom{Room: api.Room{ID: fmt.Sprintf("room%02d%s", len(f.rooms), strings.Repeat("x", 20)), Name: name, State: api.RoomInside, Role: "owner", Receipts: true}}
	r.members = append(r.members, f.member(f.me, "owner"))
	for _, m := range members {
		who, role, _ := strings.Cut(m, ":")
		r.members = append(r.members, f.member(who, cmp.Or(role, "member")))
	}
	f.rooms = append(f.rooms, r)
	return r
}

// direct adds a conversation.
func (f *fake) direct(name string) *fakeRoom {
	r := f.room(strings.TrimSuffix(name, "!"), name)
	r.Direct = true
	return r
}

// publish is called with mu held.
func (f *fake) publish(e api.RoomEvent) {
	f.seq++
	e.Seq = f.seq
	f.events = append(f.events, e)
	close(f.changed)
	f.changed = make(chan struct{})
}

// tell publishes an event.
func (f *fake) tell(e api.RoomEvent) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.publish(e)
}

// add has somebody say something, or do it.
func (f *fake) add(r *fakeRoom, who string, m api.RoomMessage) api.RoomMessage {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.addLocked(r, who, m)
}

func (f *fake) addLocked(r *fakeRoom, who string, m api.RoomMessage) api.RoomMessage {
	f.ids++
	m.ID, m.Room, m.From, m.FromID, m.Mine = fmt.Sprintf("msg%04d", f.ids), r.ID, who, personID(who), who == f.me
	m.Kind = cmp.Or(m.Kind, "text")
	if m.Time.IsZero() {
		m.Time = time.Now().Add(time.Duration(f.ids) * time.Millisecond)
	}
	i, _ := slices.BinarySearchFunc(r.messages, m.Time, func(a api.RoomMessage, at time.Time) int { return cmp.Or(a.Time.Compare(at), -1) })
	r.messages = slices.Insert(r.messages, i, m)
	f.publish(api.RoomEvent{Type: api.RoomNewMessage, Room: r.ID, Name: r.Name, Message: &m})
	return m
}

func (f *fake) say(r *fakeRoom, who, text string) api.RoomMessage {
	return f.add(r, who, api.RoomMessage{Text: text})
}

// change changes a message.
func (f *fake) change(r *fakeRoom, id string, with func(*api.RoomMessage)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.IndexFunc(r.messages, func(m api.RoomMessage) bool { return m.ID == id })
	with(&r.messages[i])
	m := r.messages[i]
	f.publish(api.RoomEvent{Type: api.RoomChanged, Room: r.ID, Message: &m})
}

// alter changes a room, and says why.
func (f *fake) alter(r *fakeRoom, who, done, whom string, with func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	with()
	if done != "" {
		f.addLocked(r, who, api.RoomMessage{Kind: "control", Done: done, Whom: whom, Text: strings.TrimSpace(who + " " + done + " " + whom)})
	}
	f.publish(api.RoomEvent{Type: api.RoomItself, Room: r.ID})
}

func (r *fakeRoom) drop(name string) {
	r.members = slices.DeleteFunc(r.members, func(m api.RoomMember) bool { return m.Name == name })
}

func (f *fake) is() (func(), error) {
	f.mu.Lock()
	return f.mu.Unlock, f.broken
}

func (f *fake) find(room string) (*fakeRoom, error) {
	for _, r := range f.rooms {
		if r.ID == room || r.Name == strings.TrimPrefix(room, "#") {
			return r, nil
		}
	}
	return nil, &api.Error{Code: "not-found", Message: "there is no room " + room}
}

func (r *fakeRoom) shown() api.Room {
	out := r.Room
	out.Members = len(r.members)
	if n := len(r.messages); n > 0 {
		out.Last = &r.messages[n-1]
	}
	return out
}

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

func (f *fake) RoomEvents(ctx context.Context, after uint64) iter.Seq2[api.RoomEvent, error] {
	return func(yield func(api.RoomEvent, error) bool) {
		f.mu.Lock()
		seq, err := f.seq, f.broken
		if after != 0 {
			seq = after
		}
		f.mu.Unlock()
		if err != nil {
			yield(api.RoomEvent{}, err)
			return
		}
		if !yield(api.RoomEvent{Seq: seq, Type: api.RoomsReady}, nil) {
			return
		}
		for {
			f.mu.Lock()
			changed := f.changed
			var next []api.RoomEvent
			for _, e := range f.events {
				if e.Seq > seq {
					next = append(next, e)
				}
			}
			err := f.broken
			f.mu.Unlock()
			if err != nil {
				yield(api.RoomEvent{}, err)
				return
			}
			for _, e := range next {
				if seq = e.Seq; !yield(e, nil) {
					return
				}
			}
			if len(next) > 0 {
				continue
			}
			select {
			case <-changed:
			case <-ctx.Done():
				yield(api.RoomEvent{}, context.Cause(ctx))
				return
			}
		}
	}
}

var _ Node = (*fake)(nil)
