package irc

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/ergochat/irc-go/ircmsg"

	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/node/api"
)

// names tells who is in a room.
func (s *session) names(c *channel) {
	s.world.mu.Lock()
	all := s.nameLines(c)
	s.world.mu.Unlock()
	for _, l := range all {
		s.reply(l)
	}
}

// nameLines are the lines that say who is in a room. It is called with the lock of the world held.
func (s *session) nameLines(c *channel) (all []*msg) {
	me := s.world.me.nick
	var words []string
	for _, m := range c.sorted() {
		word := m.sign() + m.nick
		if s.caps.has(capUserhost) {
			word = m.sign() + m.source()
		}
		words = append(words, word)
	}
	room := maxLine - len(":"+serverName+" 353 "+me+" = "+c.name+" :\r\n")
	for _, line := range lines(words, room) {
		all = append(all, &msg{cmd: rplNames, params: []string{me, "=", c.name, line}})
	}
	return append(all, &msg{cmd: rplEndOfNames, params: []string{me, c.name, "that is all"}})
}

// lines puts words into lines.
func lines(words []string, room int) (all []string) {
	line := ""
	for _, w := range words {
		if line != "" && len(line)+1+len(w) > room {
			all, line = append(all, line), ""
		}
		if line != "" {
			line += " "
		}
		line += w
	}
	if line != "" {
		all = append(all, line)
	}
	return all
}

func (s *session) namesCmd(_ context.Context, p []string, _ *ircmsg.Message) error {
	if len(p) == 0 {
		s.numeric(rplEndOfNames, "*", "which room?")
		return nil
	}
	for name := range strings.SplitSeq(p[0], ",") {
		s.world.mu.Lock()
		c := s.world.byName[fold(name)]
		s.world.mu.Unlock()
		if c == nil {
			s.numeric(rplEndOfNames, oneWord(name), "that is all")
			continue
		}
		s.names(c)
	}
	return nil
}

func (s *session) listCmd(context.Context, []string, *ircmsg.Message) error {
	w := s.world
	w.mu.Lock()
	var rows [][]string
	for _, c := range w.channels {
		if !c.room.Direct {
			rows = append(rows, []string{c.name, strconv.Itoa(len(c.members)), c.topic()})
		}
	}
	for _, o := range w.offers {
		name := w.offerName(o)
		rows = append(rows, []string{name, "0", neutral.Line(o.From) + " offers this room to you: /join " + name + " accepts"})
	}
	w.mu.Unlock()
	slices.SortFunc(rows, func(a, b []string) int { return strings.Compare(fold(a[0]), fold(b[0])) })
	s.numeric(rplListStart, "Channel", "Users  Name")
	for _, r := range rows {
		s.numeric(rplList, r...)
	}
	s.numeric(rplListEnd, "that is all")
	return nil
}

// tellOffer tells of a room that is offered. It is called with the lock of the world held.
func (s *session) tellOffer(o api.RoomOffer) {
	w := s.world
	p := w.with(o.Peer)
	if p == nil {
		p = w.stranger(o.Peer, o.From)
	}
	s.tell(&msg{cmd: "INVITE", from: p, params: []string{w.me.nick, w.offerName(o)}})
}

// tellRenamed tells that a room has another name. It is called with the lock of the world held.
func (s *session) tellRenamed(c *channel, was string) {
	if !s.joined[c] {
		return
	}
	if s.caps.has(capRename) {
		s.tell(&msg{cmd: "RENAME", params: []string{was, c.name, "it is called so now"}})
		return
	}
	s.tell(&msg{cmd: "PART", from: s.world.me, params: []string{was, "it is called " + c.name + " now"}})
	all := s.welcomeTo(c)
	if !s.caps.has(capNoNames) {
		all = append(all, s.nameLines(c)...)
	}
	for _, l := range all {
		s.tell(l)
	}
}
