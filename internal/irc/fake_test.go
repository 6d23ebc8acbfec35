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
