package irc

import (
	"context"
	"errors"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
)

// How much of a history is played to a client that does not ask for it itself.
const (
	played = 50  // messages, to who says not which client it is, or is new
	missed = 500 // at most, to one that was there before
)

// A received is the last message of a room that a client has got.
type received struct {
	ID   string    `json:"id"`
	Time time.Time `json:"time"`
}

// play plays what was said in a room: to a client that was there before, what it has missed. Who knows CHATHISTORY asks for it.
func (s *session) play(ctx context.Context, c *channel) error {
	if s.caps.has(capHistory) {
		return s.prime(ctx, c)
	}
	last, back := s.server.config.Seen.last(s.client, c.id)
	limit := missed
	if last == (received{}) {
		limit, back = played, false // the client, or the room, is new
	}
	page, err := s.world.node.RoomMessages(ctx, c.id, api.RoomQuery{Limit: limit})
	if err != nil {
		return s.lost(err)
	}
	all := page.Messages
	if back {
		all = after(all, last)
	}
	s.show(c, all, "")
	return nil
}

// after is what comes after the last one that was received.
func after(all []api.RoomMessage, last received) []api.RoomMessage {
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].ID == last.ID || all[i].Time.Before(last.Time) {
			return all[i+1:]
		}
	}
	return all
}

// prime has it remembered what the latest messages are, so that it can be told how they change.
func (s *session) prime(ctx context.Context, c *channel) error {
	s.world.mu.Lock()
	known := len(c.shown.of) > 0
	s.world.mu.Unlock()
	if known {
		return nil
	}
	page, err := s.world.node.RoomMessages(ctx, c.id, api.RoomQuery{Limit: 100})
	if err != nil {
		return s.lost(err)
	}
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	for i := range page.Messages {
		c.shown.note(&page.Messages[i])
	}
	return nil
}

// show writes a part of a history, as a batch for those who know that. The lines are answers.
func (s *session) show(c *channel, all []api.RoomMessage, about string) {
	s.world.mu.Lock()
	name := c.name
	if about != "" {
		name = about
	}
	ref := s.newBatchLocked()
	var out [][]*msg
	for i := range all {
		m := &all[i]
		c.shown.note(m)
		if !s.displays(c, m) {
			continue
		}
		out = append(out, inBatch(ref, s.render(c, m, again)))
		s.sent.add(m.ID)
		s.has(c, m)
	}
	s.world.mu.Unlock()
	if len(out) == 0 && about == "" {
		return
	}
	s.reply(&msg{cmd: "BATCH", params: []string{"+" + ref, "chathistory", name}})
	for _, lines := range out {
		for _, l := range lines {
			s.reply(l)
		}
	}
	s.reply(&msg{cmd: "BATCH", params: []string{"-" + ref}})
}

// displays tells whether a message is shown in a history.
func (s *session) displays(c *channel, m *api.RoomMessage) bool {
	if m.Waiting || m.Deleted || m.Erased {
		return false
	}
	return m.Kind != "control" || s.caps.has(capPlayback) && !c.room.Direct
}

// playDirect plays the conversations: what the client has missed, or if it is new what the user has not read.
func (s *session) playDirect(ctx context.Context) error {
	if s.caps.has(capHistory) {
		return nil
	}
	rooms, err := s.world.node.Rooms(ctx)
	if err != nil {
		return s.lost(err)
	}
	for _, r := range rooms {
		last, back := s.server.config.Seen.last(s.client, r.ID)
		if !r.Direct || r.Last == nil || r.Last.ID == last.ID {
			continue
		}
		limit := missed
		if !back {
			if limit = min(r.Unread, played); limit == 0 {
				s.skip(r)
				continue
			}
		}
		page, err := s.world.node.RoomMessages(ctx, r.ID, api.RoomQuery{Limit: limit})
		if errors.Is(err, api.ErrNotFound) {
			continue
		}
		if err != nil {
			return s.lost(err)
		}
		all := page.Messages
		if back {
			all = after(all, last)
		}
		s.world.mu.Lock()
		c := s.world.channels[r.ID]
		s.world.mu.Unlock()
		if c != nil {
			s.show(c, all, "")
		}
	}
	return nil
}

// skip notes that a new client needs nothing of a conversation.
func (s *session) skip(r api.Room) {
	if s.client == "" {
		return
	}
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.got[r.ID] = received{r.Last.ID, r.Last.Time}
}
