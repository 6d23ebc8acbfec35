package screen

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/transport"
)

// A fake is a node in memory that does what the comments of package api promise, for a user called me.
type fake struct {
	mu      sync.Mutex // guards all of it
	rooms   []*fakeRoom
	offers  []api.RoomOffer
	drafts  []api.RoomDraft
	down    bool
	last    bool // the user is the only owner of the rooms
	clock   time.Time
	count   int
	asked   []string // which methods, with what
	hearing map[chan api.RoomEvent]bool
	fetch   func(ctx context.Context, yield func(api.FetchEvent, error) bool) // what comes of what is fetched
}

type fakeRoom struct {
	api.Room
	members  []api.RoomMember
	messages []api.RoomMessage
}

var began = time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)

func newFake() *fake { return &fake{clock: began, hearing: map[chan api.RoomEvent]bool{}} }

var errDown = errors.New("no node is running")

// room adds one, with members.
func (f *fake) room(name string, who ...string) *fakeRoom {
	r := &fakeRoom{Room: api.Room{ID: "id-" + name, Name: name, State: api.RoomInside, Role: "owner", Members: len(who) + 1}}
	r.members = []api.RoomMember{{ID: "id-me", Name: "me", Role: "owner", Me: true, Online: true}}
	for i, w := range who {
		r.members = append(r.members, api.RoomMember{ID: "id-" + w, Name: w, Role: "member", Online: i%2 == 0, Devices: []string{"dev-" + w}})
		r.Online += 1 - i%2
	}
	f.rooms = append(f.rooms, r)
	return r
}

// says adds a message, a minute after the last one.
func (f *fake) says(r *fakeRoom, who, text string) api.RoomMessage {
	f.clock = f.clock.Add(time.Minute)
	f.count++
	e := api.RoomMessage{ID: fmt.Sprintf("m%d", f.count), Room: r.ID, Time: f.clock, Kind: "text", From: who, FromID: "id-" + who, Text: text, Mine: who == "me"}
	if e.Mine {
		e.Delivery = &api.RoomDelivery{State: "queued", Others: len(r.members) - 1}
	} else {
		r.Unread++
		if strings.Contains(text, "@me") {
			e.MentionMe = true
			r.Mentions++
		}
	}
	r.messages = append(r.messages, e)
	return e
}

// hears has somebody say something, and everybody hear of it.
func (f *fake) hears(r *fakeRoom, who, text string) api.RoomMessage {
	f.mu.Lock()
	e := f.says(r, who, text)
	f.mu.Unlock()
	f.tell(api.RoomEvent{Type: api.RoomNewMessage, Room: r.ID, Name: r.Name, Who: who, Message: &e})
	return e
}

func (f *fake) tell(e api.RoomEvent) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.hearing {
		c <- e
	}
}

// do notes what was asked, and fails if the node is down. It leaves the lock to the caller.
func (f *fake) do(what string, args ...any) (unlock func(), err error) {
	f.mu.Lock()
	f.asked = append(f.asked, strings.TrimSpace(what+" "+strings.TrimSuffix(fmt.Sprintln(args...), "\n")))
	if f.down {
		err = errDown
	}
	return f.mu.Unlock, err
}

func (f *fake) find(name string) (*fakeRoom, error) {
	name = strings.TrimLeft(name, "#@")
	for _, r := range f.rooms {
		if r.Name == name || r.ID == name {
			return r, nil
		}
	}
	return nil, api.ErrNotFound
}

func (f *fake) Rooms(context.Context) (out []api.Room, err error) {
	unlock, err := f.do("rooms")
	defer unlock()
	for _, r := range f.rooms {
		out = append(out, r.Room)
	}
	return out, err
}

func (f *fake) Room(_ context.Context, name string) (api.Room, error) {
	unlock, err := f.do("room", name)
	defer unlock()
	r, missing := f.find(name)
	if err = errors.Join(err, missing); err != nil {
		return api.Room{}, err
	}
	return r.Room, nil
}

func (f *fake) RoomMembers(_ context.Context, name string) ([]api.RoomMember, error) {
	unlock, err := f.do("members", name)
	defer unlock()
	r, missing := f.find(name)
	if err = errors.Join(err, missing); err != nil {
		return nil, err
	}
	return slices.Clone(r.members), nil
}

func (f *fake) RoomMessages(_ context.Context, name string, q api.RoomQuery) (p api.RoomPage, err error) {
	unlock, err := f.do("messages", name, q.Before, q.After, q.Search, q.Limit)
	defer unlock()
	r, missing := f.find(name)
	if err = errors.Join(err, missing); err != nil {
		return p, err
	}
	all, limit := r.messages, q.Limit
	if limit == 0 {
		limit = 50
	}
	at := func(id string) int {
		return slices.IndexFunc(all, func(e api.RoomMessage) bool { return e.ID == id })
	}
	switch {
	case q.Search != "":
		all = slices.DeleteFunc(slices.Clone(all), func(e api.RoomMessage) bool {
			return !strings.Contains(e.Text, q.Search) || q.From != "" && e.From != q.From
		})
		if q.Older != "" {
			all = all[:at(q.Older)]
		}
	case q.Before != "":
		i := at(q.Before)
		if i < 0 {
			return p, api.ErrNotFound
		}
		all = all[:i]
	case q.After != "":
		i := at(q.After)
		if i < 0 {
			return p, api.ErrNotFound
		}
		all = all[i+1:]
		p.Messages = slices.Clone(all[:min(limit, len(all))])
		return p, nil
	}
	p.Messages = slices.Clone(all[max(len(all)-limit, 0):])
	if len(all) > limit {
		p.Older = p.Messages[0].ID
	}
	return p, nil
}

func (f *fake) RoomMessage(_ context.Context, name, id string) (api.RoomMessage, error) {
	unlock, err := f.do("message", name, id)
	defer unlock()
	r, missing := f.find(name)
	if err = errors.Join(err, missing); err != nil {
		return api.RoomMessage{}, err
	}
	for _, e := range r.messages {
		if e.ID == id {
			return e, nil
		}
	}
	return api.RoomMessage{}, api.ErrNotFound
}

func (f *fake) RoomOffers(context.Context) ([]api.RoomOffer, error) {
	unlock, err := f.do("offers")
	defer unlock()
	return slices.Clone(f.offers), err
}

func (f *fake) RoomEvents(ctx context.Context, _ uint64) iter.Seq2[api.RoomEvent, error] {
	return func(yield func(api.RoomEvent, error) bool) {
		unlock, err := f.do("events")
		c := make(chan api.RoomEvent, 1000)
		if err == nil {
			f.hearing[c] = true
		}
		unlock()
		if err != nil {
			yield(api.RoomEvent{}, err)
			return
		}
		defer func() { f.mu.Lock(); delete(f.hearing, c); f.mu.Unlock() }()
		if !yield(api.RoomEvent{Type: api.RoomsReady}, nil) {
			return
		}
		for {
			select {
			case e, ok := <-c:
				if !ok {
					yield(api.RoomEvent{}, errDown)
					return
				}
				if !yield(e, nil) {
					return
				}
			case <-ctx.Done():
				yield(api.RoomEvent{}, ctx.Err())
				return
			}
		}
	}
}

// restart ends the node, and has it be there again when up.
func (f *fake) restart(up bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = !up
	for c := range f.hearing {
		close(c)
		delete(f.hearing, c)
	}
}

func (f *fake) Peers(context.Context) ([]api.Peer, error) {
	unlock, err := f.do("peers")
	defer unlock()
	return []api.Peer{{Name: "alice"}, {Name: "bob"}}, err
}

func (f *fake) SayInRoom(_ context.Context, name string, s api.RoomSay) (api.RoomMessage, error) {
	unlock, err := f.do("say", name, s.Text, s.Reply, s.Edit, strings.Join(s.Paths, ","))
	defer unlock()
	r, missing := f.find(name)
	if err = errors.Join(err, missing); err != nil {
		return api.RoomMessage{}, err
	}
	if s.Edit != "" {
		for i := range r.messages {
			if e := &r.messages[i]; e.ID == s.Edit {
				e.Text, e.Edited = s.Text, f.clock
				return *e, nil
			}
		}
		return api.RoomMessage{}, api.ErrNotFound
	}
	e := f.says(r, "me", s.Text)
	last := &r.messages[len(r.messages)-1]
	if s.Reply != "" {
		last.Reply = &api.RoomQuote{ID: s.Reply}
		for _, to := range r.messages {
			if to.ID == s.Reply {
				last.Reply.From, last.Reply.Text = to.From, to.Text
			}
		}
	}
	e = *last
	for c := range f.hearing {
		c <- api.RoomEvent{Type: api.RoomNewMessage, Room: r.ID, Message: &e}
	}
	return e, nil
}

func (f *fake) RoomDrafts(context.Context) ([]api.RoomDraft, error) {
	unlock, err := f.do("drafts")
	defer unlock()
	return slices.Clone(f.drafts), err
}

func (f *fake) KeepRoomDraft(_ context.Context, room string, d api.RoomDraft) error {
	unlock, err := f.do("draft", room, d.Text, d.About, d.Edit)
	defer unlock()
	if err != nil {
		return err
	}
	f.drafts = slices.DeleteFunc(f.drafts, func(x api.RoomDraft) bool { return x.Room == room })
	if d.Room = room; d.Text != "" {
		f.drafts = append(f.drafts, d)
	}
	return nil
}

func (f *fake) ReadRoom(_ context.Context, name, id string) error {
	unlock, err := f.do("read", name, id)
	defer unlock()
	r, missing := f.find(name)
	if err = errors.Join(err, missing); err != nil {
		return err
	}
	r.Unread, r.Mentions = 0, 0
	for _, e := range r.messages {
		if e.ID == id || id == "" {
			r.Read, r.Unread, r.Mentions = e.ID, 0, 0
		} else if !e.Mine {
			r.Unread++
		}
	}
	return nil
}

// simply is for what only is to be asked.
func (f *fake) simply(args ...any) error {
	unlock, err := f.do(args[0].(string), args[1:]...)
	defer unlock()
	return err
}

func (f *fake) DeleteRoomMessage(_ context.Context, r, id string) error {
	return f.simply("delete", r, id)
}
func (f *fake) ReactInRoom(_ context.Context, r, id, emoji string, off bool) error {
	return f.simply("react", r, id, emoji, off)
}
func (f *fake) PinInRoom(_ context.Context, r, id string, off bool) error {
	return f.simply("pin", r, id, off)
}
func (f *fake) TypingInRoom(_ context.Context, r string) error { return f.simply("typing", r) }
func (f *fake) LeaveRoom(_ context.Context, r string, anyway bool) error {
	return f.anyway("leave", r, anyway)
}
func (f *fake) ForgetRoom(_ context.Context, r string, anyway bool) error {
	return f.anyway("forget", r, anyway)
}

// anyway is for what the only owner of a room does only anyway.
func (f *fake) anyway(what, r string, anyway bool) error {
	if anyway {
		return f.simply(what, r, "anyway")
	}
	err := f.simply(what, r)
	if f.last {
		err = transport.Mark(errors.New("you are the only owner"), api.ErrConflict)
	}
	return err
}

func (f *fake) DeclineRoom(_ context.Context, r string) error { return f.simply("decline", r) }
func (f *fake) Block(_ context.Context, p string) error       { return f.simply("block", p) }
func (f *fake) Unblock(_ context.Context, p string) error     { return f.simply("unblock", p) }
func (f *fake) SetRoomRole(_ context.Context, r, who, role string) error {
	return f.simply("role", r, who, role)
}
func (f *fake) RemoveFromRoom(_ context.Context, r, who string) error {
	return f.simply("remove", r, who)
}
func (f *fake) InviteToRoom(_ context.Context, r string, i api.RoomInvite) (api.RoomInvited, error) {
	err := f.simply("invite", r, i.Peer, i.Role)
	if i.Peer != "" {
		return api.RoomInvited{Member: i.Peer}, err
	}
	return api.RoomInvited{Ticket: "tenon1invite"}, err
}

func (f *fake) ChangeRoom(_ context.Context, name string, c api.RoomChange) (api.Room, error) {
	unlock, err := f.do("change", name)
	defer unlock()
	r, missing := f.find(name)
	if err = errors.Join(err, missing); err != nil {
		return api.Room{}, err
	}
	if c.Topic != nil {
		r.Topic = *c.Topic
	}
	if c.Muted != nil {
		r.Muted = *c.Muted
	}
	if c.Vanish != nil {
		r.Vanish = *c.Vanish
	}
	return r.Room, nil
}

// made returns a room that somebody has asked for.
func (f *fake) made(what, name string, direct bool) (api.Room, error) {
	unlock, err := f.do(what, name)
	defer unlock()
	if err != nil {
		return api.Room{}, err
	}
	if r, err := f.find(name); err == nil {
		return r.Room, nil
	}
	r := f.room(name)
	r.Direct = direct
	return r.Room, nil
}

func (f *fake) CreateRoom(_ context.Context, r api.NewRoom) (api.Room, error) {
	return f.made("create", r.Name, false)
}
func (f *fake) DirectRoom(_ context.Context, p string) (api.Room, error) {
	if p == "nobody" {
		return api.Room{}, api.ErrNotFound
	}
	return f.made("direct", p, true)
}
func (f *fake) JoinRoom(_ context.Context, ticket string) (api.Room, error) {
	return f.made("join", "joined", false)
}
func (f *fake) AcceptRoom(_ context.Context, id string) (api.Room, error) {
	f.mu.Lock()
	f.offers = nil
	f.mu.Unlock()
	return f.made("accept", strings.TrimPrefix(id, "id-"), false)
}

func (f *fake) RoomFiles(_ context.Context, name string) (all []api.RoomFileSaid, err error) {
	unlock, err := f.do("files", name)
	defer unlock()
	r, missing := f.find(name)
	if err = errors.Join(err, missing); err != nil {
		return nil, err
	}
	for _, e := range r.messages {
		switch {
		case e.File == nil:
		case e.File.Here:
			all = append(all, api.RoomFileSaid{Message: e, Paths: []string{"/home/me/" + e.File.Name}})
		case e.From == "alice":
			all = append(all, api.RoomFileSaid{Message: e, At: []string{"alice"}})
		default:
			all = append(all, api.RoomFileSaid{Message: e})
		}
	}
	return all, nil
}

func (f *fake) Fetch(ctx context.Context, r api.FetchRequest) iter.Seq2[api.FetchEvent, error] {
	unlock, _ := f.do("fetch", r.Room, r.Message, r.Target)
	defer unlock()
	return func(yield func(api.FetchEvent, error) bool) {
		if f.fetch != nil {
			f.fetch(ctx, yield)
		}
	}
}
