package irc

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/node/api"
)

// How long it takes until a node is asked again that does not answer, and until it is asked who is connected after
// somebody has come or gone: many do at once.
const (
	firstAgain   = 250 * time.Millisecond
	lastAgain    = 10 * time.Second
	presenceTime = 500 * time.Millisecond
)

// follow has clients know of what happens, until the server ends. When it does it tells ready, once.
func (s *Server) follow(ready chan<- error) {
	presence := &stale{kick: make(chan struct{}, 1)}
	var look sync.WaitGroup
	defer look.Wait()
	look.Go(func() { s.lookAgain(presence) })
	after, again := uint64(0), firstAgain
	for s.life.Err() == nil {
		err := errors.New("the node tells of nothing any more")
		for e, fault := range s.config.Node.RoomEvents(s.life, after) {
			if err = fault; err != nil {
				break
			}
			if err = s.happens(&e, presence); err != nil && (e.Type == api.RoomsReady || e.Type == api.RoomsLost) {
				break // without that, nothing is true
			} else if err != nil && s.life.Err() == nil {
				s.config.Tell("irc: " + neutral.Line(err.Error()))
			}
			if after, again = e.Seq, firstAgain; ready != nil {
				ready <- nil
				ready = nil
			}
		}
		if ready != nil {
			ready <- err
			return
		}
		select {
		case <-s.life.Done():
		case <-time.After(again):
			again = min(2*again, lastAgain)
		}
	}
}

// happens has the world follow an event.
func (s *Server) happens(e *api.RoomEvent, presence *stale) error {
	ctx, cancel := context.WithTimeout(s.life, commandTime)
	defer cancel()
	w := s.world
	switch e.Type {
	case api.RoomsReady, api.RoomsLost:
		if err := w.load(ctx); err != nil {
			return err
		}
		return w.catchUp(ctx, "")
	case api.RoomNewMessage:
		if e.Message != nil {
			return s.said(ctx, e.Message)
		}
	case api.RoomChanged:
		if e.Message != nil {
			w.changed(e.Message)
		}
	case api.RoomItself:
		return s.room(ctx, e.Room)
	case api.RoomRead:
		return w.read(ctx, e.Room)
	case api.RoomOffered:
		return w.lookOffers(ctx)
	case api.RoomTyping:
		w.typing(e)
	case api.RoomPresence:
		presence.add(e.Room)
	}
	return nil
}

// room looks at a room anew, and at what is offered: it may be one that was.
func (s *Server) room(ctx context.Context, id string) error {
	err := s.world.refresh(ctx, id)
	if errors.Is(err, api.ErrNotFound) {
		return s.world.load(ctx) // it was forgotten
	}
	return errors.Join(err, s.world.lookOffers(ctx))
}

// said tells of a message. If it is of somebody or about something that is not known yet, the room is looked at first.
func (s *Server) said(ctx context.Context, m *api.RoomMessage) error {
	w := s.world
	w.mu.Lock()
	c := w.channels[m.Room]
	known := c != nil && (m.Mine || w.people[m.FromID] != nil)
	w.mu.Unlock()
	if !known || m.Kind == "control" {
		if err := s.room(ctx, m.Room); err != nil {
			return err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.channels[m.Room]; c != nil {
		w.deliver(c, m)
	}
	return nil
}

// catchUp tells of what was said in all rooms while events were lost, or in one before it was known; "" = in all.
func (w *world) catchUp(ctx context.Context, room string) error {
	w.mu.Lock()
	last := map[string]string{}
	for _, c := range w.channels {
		if c.room.Last != nil && c.last != c.room.Last.ID && (room == "" || c.id == room && c.last == "") {
			last[c.id] = c.last
		}
	}
	w.mu.Unlock()
	for id, after := range last {
		for range maxPages {
			q := api.RoomQuery{After: after, Limit: maxHistory}
			if after == "" {
				q.Limit = played
			}
			page, err := w.node.RoomMessages(ctx, id, q)
			if err != nil {
				return err
			}
			w.mu.Lock()
			for i := range page.Messages {
				if c := w.channels[id]; c != nil {
					w.deliver(c, &page.Messages[i])
				}
			}
			w.mu.Unlock()
			if after == "" || len(page.Messages) < maxHistory {
				break
			}
			after = page.Messages[len(page.Messages)-1].ID
		}
	}
	return nil
}

// read tells how far the user has read.
func (w *world) read(ctx context.Context, room string) error {
	r, err := w.node.Room(ctx, room)
	if err != nil {
		return err
	}
	at, err := readTime(ctx, w.node, r)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.channels[room]
	if c == nil {
		return nil
	}
	for s := range w.sessions {
		if c.room.Direct || s.joined[c] {
			s.tellRead(c, at)
		}
	}
	return nil
}

// typing tells that somebody is writing.
func (w *world) typing(e *api.RoomEvent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.channels[e.Room]
	if c == nil {
		return
	}
	p := w.called(e.Who, c)
	if p == nil || p.me {
		return
	}
	for s := range w.sessions {
		if s.caps.has(capTags) && s.shows(c) {
			s.tell(&msg{cmd: "TAGMSG", from: p, params: []string{s.targetOf(c, p)}, tags: map[string]string{"+typing": "active"}})
		}
	}
}

// A stale is which rooms are to be looked at again.
type stale struct {
	kick chan struct{}

	mu    sync.Mutex // guards rooms
	rooms []string
}

func (x *stale) add(room string) {
	x.mu.Lock()
	if !slices.Contains(x.rooms, room) {
		x.rooms = append(x.rooms, room)
	}
	x.mu.Unlock()
	select {
	case x.kick <- struct{}{}:
	default:
	}
}

// lookAgain looks at who is connected, some time after somebody has come or gone.
func (s *Server) lookAgain(x *stale) {
	for {
		select {
		case <-x.kick:
		case <-s.life.Done():
			return
		}
		select {
		case <-time.After(presenceTime):
		case <-s.life.Done():
			return
		}
		x.mu.Lock()
		rooms := x.rooms
		x.rooms = nil
		x.mu.Unlock()
		if err := s.lookAt(rooms); err != nil && s.life.Err() == nil {
			s.config.Tell("irc: " + neutral.Line(err.Error()))
		}
	}
}

func (s *Server) lookAt(rooms []string) error {
	ctx, cancel := context.WithTimeout(s.life, commandTime)
	defer cancel()
	if err := s.world.lookPeers(ctx); err != nil {
		return err
	}
	for _, room := range rooms {
		if room == "" {
			return s.world.load(ctx)
		}
		if err := s.world.refresh(ctx, room); err != nil && !errors.Is(err, api.ErrNotFound) {
			return err
		}
	}
	return nil
}
