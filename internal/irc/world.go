package irc

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/node/api"
)

// A person is whoever can be talked to, or has said something.
type person struct {
	id     string // of the person, or of the peer if that is in no room
	name   string // as the node calls him
	nick   string
	user   string
	host   string
	peer   string // the ID of a device
	known  bool   // the user has given him the name
	me     bool
	online bool
	forked bool
}

// source is the person at the beginning of a line.
func (p *person) source() string { return p.nick + "!" + p.user + "@" + p.host }

// account names the key.
func (p *person) account() string { return head(p.id, 12) }

// is tells whether the node means that person by a name. Which name somebody has may depend on the room: where two look the same
// they have the beginning of their IDs behind them, and who is in it no more may be called by his ID.
func (p *person) is(name string) bool {
	return name == p.name || name+p.mark() == p.name || name == p.name+p.mark() || strings.ReplaceAll(name, "-", "") == head(p.id, 12)
}

// mark is what a node puts behind the name of somebody who looks like somebody else.
func (p *person) mark() string { return "~" + head(p.id, 4) }

// A member is a person in a channel.
type member struct {
	*person
	role string
}

// mode is the letter of the role, and sign what stands before the nick.
func (m member) mode() string {
	switch m.role {
	case "owner":
		return "o"
	case "member":
		return "v"
	}
	return ""
}

func (m member) sign() string {
	switch m.role {
	case "owner":
		return "@"
	case "member":
		return "+"
	}
	return ""
}

// A channel is a room in which the user is, or a conversation of two.
type channel struct {
	id       string // of the room
	room     api.Room
	name     string            // "#name", or the nick of the other one
	members  map[string]member // by ID of the person
	last     string            // the ID of the latest message that clients were told of
	lastTime time.Time
	shown    *shown // what clients were told of messages
}

// other is whom one talks to in a conversation of two; nil if he is not known.
func (c *channel) other() *person {
	for _, m := range c.members {
		if !m.me {
			return m.person
		}
	}
	return nil
}

// sorted are the members in the order of their nicks.
func (c *channel) sorted() []member {
	all := make([]member, 0, len(c.members))
	for _, m := range c.members {
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b member) int { return cmp.Compare(a.nick, b.nick) })
	return all
}

// A world is what all clients see.
type world struct {
	node  Node
	began time.Time

	loading sync.Mutex // held by who looks at the node and writes what it sees; taken before mu

	mu       sync.Mutex // guards what follows, and what sessions, channels and persons are
	me       *person
	channels map[string]*channel // by ID of the room
	people   map[string]*person  // by ID
	byName   map[string]*channel // by folded name of the channel
	byNick   map[string]*person  // by folded nick
	petnames map[string]bool     // IDs of peers that have a name that the user has given them
	loaded   bool                // clients may be there
	offers   []api.RoomOffer
	sessions map[*session]struct{} // those that are registered
}

func newWorld(n Node) *world {
	return &world{node: n, began: time.Now(), me: &person{me: true, online: true, known: true}, channels: map[string]*channel{}, people: map[string]*person{},
		byName: map[string]*channel{}, byNick: map[string]*person{}, petnames: map[string]bool{}, sessions: map[*session]struct{}{}}
}

// A seen is a room and who is in it, as the node has told.
type seen struct {
	room    api.Room
	members []api.RoomMember
}

func (w *world) look(ctx context.Context, r api.Room) (seen, error) {
	members, err := w.node.RoomMembers(ctx, r.ID)
	return seen{r, members}, err
}

// load looks at everything.
func (w *world) load(ctx context.Context) error {
	w.loading.Lock()
	defer w.loading.Unlock()
	id, err := w.node.ID(ctx)
	if err != nil {
		return err
	}
	peers, err := w.node.Peers(ctx)
	if err != nil {
		return err
	}
	rooms, err := w.node.Rooms(ctx)
	if err != nil {
		return err
	}
	offers, err := w.node.RoomOffers(ctx)
	if err != nil {
		return err
	}
	all := make([]seen, 0, len(rooms))
	for _, r := range rooms {
		s, err := w.look(ctx, r)
		if err != nil {
			return err
		}
		all = append(all, s)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.me.id == "" {
		w.me.id, w.me.peer = id.ID, id.ID
	}
	w.me.name = cmp.Or(neutral.Line(id.Name), w.me.name, "me")
	here := map[string]bool{}
	for _, r := range rooms {
		here[r.ID] = true
	}
	for _, c := range w.channels {
		if !here[c.id] {
			w.drop(c, nil)
		}
	}
	w.applyPeers(peers)
	w.apply(all, nil)
	w.applyOffers(offers)
	w.loaded = true
	return nil
}

// refresh looks at one room anew.
func (w *world) refresh(ctx context.Context, room string) error {
	if err := w.lookRoom(ctx, room); err != nil {
		return err
	}
	return w.catchUp(ctx, room)
}

func (w *world) lookRoom(ctx context.Context, room string) error {
	w.loading.Lock()
	defer w.loading.Unlock()
	r, err := w.node.Room(ctx, room)
	if err != nil {
		return err
	}
	s, err := w.look(ctx, r)
	if err != nil {
		return err
	}
	var page api.RoomPage
	if w.differs(s) { // who has done it is in the history
		if page, err = w.node.RoomMessages(ctx, room, api.RoomQuery{Limit: 20}); err != nil {
			return err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.apply([]seen{s}, page.Messages)
	return nil
}

// differs tells whether s is news.
func (w *world) differs(s seen) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.channels[s.room.ID]
	if c == nil || c.room.State != s.room.State || len(c.members) != len(s.members) || c.room.Topic != s.room.Topic || c.room.Name != s.room.Name {
		return true
	}
	for _, m := range s.members {
		if was, ok := c.members[m.ID]; !ok || was.role != m.Role {
			return true
		}
	}
	return false
}

// lookOffers looks at what is offered anew.
func (w *world) lookOffers(ctx context.Context) error {
	w.loading.Lock()
	defer w.loading.Unlock()
	offers, err := w.node.RoomOffers(ctx)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.applyOffers(offers)
	return nil
}

// meetPeers looks at the peers anew if nobody has a nick: he may have been paired since.
func (w *world) meetPeers(ctx context.Context, nick string) error {
	w.mu.Lock()
	c, p := w.target(nick)
	w.mu.Unlock()
	if c != nil || p != nil || strings.HasPrefix(nick, "#") {
		return nil
	}
	return w.lookPeers(ctx)
}

// lookPeers looks at the peers anew.
func (w *world) lookPeers(ctx context.Context) error {
	w.loading.Lock()
	defer w.loading.Unlock()
	peers, err := w.node.Peers(ctx)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.applyPeers(peers)
	w.name()
	return nil
}
