package irc

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/ergochat/irc-go/ircmsg"

	"github.com/tenon-net/tenon/internal/node/api"
)

// joinCmd shows rooms.
func (s *session) joinCmd(ctx context.Context, p []string, _ *ircmsg.Message) error {
	for name := range strings.SplitSeq(p[0], ",") {
		if name == "0" { // all are left, by RFC 2812 section 3.2.1
			s.partAll()
			continue
		}
		if err := s.join(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) join(ctx context.Context, name string) error {
	w := s.world
	w.mu.Lock()
	c := w.byName[fold(name)]
	offer, offered := w.offered(name)
	w.mu.Unlock()
	switch {
	case c != nil:
		s.setParted(c, false)
		return s.enter(ctx, c)
	case offered:
		if err := s.accept(ctx, offer); err != nil {
			s.refused(errNoSuchChannel, name, err)
		}
		return nil
	}
	s.numeric(errNoSuchChannel, oneWord(name), "you are in no such room: /list shows yours; in a shell, tenon room new NAME makes one, and tenon room join TICKET enters one")
	return nil
}

// accept enters a room that is offered.
func (s *session) accept(ctx context.Context, o api.RoomOffer) error {
	r, err := s.world.node.AcceptRoom(ctx, o.ID)
	if err != nil {
		return err
	}
	if err := errors.Join(s.world.refresh(ctx, r.ID), s.world.lookOffers(ctx)); err != nil {
		return err
	}
	s.world.mu.Lock()
	c := s.world.channels[r.ID]
	s.world.mu.Unlock()
	if c == nil {
		s.reply(&msg{cmd: "NOTICE", params: []string{s.me(), "the room is shown as soon as somebody of it is met, who lets you in"}})
		return nil
	}
	return s.enter(ctx, c)
}

// enterLater has the client join a room that has come. It is called with the lock of the world held.
func (s *session) enterLater(c *channel) {
	s.entering = append(s.entering, c)
	s.wakeUp()
}

func (s *session) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// enterNew joins one of the rooms that have come, and has itself called again while there are more; at the end it plays the
// conversations of a client that has just registered.
func (s *session) enterNew(ctx context.Context) error {
	s.world.mu.Lock()
	slices.SortFunc(s.entering, func(a, b *channel) int { return strings.Compare(fold(a.name), fold(b.name)) })
	if len(s.entering) > 0 {
		c := s.entering[0]
		s.entering = s.entering[1:]
		s.wakeUp()
		s.world.mu.Unlock()
		return s.enter(ctx, c)
	}
	greeting := s.greeting
	s.greeting = false
	s.world.mu.Unlock()
	if greeting {
		return s.playDirect(ctx)
	}
	return nil
}

// enter shows a room to the client, with its latest messages.
func (s *session) enter(ctx context.Context, c *channel) error {
	w := s.world
	w.mu.Lock()
	if s.joined[c] || w.channels[c.id] != c {
		w.mu.Unlock()
		return nil
	}
	s.joined[c] = true
	lines := s.welcomeTo(c)
	room := c.room
	w.mu.Unlock()
	for _, l := range lines {
		s.reply(l)
	}
	if s.caps.has(capReadMarker) {
		at, err := readTime(ctx, w.node, room)
		if err != nil {
			return s.lost(err)
		}
		s.reply(&msg{cmd: "MARKREAD", params: []string{w.nameOf(c), stamp(at)}})
	}
	if !s.caps.has(capNoNames) {
		s.names(c)
	}
	return s.play(ctx, c)
}

// welcomeTo is what a client is told of a room that it joins, up to who is in it. It is called with the lock of the world held.
func (s *session) welcomeTo(c *channel) []*msg {
	lines := []*msg{{cmd: "JOIN", from: s.world.me, params: []string{c.name}}}
	lines[0].resolve()
	if t := c.topic(); t != "" {
		lines = append(lines, &msg{cmd: rplTopic, params: []string{s.world.me.nick, c.name, t}})
	}
	return lines
}

// topic is what a channel is about, as much of it as there is room for.
func (c *channel) topic() string {
	return ircmsg.TruncateUTF8Safe(c.room.Topic, maxTopic)
}

// nameOf is what a channel is called now.
func (w *world) nameOf(c *channel) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return c.name
}

// partCmd hides rooms. The user stays in them.
func (s *session) partCmd(_ context.Context, p []string, _ *ircmsg.Message) error {
	for name := range strings.SplitSeq(p[0], ",") {
		c := s.channel(name)
		if c != nil {
			s.part(c)
		}
	}
	return nil
}

func (s *session) part(c *channel) {
	w := s.world
	w.mu.Lock()
	delete(s.joined, c)
	line := &msg{cmd: "PART", from: w.me, params: []string{c.name}}
	line.resolve()
	w.mu.Unlock()
	s.setParted(c, true)
	s.reply(line)
}

func (s *session) partAll() {
	s.world.mu.Lock()
	all := make([]*channel, 0, len(s.joined))
	for c := range s.joined {
		all = append(all, c)
	}
	s.world.mu.Unlock()
	for _, c := range all {
		s.part(c)
	}
}

func (s *session) setParted(c *channel, parted bool) {
	s.world.mu.Lock()
	if parted {
		s.parted[c.id] = true
	} else {
		delete(s.parted, c.id)
	}
	s.world.mu.Unlock()
	s.server.config.Seen.setParted(s.client, c.id, parted)
}

// channel finds a room that the client shows, or answers that there is none.
func (s *session) channel(name string) *channel {
	w := s.world
	w.mu.Lock()
	c := w.byName[fold(name)]
	joined := c != nil && s.joined[c]
	w.mu.Unlock()
	switch {
	case c == nil:
		s.numeric(errNoSuchChannel, oneWord(name), "you are in no such room: /list shows yours")
		return nil
	case !joined:
		s.numeric(errNotOnChannel, oneWord(name), "this client does not show that room: /join does")
		return nil
	}
	return c
}
