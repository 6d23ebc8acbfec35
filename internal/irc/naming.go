package irc

import (
	"maps"
	"slices"

	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/node/api"
)

// name gives everybody a nick and every room a name, and tells of those that are different now. It is called with the
// lock of the world held.
func (w *world) name() {
	w.nameMe()
	all := make([]named, 0, len(w.people)+1)
	for _, p := range w.people {
		if !p.me {
			all = append(all, named{p.id, safeNick(p.name), p.known})
		}
	}
	all = append(all, named{w.me.id, safeNick(w.me.name), true})
	for i := range all { // nobody is called like the user
		all[i].first = all[i].first && (all[i].id == w.me.id || alike(all[i].name) != alike(safeNick(w.me.name)))
	}
	nicks := distinct(all)
	clear(w.byNick)
	for _, longer := range []bool{true, false} { // who gets a mark is told first, so that nobody has the nick of another one meanwhile
		for _, p := range w.people {
			if nick := nicks[p.id]; (len(nick) > len(p.nick)) == longer {
				w.setNick(p, nick)
			}
		}
	}
	w.setNick(w.me, nicks[w.me.id])
	w.nameRooms()
}

// nameMe has the user be one of the people, as soon as it is known who he is.
func (w *world) nameMe() {
	maps.DeleteFunc(w.people, func(id string, p *person) bool { return p.me && id != p.id })
}

func (w *world) setNick(p *person, nick string) {
	old := p.source()
	was := p.nick
	p.nick, p.user, p.host = nick, head(p.peer, 8), head(p.id, 16)+".tenon"
	w.byNick[fold(nick)] = p
	if was == "" || was == nick {
		return
	}
	for s := range w.sessions {
		if p.me || s.sees(p) {
			s.tell(&msg{cmd: "NICK", source: old, params: []string{nick}})
		}
	}
}

func (w *world) nameRooms() {
	var all []named
	for _, c := range w.channels {
		if !c.room.Direct {
			all = append(all, named{id: c.id, name: safeChannel(neutral.Line(c.room.Name))})
		}
	}
	names := distinct(all)
	clear(w.byName)
	for _, c := range w.channels {
		name := names[c.id]
		if c.room.Direct {
			name = safeNick(c.room.Name)
			if p := c.other(); p != nil {
				name = p.nick
			}
		}
		was := c.name
		if c.name = name; was != "" && was != name && !c.room.Direct {
			for s := range w.sessions {
				s.tellRenamed(c, was)
			}
		}
		if !c.room.Direct {
			w.byName[fold(name)] = c
		}
	}
}

// offerName is what an offered room is called by who joins it.
func (w *world) offerName(o api.RoomOffer) string {
	name := safeChannel(neutral.Line(o.Name))
	alone := w.byName[fold(name)] == nil && !slices.ContainsFunc(w.offers, func(other api.RoomOffer) bool {
		return other.ID != o.ID && alike(safeChannel(neutral.Line(other.Name))) == alike(name)
	})
	if alone {
		return name
	}
	return suffixed(name, o.ID, func(string) bool { return false })
}

// offered finds an offer by the name of the channel.
func (w *world) offered(name string) (api.RoomOffer, bool) {
	for _, o := range w.offers {
		if fold(w.offerName(o)) == fold(name) {
			return o, true
		}
	}
	return api.RoomOffer{}, false
}

// author is who has written an entry. Who is not known any more is no one to talk to, and has a nick that nobody else has.
func (w *world) author(m *api.RoomMessage) *person {
	if m.Mine || m.FromID == w.me.id {
		return w.me
	}
	if p := w.people[m.FromID]; p != nil {
		return p
	}
	return w.stranger(m.FromID, m.From)
}

// stranger is somebody who is in no room.
func (w *world) stranger(id, name string) *person {
	p := &person{id: id, name: neutral.Line(name), nick: safeNick(name), user: head(id, 8), host: head(id, 16) + ".tenon", peer: id}
	if other := w.byNick[fold(p.nick)]; other != nil {
		p.nick = suffixed(p.nick, id, func(s string) bool { return w.byNick[fold(s)] != nil })
	}
	return p
}

// called finds who is meant by a name that the node has used in a room. It is nil if nobody is.
func (w *world) called(name string, c *channel) (found *person) {
	name = neutral.Line(name)
	for _, m := range c.members {
		if m.name == name {
			return m.person
		}
		if m.is(name) {
			found = m.person
		}
	}
	return found
}

// with finds whose a device is. It is nil if nobody's is.
func (w *world) with(peer string) *person {
	for _, p := range w.people {
		if p.peer == peer || p.id == peer {
			return p
		}
	}
	return nil
}

// target finds a person by nick, and a channel by name; one of them is nil, or both.
func (w *world) target(name string) (*channel, *person) {
	if len(name) > 0 && name[0] == '#' {
		return w.byName[fold(name)], nil
	}
	return nil, w.byNick[fold(name)]
}

// direct is the conversation with somebody, if there is one.
func (w *world) direct(p *person) *channel {
	for _, c := range w.channels {
		if c.room.Direct && c.other() == p {
			return c
		}
	}
	return nil
}
