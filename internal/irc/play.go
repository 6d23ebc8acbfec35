package irc

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
)

// How much of a history is played to a client that does not ask for it itself.
const (
	played = 50  // messages, to who says not which client it is, or is new
	missed = 500 // at most, to one that was there before
)

// A received is what of a room a client has got.
type received struct {
	ID      string    `json:"id"` // of the last message
	Time    time.Time `json:"time"`
	Arrived int64     `json:"arrived,omitempty"` // the Last of a page that was played: what comes late is among what arrives from there on
	Late    string    `json:"late,omitempty"`    // IDs of such messages that it has got, with spaces between them
}

// maxLate is how many bytes of IDs are remembered of messages that came late.
const maxLate = 64 * 65

// play plays what was said in a room: to a client that was there before, what it has missed. Who knows CHATHISTORY asks for it.
func (s *session) play(ctx context.Context, c *channel) error {
	if s.caps.has(capHistory) {
		return s.prime(ctx, c)
	}
	all, err := s.unseen(ctx, c.id, played)
	if err != nil {
		return s.lost(err)
	}
	s.show(c, all, "")
	return nil
}

// unseen returns what is played of a room: what the client has not got; if it, or the room, is new, the last messages.
func (s *session) unseen(ctx context.Context, room string, fresh int) ([]api.RoomMessage, error) {
	last, back := s.server.config.Seen.last(s.client, room)
	limit := missed
	switch {
	case last != (received{}):
	case back:
		limit = played
	default:
		limit = fresh
	}
	page, err := s.world.node.RoomMessages(ctx, room, api.RoomQuery{Limit: max(limit, 1)})
	if err != nil {
		return nil, err
	}
	all := page.Messages
	if n := len(all); n > 0 && limit == 0 {
		last, all = received{ID: all[n-1].ID, Time: all[n-1].Time}, nil // it was read elsewhere
	} else if last != (received{}) {
		late, err := s.late(ctx, room, last)
		if err != nil {
			return nil, err
		}
		all = append(late, after(all, last)...)
	}
	if s.client != "" {
		s.world.mu.Lock()
		defer s.world.mu.Unlock()
		g := s.got[room]
		if g.Time.Before(last.Time) {
			g.ID, g.Time = last.ID, last.Time
		}
		g.Arrived, g.Late = page.Last, ""
		s.got[room] = g
	}
	return all, nil
}

// late returns what has come late since the client was here: it is dated before what the client has got.
func (s *session) late(ctx context.Context, room string, last received) (all []api.RoomMessage, err error) {
	for at, n := last.Arrived, 0; at > 0 && n < maxPages; n++ {
		page, err := s.world.node.RoomMessages(ctx, room, api.RoomQuery{Arrived: at, Limit: maxHistory})
		if err != nil {
			return nil, err
		}
		for _, m := range page.Messages {
			if m.Late && !m.Time.After(last.Time) && m.ID != last.ID && !slices.Contains(strings.Fields(last.Late), m.ID) {
				all = append(all, m)
			}
		}
		if len(page.Messages) < maxHistory || page.Last <= at {
			break
		}
		at = page.Last
	}
	return all, nil
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
		if !r.Direct || r.Last == nil {
			continue
		}
		all, err := s.unseen(ctx, r.ID, min(r.Unread, played))
		if errors.Is(err, api.ErrNotFound) {
			continue
		}
		if err != nil {
			return s.lost(err)
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
