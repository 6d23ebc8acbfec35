// Package rooms is how the people of a node talk: it joins package chat to what the node knows of peers, and
// answers what programs ask. It has a database of its own, so that a long history cannot fill the node's.
//
//   - rooms.go: all rooms of this node. find.go: what somebody means by a word. names.go: what people are called.
//   - describe.go, message.go: what is told of rooms and messages. history.go, say.go, members.go, join.go: what is
//     asked for. draft.go: what was written and not said. attach.go, files.go: files. devices.go: what the user has. export.go: histories as files. mailbox.go: who keeps what is said
//     for those who are away. mention.go: who is meant. events.go: what is new. people.go: what is on record. watch.go: what goes on by itself.
package rooms

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenon-net/tenon/internal/chat"
	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/store"
)

// A Host is the node whose user talks. Its methods may be called at any time, and wait for no peer.
type Host interface {
	Access() *peer.Access

	// Self returns what the node suggests to be called, Called what this user calls a peer, or "", and what
	// the peer says of itself. Find finds the peer that a user means; Resembles tells whether a name could be taken for
	// that of one. Heir returns the key that a peer has now.
	Self() string
	Called(id peer.ID) (name, said string)
	Find(text string) (peer.ID, error)
	Resembles(name string) bool
	Heir(id peer.ID) peer.ID

	// Ticket returns what of the node's places a ticket has room for; Reach takes note of where a ticket says
	// that somebody is, and returns the addresses.
	Ticket() (addrs, via []string, err error)
	Reach(id peer.ID, addrs, via []string) []string

	// Own returns where this node may be reached, Places where a peer was reached before; Learnt takes note of where somebody may be, by what from says,
	// whom this user need not trust (nobody's ID: it is not known who), and returns what of it is believed.
	Own() []string
	Places(id peer.ID) []string
	Learnt(from, id peer.ID, addrs []string) []string

	// Expect is called, without a lock held, when others may come than before.
	Expect()

	// Attach shares files with those who are in a room, named by its ID, until they are detached or, if that is
	// not 0, for so long. Said is told by which message, Detach ends it: what has a ticket, or with "" all that was shared with the room.
	Attach(ctx context.Context, room string, paths []string, expires time.Duration) (api.Share, error)
	Said(ctx context.Context, ticket, message string) error
	Detach(ctx context.Context, room, ticket string) error

	// Attached returns where on this computer is what has a ticket, if this node shares it or hands it on, and who has got it from there.
	Attached(ticket string) (paths []string, got []peer.ID)

	// Renew gives the node a new key, without waiting for that: an old copy of its state was put back, or it was copied.
	Renew()

	Tell(e api.Event)
}

// Config says how Rooms are made.
type Config struct {
	Host     Host
	Path     string    // of the database, in a directory that is there
	Identity *peer.Key // who the user is, unless this device was linked: see [Rooms.Adopt]
}

// MaxSize is how many bytes the database may have.
const MaxSize = 64 << 30

// Rooms are all rooms of a node. Their methods may be called at the same time; while the node has no network they
// fail.
type Rooms struct {
	Config
	db   *store.DB
	user atomic.Pointer[event.Identity] // the user: see me

	mu       sync.Mutex // guards what follows
	chat     *chat.Chat // nil while there is no network
	changed  chan struct{}
	end      func() // of chat, and of what goes on in it
	owners   map[peer.ID][]event.Identity
	devices  map[event.Identity][]peer.ID
	settings map[event.ID]setting
	mentions map[event.ID]mentioned
	heirs    map[peer.ID]peer.ID
	learned  int // how often something was noted of people
	namings  map[event.ID]*names
	places   map[peer.ID][]string // where others were reached
}

// New opens the database. Nothing is met before Begin.
func New(ctx context.Context, c Config) (*Rooms, error) {
	r := &Rooms{Config: c, changed: make(chan struct{}),
		owners: map[peer.ID][]event.Identity{}, devices: map[event.Identity][]peer.ID{},
		settings: map[event.ID]setting{}, mentions: map[event.ID]mentioned{}, heirs: map[peer.ID]peer.ID{}, namings: map[event.ID]*names{}, places: map[peer.ID][]string{}}
	r.user.Store(new(event.Identity(c.Identity.ID().Bytes())))
	var err error
	if r.db, err = store.OpenFile(ctx, c.Path, MaxSize); err != nil {
		return nil, err
	}
	if err := r.load(ctx); err != nil {
		r.db.Close() //nolint:errcheck // there is an error already
		return nil, err
	}
	return r, nil
}

// Begin has the rooms met in on a network, by a device that has had other keys before, until End. The context
// bounds the call.
func (r *Rooms) Begin(ctx context.Context, network peer.Network, device *peer.Key, earlier []peer.ID) error {
	c, err := chat.Open(ctx, chat.Config{Network: network, DB: r.db, Identity: r.Identity, Device: device, Earlier: earlier, Called: r.Host.Self,
		Blocked: r.blocked, Heir: r.heir, Welcome: r.welcome, Reach: r.reachMailbox, Own: r.Host.Own, Learnt: r.Host.Learnt})
	if err != nil {
		return fmt.Errorf("rooms: %w", err)
	}
	if me := c.Me(); me != r.me() {
		r.user.Store(&me)
		r.mu.Lock()
		r.learned++
		clear(r.mentions)
		r.mu.Unlock()
	}
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var all sync.WaitGroup
	all.Go(func() { r.watch(life, c, network, &all) })
	r.set(c, func() {
		cancel()
		c.Close()
		all.Wait()
	})
	return nil
}

// me returns who the user is.
func (r *Rooms) me() event.Identity { return *r.user.Load() }

func (r *Rooms) set(c *chat.Chat, end func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.chat, r.end = c, end
	close(r.changed)
	r.changed = make(chan struct{})
}

// End is called before the network ends.
func (r *Rooms) End() {
	r.mu.Lock()
	end := r.end
	r.mu.Unlock()
	if end != nil {
		end()
		r.set(nil, nil)
	}
}

// Close ends all, and closes the database.
func (r *Rooms) Close() error {
	r.End()
	return r.db.Close()
}

var errAway = fmt.Errorf("this node is not connected to the network at the moment: %w", peer.ErrUnreachable)

// now returns what is met in.
func (r *Rooms) now() (*chat.Chat, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.chat == nil {
		return nil, errAway
	}
	return r.chat, nil
}

// Expects tells whether a peer that nobody knows may come, for a room. It is asked often, before anything of
// the peer was read.
func (r *Rooms) Expects(id peer.ID) bool {
	c, err := r.now()
	return err == nil && (c.Invites() || c.Meets(id) || c.Meets(r.earlier(id)))
}

// Meets tells whether a peer takes part in a room, or may let the user into one.
func (r *Rooms) Meets(id peer.ID) bool {
	c, err := r.now()
	return err == nil && c.Meets(id)
}

// maxSought is how many members of rooms are looked for.
const maxSought = 256

// Sought returns members of rooms, who are to be looked for.
func (r *Rooms) Sought() []peer.ID {
	c, err := r.now()
	if err != nil {
		return nil
	}
	all := c.Members()
	return all[:min(len(all), maxSought)]
}

// blocked tells whether somebody has a device that is blocked.
func (r *Rooms) blocked(who event.Identity) bool {
	if who == r.me() {
		return false
	}
	a := r.Host.Access()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range r.devices[who] {
		if a.Blocked[id] {
			return true
		}
	}
	return false
}

// welcome tells whether a room that is offered is joined at once: a conversation with a peer that is paired. Those
// have no name.
func (r *Rooms) welcome(o chat.Offer) bool {
	return o.Name == "" && len(o.At) > 0 && r.Host.Access().Paired[o.At[0]] && r.known(o.Inviter, o.At[0])
}
