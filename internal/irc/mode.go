package irc

import (
	"context"
	"errors"
	"strings"

	"github.com/ergochat/irc-go/ircmsg"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/transport"
)

// maxModes is how many roles are changed by one line.
const maxModes = 4

// Roles of the node.
const (
	owner  = "owner"
	writer = "member"
	reader = "reader"
)

// modeCmd tells modes, and changes roles: an owner has o, and who may write has v.
func (s *session) modeCmd(ctx context.Context, p []string, _ *ircmsg.Message) error {
	if !strings.HasPrefix(p[0], "#") {
		if fold(p[0]) != fold(s.me()) {
			s.numeric(errUsersDontMatch, "modes of others cannot be changed")
			return nil
		}
		s.numeric(rplUModeIs, "+i")
		return nil
	}
	w := s.world
	w.mu.Lock()
	c := w.byName[fold(p[0])]
	w.mu.Unlock()
	switch {
	case c == nil:
		s.numeric(errNoSuchChannel, oneWord(p[0]), "you are in no such room: /list shows yours")
		return nil
	case len(p) == 1:
		s.numeric(rplChannelModeIs, w.nameOf(c), channelModes)
		return nil
	}
	on, nicks := true, p[2:]
	for _, mode := range p[1] {
		switch mode {
		case '+':
			on = true
		case '-':
			on = false
		case 'b':
			s.numeric(rplEndOfBans, w.nameOf(c), "nobody is kept out: who is not in the room does not enter")
		case 'o', 'v':
			if len(nicks) == 0 || len(p[2:])-len(nicks) >= maxModes {
				s.numeric(errNeedMore, "MODE", "whose role? four at a time")
				return nil
			}
			s.setRole(ctx, c, nicks[0], mode, on)
			nicks = nicks[1:]
		case 'i', 'm', 'n', 't':
			s.numeric(errNoPrivileges, w.nameOf(c), "every room is "+channelModes+": by invitation, for members, and its owners say what it is about")
		default:
			s.numeric(errUnknownMode, oneWord(string(mode)), "there is no such mode")
		}
	}
	return nil
}

// setRole gives somebody another role.
func (s *session) setRole(ctx context.Context, c *channel, nick string, mode rune, on bool) {
	m, ok := s.member(c, nick)
	if !ok {
		return
	}
	role := m.role
	switch {
	case mode == 'o' && on:
		role = owner
	case mode == 'o' && m.role == owner:
		role = writer
	case mode == 'v' && on && m.role != owner:
		role = writer
	case mode == 'v' && !on && m.role == writer:
		role = reader
	}
	if role == m.role {
		return
	}
	s.done(ctx, c, s.world.node.SetRoomRole(ctx, c.id, m.id, role))
}

// done answers if something was not done to a room, and else has all clients see it before the next command.
func (s *session) done(ctx context.Context, c *channel, err error) {
	if err == nil {
		err = s.world.refresh(ctx, c.id)
	}
	if err != nil {
		s.refused(errNoPrivileges, s.world.nameOf(c), err)
	}
}

// member finds somebody in a room, or answers that he is not in it.
func (s *session) member(c *channel, nick string) (memberID, bool) {
	w := s.world
	w.mu.Lock()
	p := w.byNick[fold(nick)]
	var out memberID
	ok := false
	if p != nil {
		var m member
		if m, ok = c.members[p.id]; ok {
			out = memberID{p.id, m.role}
		}
	}
	name := c.name
	w.mu.Unlock()
	switch {
	case p == nil:
		s.numeric(errNoSuchNick, oneWord(nick), "nobody is called so here")
	case !ok:
		s.numeric(errNotInChannel, oneWord(nick), name, "is not in that room")
	}
	return out, ok
}

// A memberID says who a member is and what he may do.
type memberID struct{ id, role string }

func (s *session) kickCmd(ctx context.Context, p []string, _ *ircmsg.Message) error {
	c := s.channel(p[0])
	if c == nil {
		return nil
	}
	for nick := range strings.SplitSeq(p[1], ",") {
		m, ok := s.member(c, nick)
		if !ok {
			continue
		}
		s.done(ctx, c, s.world.node.RemoveFromRoom(ctx, c.id, m.id))
	}
	return nil
}

func (s *session) inviteCmd(ctx context.Context, p []string, _ *ircmsg.Message) error {
	w := s.world
	if len(p) == 0 {
		w.mu.Lock()
		var names []string
		for _, o := range w.offers {
			names = append(names, w.offerName(o))
		}
		w.mu.Unlock()
		for _, name := range names {
			s.numeric(rplInviteList, name)
		}
		s.numeric(rplEndOfInvites, "/join accepts one")
		return nil
	}
	if len(p) < 2 {
		s.numeric(errNeedMore, "INVITE", "it is INVITE nick #room")
		return nil
	}
	c := s.channel(p[1])
	if c == nil {
		return nil
	}
	if err := w.meetPeers(ctx, p[0]); err != nil {
		return s.lost(err)
	}
	w.mu.Lock()
	who := w.byNick[fold(p[0])]
	name, nick, peer, inside := c.name, "", "", false
	if who != nil {
		nick, peer = who.nick, who.peer
		_, inside = c.members[who.id]
	}
	w.mu.Unlock()
	switch {
	case who == nil:
		s.numeric(errNoSuchNick, oneWord(p[0]), "nobody is called so here: tenon peers lists whom you know, and tenon room invite makes a ticket for others")
		return nil
	case inside:
		s.numeric(errAlreadyOn, nick, name, "is in that room already")
		return nil
	}
	if _, err := w.node.InviteToRoom(ctx, c.id, api.RoomInvite{Peer: peer}); err != nil {
		s.refused(errNoPrivileges, name, err)
		return nil
	}
	s.numeric(rplInviting, nick, name)
	w.mu.Lock()
	for other := range w.sessions {
		if other != s && other.joined[c] && other.caps.has(capInvite) {
			other.tell(&msg{cmd: "INVITE", from: w.me, params: []string{nick, name}})
		}
	}
	w.mu.Unlock()
	s.done(ctx, c, nil)
	return nil
}

func (s *session) topicCmd(ctx context.Context, p []string, _ *ircmsg.Message) error {
	c := s.channel(p[0])
	if c == nil {
		return nil
	}
	if len(p) > 1 {
		topic := unformatted(p[1])
		_, err := s.world.node.ChangeRoom(ctx, c.id, api.RoomChange{Topic: &topic})
		s.done(ctx, c, err)
		return nil
	}
	s.world.mu.Lock()
	name, topic := c.name, c.topic()
	s.world.mu.Unlock()
	if topic == "" {
		s.numeric(rplNoTopic, name, "nobody has said what it is about")
		return nil
	}
	s.numeric(rplTopic, name, topic)
	return nil
}

// redactCode is the code of a standard reply for why a message is not taken back.
func redactCode(err error) string {
	switch {
	case errors.Is(err, api.ErrNotFound):
		return "UNKNOWN_MSGID"
	case errors.Is(err, transport.ErrDenied):
		return "REDACT_FORBIDDEN"
	}
	return "REDACT_WINDOW_EXPIRED"
}
