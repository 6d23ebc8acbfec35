package irc

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/ergochat/irc-go/ircmsg"
)

// A row is what WHO tells of somebody.
type row struct {
	channel, user, host, nick, flags, account, name, op string
}

// whoCmd is WHO, with the fields of WHOX (https://ircv3.net/specs/extensions/whox) if they are asked for.
func (s *session) whoCmd(_ context.Context, p []string, _ *ircmsg.Message) error {
	mask := "*"
	if len(p) > 0 {
		mask = cmp.Or(p[0], "*")
	}
	rows := s.whoRows(mask)
	fields, token, x := "", "", false
	if len(p) > 1 {
		if _, fields, x = strings.Cut(p[1], "%"); x {
			fields, token, _ = strings.Cut(fields, ",")
		}
	}
	for _, r := range rows {
		if x {
			s.numeric(rplWhoSpecial, r.special(fields, token)...)
			continue
		}
		s.numeric(rplWhoReply, r.channel, r.user, r.host, serverName, r.nick, r.flags, "0 "+r.name)
	}
	s.numeric(rplEndOfWho, oneWord(mask), "that is all")
	return nil
}

// special are the fields of WHOX, always in the same order.
func (r row) special(fields, token string) (out []string) {
	for _, f := range "tcuihsnfdlaor" {
		if !strings.ContainsRune(fields, f) {
			continue
		}
		out = append(out, map[rune]string{'t': oneWord(ircmsg.TruncateUTF8Safe(token, 3)), 'c': r.channel, 'u': r.user, 'i': "255.255.255.255", 'h': r.host, 's': serverName,
			'n': r.nick, 'f': r.flags, 'd': "0", 'l': "0", 'a': r.account, 'o': r.op, 'r': r.name}[f])
	}
	return out
}

func (s *session) whoRows(mask string) (rows []row) {
	w := s.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if strings.HasPrefix(mask, "#") {
		if c := w.byName[fold(mask)]; c != nil {
			for _, m := range c.sorted() {
				rows = append(rows, s.row(c.name, m.person, m.sign()))
			}
		}
		return rows
	}
	if p := w.byNick[fold(mask)]; p != nil {
		return []row{s.row("*", p, "")}
	}
	if mask == "*" || mask == "0" {
		for _, p := range w.byNick {
			rows = append(rows, s.row("*", p, ""))
		}
		slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.nick, b.nick) })
	}
	return rows
}

// row is called with the lock of the world held.
func (s *session) row(channel string, p *person, sign string) row {
	r := row{channel: channel, user: p.user, host: p.host, nick: p.nick, flags: "H", account: p.account(), name: p.name, op: "n/a"}
	if !p.online || p.me && s.away != "" {
		r.flags = "G"
	}
	r.flags += sign
	return r
}

func (s *session) whoisCmd(ctx context.Context, p []string, _ *ircmsg.Message) error {
	w := s.world
	for nick := range strings.SplitSeq(p[len(p)-1], ",") {
		if err := w.meetPeers(ctx, nick); err != nil {
			return s.lost(err)
		}
		w.mu.Lock()
		who := w.byNick[fold(nick)]
		if who == nil {
			w.mu.Unlock()
			s.numeric(errNoSuchNick, oneWord(nick), "nobody is called so here")
			s.numeric(rplEndOfWhois, oneWord(nick), "that is all")
			continue
		}
		is := *who
		var rooms []string
		for _, c := range w.channels {
			if m, ok := c.members[is.id]; ok && !c.room.Direct {
				rooms = append(rooms, m.sign()+c.name)
			}
		}
		w.mu.Unlock()
		slices.Sort(rooms)
		s.numeric(rplWhoisUser, is.nick, is.user, is.host, "*", is.name)
		for _, line := range lines(rooms, 350) {
			s.numeric(rplWhoisChannels, is.nick, line)
		}
		s.numeric(rplWhoisServer, is.nick, serverName, "by way of your node")
		switch {
		case is.me && s.away != "":
			s.numeric(rplAway, is.nick, s.away)
		case !is.online:
			s.numeric(rplAway, is.nick, notConnected)
		}
		s.numeric(rplWhoisAccount, is.nick, is.account(), "is the key of")
		s.numeric(rplWhoisSecure, is.nick, "is reached encrypted from end to end")
		if is.forked {
			s.numeric(rplWhoisSpecial, is.nick, "has a device that shows different things to different people, or was copied")
		}
		s.numeric(rplEndOfWhois, is.nick, "that is all")
	}
	return nil
}

func (s *session) whowasCmd(_ context.Context, p []string, _ *ircmsg.Message) error {
	s.numeric(errWasNoSuchNick, oneWord(p[0]), "nobody is remembered who is not here")
	s.numeric(rplEndOfWhowas, oneWord(p[0]), "that is all")
	return nil
}

func (s *session) isonCmd(_ context.Context, p []string, _ *ircmsg.Message) error {
	var on []string
	s.world.mu.Lock()
	for _, nick := range strings.Fields(strings.Join(p, " ")) {
		if who := s.world.byNick[fold(nick)]; who != nil && who.online {
			on = append(on, who.nick)
		}
	}
	s.world.mu.Unlock()
	s.numeric(rplIsOn, strings.Join(on, " "))
	return nil
}

func (s *session) userhostCmd(_ context.Context, p []string, _ *ircmsg.Message) error {
	var out []string
	s.world.mu.Lock()
	for _, nick := range p[:min(len(p), 5)] {
		if who := s.world.byNick[fold(nick)]; who != nil {
			sign := "+"
			if !who.online {
				sign = "-"
			}
			out = append(out, who.nick+"="+sign+who.user+"@"+who.host)
		}
	}
	s.world.mu.Unlock()
	s.numeric(rplUserhost, strings.Join(out, " "))
	return nil
}
