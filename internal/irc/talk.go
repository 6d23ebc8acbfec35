package irc

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ergochat/irc-go/ircmsg"

	"github.com/tenon-net/tenon/internal/node/api"
)

// maxText is how many bytes of text a message may have.
const maxText = 60 << 10

// maxTargets is to how many a line may be said.
const maxTargets = 4

// privmsgCmd says something.
func (s *session) privmsgCmd(ctx context.Context, p []string, m *ircmsg.Message) error {
	switch {
	case len(p) == 0:
		s.numeric(errNoRecipient, "to whom?")
		return nil
	case len(p) < 2 || p[1] == "":
		s.numeric(errNoTextToSend, "there is no text")
		return nil
	}
	targets := strings.Split(p[0], ",")
	for _, target := range targets[:min(len(targets), maxTargets)] {
		text, ok := s.plainText(p[1], m.Command == "NOTICE")
		if ok {
			s.say(ctx, target, api.RoomSay{Text: text, Reply: replyOf(m)})
		}
	}
	return nil
}

// replyOf is the ID of the message that a line answers.
func replyOf(m *ircmsg.Message) string {
	for _, tag := range []string{"+draft/reply", "+reply"} {
		if ok, id := m.GetTag(tag); ok {
			return id
		}
	}
	return ""
}

// plainText is what a line says without what only IRC clients know: /me is written out, and colours are left out. It is false
// if nothing is to be said.
func (s *session) plainText(text string, notice bool) (string, bool) {
	if inner, ok := strings.CutPrefix(text, "\x01"); ok {
		verb, rest, _ := strings.Cut(strings.TrimSuffix(inner, "\x01"), " ")
		switch {
		case verb == "ACTION" && !notice:
			text = "/me " + rest
		case verb == "DCC":
			s.reply(&msg{cmd: "NOTICE", params: []string{s.me(), "files do not go by DCC here: tenon send FILE gives one to somebody, tenon share FILE to a room"}})
			return "", false
		default:
			if !notice {
				s.reply(&msg{cmd: "NOTICE", params: []string{s.me(), "CTCP " + oneWord(verb) + " is not carried"}})
			}
			return "", false
		}
	}
	return unformatted(text), true
}

// unformatted is a text without the formatting codes of IRC (https://modern.ircdocs.horse/formatting) and other control characters.
func unformatted(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		i += n
		switch {
		case r == 0x03:
			i += colour(text[i:], 2, "0123456789")
		case r == 0x04:
			i += colour(text[i:], 6, "0123456789abcdefABCDEF")
		case r == '\t' || r == '\n' || r >= ' ' && r != 0x7f:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// colour is the length of a colour, or two with a comma between them, of at most so many digits each.
func colour(s string, digits int, of string) (n int) {
	one := func(s string) (n int) {
		for n < len(s) && n < digits && strings.IndexByte(of, s[n]) >= 0 {
			n++
		}
		return n
	}
	n = one(s)
	if n > 0 && n < len(s) && s[n] == ',' {
		if m := one(s[n+1:]); m > 0 {
			n += 1 + m
		}
	}
	return n
}

// say says something in a room, or to a person.
func (s *session) say(ctx context.Context, target string, say api.RoomSay) {
	if len(say.Text) > maxText {
		s.numeric(errCannotSend, oneWord(target), "that is too long")
		return
	}
	c, err := s.place(ctx, target)
	if err != nil {
		s.refused(errCannotSend, target, err)
		return
	}
	if c == nil {
		return
	}
	m, err := s.world.node.SayInRoom(ctx, c.id, say)
	if err != nil {
		s.refused(errCannotSend, target, err)
		return
	}
	w := s.world
	w.mu.Lock()
	c.shown.note(&m)
	s.sent.add(m.ID)
	s.has(c, &m)
	var lines []*msg
	if s.caps.has(capEcho) {
		lines = s.render(c, &m, echo)
	}
	p := c.other()
	away := c.room.Direct && p != nil && !p.online
	nick := c.name
	w.mu.Unlock()
	for _, l := range lines {
		s.reply(l)
	}
	if away {
		s.numeric(rplAway, nick, "not connected now: it is delivered when your nodes meet")
	}
	if !s.caps.has(capReadMarker) { // who writes has read what was there
		if err := w.node.ReadRoom(ctx, c.id, m.ID); err != nil {
			s.server.config.Tell("irc: " + err.Error())
		}
	}
}

// place finds where something is to be said, and begins a conversation if there is none. If there is no such place it answers
// so, and returns nil.
func (s *session) place(ctx context.Context, target string) (*channel, error) {
	w := s.world
	if err := w.meetPeers(ctx, target); err != nil {
		return nil, err
	}
	w.mu.Lock()
	c, p := w.target(target)
	peer := ""
	if p != nil {
		c, peer = w.direct(p), p.peer
	}
	w.mu.Unlock()
	switch {
	case c != nil:
		return c, nil
	case strings.HasPrefix(target, "#"):
		s.numeric(errNoSuchChannel, oneWord(target), "you are in no such room: /list shows yours")
		return nil, nil
	case p == nil:
		s.numeric(errNoSuchNick, oneWord(target), "nobody is called so here: tenon peers lists whom you know")
		return nil, nil
	case p.me:
		s.numeric(errCannotSend, oneWord(target), "that is you")
		return nil, nil
	}
	r, err := w.node.DirectRoom(ctx, peer)
	if err != nil {
		return nil, err
	}
	if err := w.refresh(ctx, r.ID); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if c = w.channels[r.ID]; c == nil {
		return nil, errTarget
	}
	return c, nil
}

// A reaction is one of the user's.
type reaction struct {
	id, emoji string
	off       bool
}

// typingEvery is how often others are told that the user is writing: clients say so every three seconds.
const typingEvery = 2 * time.Second

// tagmsgCmd says that the user is writing, or reacts to a message.
func (s *session) tagmsgCmd(ctx context.Context, p []string, m *ircmsg.Message) error {
	c, err := s.historyOf(p[0])
	if err != nil || c == nil {
		return nil // a hint about something that there is not
	}
	if _, typing := m.GetTag("+typing"); typing == "active" && time.Since(s.typed[c]) > typingEvery {
		s.typed[c] = time.Now()
		if err := s.world.node.TypingInRoom(ctx, c.id); err != nil {
			return s.lost(err)
		}
	}
	r := reaction{id: replyOf(m)}
	tag := "+draft/react"
	ok, emoji := m.GetTag(tag)
	if !ok {
		tag, r.off = "+draft/unreact", true
		ok, emoji = m.GetTag(tag)
	}
	if !ok || r.id == "" || emoji == "" {
		return nil
	}
	r.emoji = emoji
	s.reacts(r, 1)
	if err := s.world.node.ReactInRoom(ctx, c.id, r.id, r.emoji, r.off); err != nil {
		s.reacts(r, -1)
		s.fail("TAGMSG", "CANNOT_REACT", oneWord(p[0]), reason(err))
		return nil
	}
	if s.caps.has(capEcho) {
		s.reply(&msg{cmd: "TAGMSG", from: s.world.me, params: []string{s.world.nameOf(c)}, time: time.Now(), tags: map[string]string{tag: r.emoji, "+draft/reply": r.id}})
	}
	return nil
}

// reacts counts the reactions that the client is not told of, as it has made them itself.
func (s *session) reacts(r reaction, n int) {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	if len(s.reacting) > 100 {
		clear(s.reacting) // the node has not told of them, as they changed nothing
	}
	if s.reacting[r] += n; s.reacting[r] <= 0 {
		delete(s.reacting, r)
	}
}

// redactCmd takes a message back (https://ircv3.net/specs/extensions/message-redaction).
func (s *session) redactCmd(ctx context.Context, p []string, _ *ircmsg.Message) error {
	c, err := s.historyOf(p[0])
	if err != nil || c == nil {
		s.fail("REDACT", "INVALID_TARGET", oneWord(p[0]), errTarget.Error())
		return nil
	}
	if err := s.world.node.DeleteRoomMessage(ctx, c.id, p[1]); err != nil {
		s.fail("REDACT", redactCode(err), oneWord(p[0])+" "+oneWord(p[1]), reason(err))
	}
	return nil
}
