package irc

import (
	"slices"
	"time"

	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/node/api"
)

// What has happened to messages becomes lines. All here is called with the lock of the world held.

// maxShown is how many messages of a channel are remembered, to tell what of them has changed.
const maxShown = 1000

// A shown is what clients were told of the latest messages of a channel.
type shown struct {
	order *recent[string]
	of    map[string]told
}

// A told is what was told of one.
type told struct {
	edited  time.Time
	deleted bool
	waiting bool
	begins  string              // how its text begins
	from    map[string][]string // who has reacted, by emoji
}

func newShown() *shown { return &shown{newRecent[string](maxShown), map[string]told{}} }

// note remembers what a message is, and returns what it was.
func (x *shown) note(m *api.RoomMessage) (was told, known bool) {
	was, known = x.of[m.ID]
	is := told{edited: m.Edited, deleted: m.Deleted || m.Erased, waiting: m.Waiting, begins: begins(textOf(m)), from: map[string][]string{}}
	for _, r := range m.Reactions {
		is.from[r.Emoji] = r.From
	}
	x.order.add(m.ID)
	x.of[m.ID] = is
	if len(x.of) > 2*maxShown {
		for id := range x.of {
			if !x.order.has(id) {
				delete(x.of, id)
			}
		}
	}
	return was, known
}

// deliver tells of a new message.
func (w *world) deliver(c *channel, m *api.RoomMessage) {
	c.shown.note(m)
	if !m.Time.Before(c.lastTime) {
		c.last, c.lastTime = m.ID, m.Time
	}
	if m.Waiting || m.Deleted || m.Erased {
		return
	}
	for s := range w.sessions {
		if s.shows(c) {
			s.deliver(c, m)
		}
	}
}

// deliver tells a client of a message that it has not got yet.
func (s *session) deliver(c *channel, m *api.RoomMessage) {
	if s.sent.has(m.ID) {
		return
	}
	for _, line := range s.render(c, m, live) {
		s.tellMessage(m.ID, line)
	}
	if !s.busy {
		s.sent.add(m.ID)
	}
	s.has(c, m)
	s.askLocked()
}

// changed tells of what is different of a message now.
func (w *world) changed(m *api.RoomMessage) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.channels[m.Room]
	if c == nil {
		return
	}
	was, known := c.shown.note(m)
	switch {
	case known && was.waiting && !m.Waiting:
		w.deliver(c, m)
		return
	case m.Deleted && (!known || !was.deleted):
		w.tellDeleted(c, m, was.begins)
	case !m.Edited.IsZero() && !m.Deleted && (known && !m.Edited.Equal(was.edited) || !known && m.Edited.After(w.began)):
		for s := range w.sessions {
			if s.shows(c) {
				for _, line := range s.render(c, m, edit) {
					s.tell(line)
				}
			}
		}
	}
	if known && !m.Deleted {
		w.tellReactions(c, m, was)
	}
}

// tellDeleted tells that a message was taken back.
func (w *world) tellDeleted(c *channel, m *api.RoomMessage, began string) {
	p := w.author(m)
	for s := range w.sessions {
		if !s.shows(c) {
			continue
		}
		to := s.targetOf(c, p)
		if s.caps.has(capRedaction) {
			s.tell(&msg{cmd: "REDACT", from: p, params: []string{to, m.ID, "taken back"}})
			continue
		}
		text := "a message of " + p.nick + " was taken back"
		if began != "" {
			text += ": “" + began + "”"
		}
		s.tell(&msg{cmd: "NOTICE", from: p, params: []string{to, text}})
	}
}

// tellReactions tells who has reacted to a message, and who does not any more.
func (w *world) tellReactions(c *channel, m *api.RoomMessage, was told) {
	is := map[string][]string{}
	for _, r := range m.Reactions {
		is[r.Emoji] = r.From
		for _, name := range r.From {
			if !slices.Contains(was.from[r.Emoji], name) {
				w.tellReaction(c, m, name, r.Emoji, false)
			}
		}
	}
	for emoji, names := range was.from {
		for _, name := range names {
			if !slices.Contains(is[emoji], name) {
				w.tellReaction(c, m, name, emoji, true)
			}
		}
	}
}

func (w *world) tellReaction(c *channel, m *api.RoomMessage, name, emoji string, off bool) {
	p := w.called(name, c)
	if p == nil {
		return
	}
	tag := "+draft/react"
	if off {
		tag = "+draft/unreact"
	}
	for s := range w.sessions {
		if !s.shows(c) {
			continue
		}
		if r := (reaction{m.ID, emoji, off}); p.me && s.reacting[r] > 0 {
			s.reacting[r]-- // the client has said so itself
			continue
		}
		if s.modern() {
			s.tell(&msg{cmd: "TAGMSG", from: p, params: []string{s.targetOf(c, p)}, time: time.Now(), tags: map[string]string{tag: emoji, "+draft/reply": m.ID}})
		} else if !off {
			s.tell(&msg{cmd: "NOTICE", from: p, params: []string{s.targetOf(c, p), "reacted with " + neutral.Prose(emoji) + " to “" + begins(textOf(m)) + "”"}})
		}
	}
}

// modern tells whether the client knows client tags that are drafts.
func (s *session) modern() bool { return s.caps.has(capTags) && s.caps&drafts != 0 }

// shows tells whether the client is told of what happens in a channel.
func (s *session) shows(c *channel) bool { return c.room.Direct || s.joined[c] }

// targetOf is to whom a line of p in a channel is: in a conversation, the other one.
func (s *session) targetOf(c *channel, p *person) string {
	if c.room.Direct && !p.me {
		return s.world.me.nick
	}
	return c.name
}
