package irc

import (
	"slices"

	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/node/api"
)

// What the node tells becomes what clients are told: the world is compared with what it was. All here is called with
// the lock of the world held.

// apply takes over what rooms are. Why has entries of the history that say who has done what.
func (w *world) apply(all []seen, why []api.RoomMessage) {
	for _, s := range all {
		for i := range s.members {
			w.meet(&s.members[i])
		}
	}
	w.name()
	var come []*channel
	gone := map[*channel][]member{}
	for _, s := range all {
		c := w.channels[s.room.ID]
		if s.room.State != api.RoomInside { // or not yet: who has not been let in knows of nobody
			if c != nil {
				w.drop(c, why)
			}
			continue
		}
		if c == nil {
			c = &channel{id: s.room.ID, members: map[string]member{}, shown: newShown()}
			if s.room.Last != nil && !(w.loaded && s.room.Direct) { // a conversation that somebody else has begun is news
				c.last, c.lastTime = s.room.Last.ID, s.room.Last.Time
			}
			w.channels[c.id] = c
			come = append(come, c)
		}
		w.setRoom(c, s.room, why)
		gone[c] = w.setMembers(c, s.members, why)
	}
	w.name()
	for c, left := range gone {
		for _, m := range left {
			w.tellGone(c, m, why)
		}
	}
	for _, c := range come {
		if c.room.Direct {
			continue
		}
		for s := range w.sessions {
			if !s.parted[c.id] {
				s.enterLater(c)
			}
		}
	}
}

// meet takes over what a member of a room is.
func (w *world) meet(m *api.RoomMember) {
	p := w.people[m.ID]
	if m.Me {
		p = w.me
		p.id, p.name = m.ID, neutral.Line(m.Name)
		w.people[m.ID] = p
	}
	if p == nil {
		p = &person{id: m.ID}
		w.people[m.ID] = p
	}
	p.forked = m.Forked
	if !p.me {
		w.setOnline(p, m.Online)
	}
	p.known = p.me
	for i, d := range m.Devices {
		if i == 0 {
			p.peer = d
		}
		p.known = p.known || w.petnames[d]
		if peer := w.people[d]; peer != nil && peer != p {
			delete(w.people, d) // the same, as a peer that was in no room
		}
	}
	if p.peer == "" {
		p.peer = m.ID
	}
	if name := neutral.Line(m.Name); p.known || name+p.mark() != p.name { // who has a mark in one room keeps it in others
		p.name = name
	}
}

// applyPeers takes over which peers there are.
func (w *world) applyPeers(peers []api.Peer) {
	of := map[string]*person{}
	clear(w.petnames)
	for _, p := range w.people {
		of[p.peer] = p
	}
	for _, peer := range peers {
		if peer.Held || peer.Blocked {
			continue
		}
		p := of[peer.ID]
		if p == nil {
			p = &person{id: peer.ID, peer: peer.ID}
			w.people[peer.ID] = p
		}
		if p.me {
			continue
		}
		if peer.Name != "" {
			p.name, p.known, w.petnames[peer.ID] = neutral.Line(peer.Name), true, true
		} else if p.name == "" {
			p.name = neutral.Line(peer.Short)
		}
		w.setOnline(p, peer.State != api.Offline)
	}
}

// setRoom takes over what a room is, and tells of a new topic. A new name is told by name.
func (w *world) setRoom(c *channel, r api.Room, why []api.RoomMessage) {
	was := c.room
	c.room = r
	c.room.Topic = neutral.Line(r.Topic)
	if was.ID == "" || was.Topic == c.room.Topic || r.Direct {
		return
	}
	m := &msg{cmd: "TOPIC", params: []string{c.name, c.topic()}, from: w.who(why, "topic", nil, c)}
	w.tellChannel(c, m)
}

// setMembers takes over who is in a room, tells of those who came and what they are, and returns those who have left.
func (w *world) setMembers(c *channel, members []api.RoomMember, why []api.RoomMessage) (gone []member) {
	is := make(map[string]member, len(members))
	for _, m := range members {
		p := w.people[m.ID]
		if m.Me {
			p = w.me
		}
		is[m.ID] = member{p, m.Role}
	}
	was := c.members
	c.members = is
	for id, m := range was {
		if _, ok := is[id]; !ok {
			gone = append(gone, m)
		}
	}
	if len(was) == 0 || c.room.Direct {
		return nil // nobody has been told of it
	}
	w.name()
	for _, m := range c.sorted() {
		old, ok := was[m.id]
		if !ok {
			w.tellChannel(c, &msg{cmd: "JOIN", from: m.person, params: []string{c.name}})
			w.tellAway(c, m.person)
		}
		if old.mode() != m.mode() {
			w.tellMode(c, old, m, why)
		}
	}
	return gone
}

// tellMode tells of a new role.
func (w *world) tellMode(c *channel, was, is member, why []api.RoomMessage) {
	change, nicks := "", []string{}
	if mode := was.mode(); mode != "" {
		change, nicks = "-"+mode, append(nicks, is.nick)
	}
	if mode := is.mode(); mode != "" {
		change, nicks = change+"+"+mode, append(nicks, is.nick)
	}
	w.tellChannel(c, &msg{cmd: "MODE", from: w.who(why, "role", is.person, c), params: append([]string{c.name, change}, nicks...)})
}

// tellGone tells that somebody is not in a room any more.
func (w *world) tellGone(c *channel, m member, why []api.RoomMessage) {
	if by := w.who(why, "remove", m.person, c); by != nil {
		w.tellChannel(c, &msg{cmd: "KICK", from: by, params: []string{c.name, m.nick, "removed"}})
		return
	}
	w.tellChannel(c, &msg{cmd: "PART", from: m.person, params: []string{c.name}})
}

// tellChannel tells all who show a room.
func (w *world) tellChannel(c *channel, m *msg) {
	m.resolve()
	for s := range w.sessions {
		if s.joined[c] {
			s.tell(m)
		}
	}
}

// drop takes a room away in which the user is not any more.
func (w *world) drop(c *channel, why []api.RoomMessage) {
	if !c.room.Direct {
		w.tellGone(c, member{person: w.me}, why)
	}
	for s := range w.sessions {
		delete(s.joined, c)
	}
	delete(w.channels, c.id)
	if w.byName[fold(c.name)] == c {
		delete(w.byName, fold(c.name))
	}
}

// who finds in the latest entries who has done something; whom is nil if it was not done to somebody.
func (w *world) who(why []api.RoomMessage, done string, whom *person, c *channel) *person {
	for _, e := range slices.Backward(why) {
		if e.Kind == "control" && e.Done == done && (whom == nil || whom.is(neutral.Line(e.Whom))) && e.Room == c.id {
			return w.author(&e)
		}
	}
	return nil
}

// setOnline takes over whether somebody is connected, and tells of it.
func (w *world) setOnline(p *person, online bool) {
	if p.online == online {
		return
	}
	p.online = online
	if p.nick == "" {
		return // he is new
	}
	for s := range w.sessions {
		s.tellPresence(p)
	}
}

// tellAway has those who see nothing else know that somebody who has come into a room is not connected.
func (w *world) tellAway(c *channel, p *person) {
	if p.online {
		return
	}
	for s := range w.sessions {
		if s.joined[c] && s.caps.has(capAway) {
			s.tell(&msg{cmd: "AWAY", from: p, params: []string{notConnected}})
		}
	}
}

const notConnected = "not connected"

// applyOffers takes over which rooms are offered, and tells of new ones.
func (w *world) applyOffers(offers []api.RoomOffer) {
	was := w.offers
	w.offers = offers
	w.name()
	for _, o := range offers {
		if !slices.ContainsFunc(was, func(old api.RoomOffer) bool { return old.ID == o.ID }) {
			for s := range w.sessions {
				s.tellOffer(o)
			}
		}
	}
}
