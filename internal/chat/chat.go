package chat

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/chat/log"
	"github.com/tenon-net/tenon/internal/chat/meet"
	notices "github.com/tenon-net/tenon/internal/event"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/store"
)

// Errors of rooms. Test for them with [errors.Is].
var (
	ErrNoRoom  = errors.New("there is no such room")
	ErrRole    = errors.New("your role in the room does not allow it")
	ErrJunior  = errors.New("that takes an owner who has been in the room for longer")
	ErrLast    = errors.New("you are the only owner, and nobody could make another one")
	ErrOutside = errors.New("you are not in the room")
	ErrMember  = errors.New("that is no member of the room")
	ErrMessage = errors.New("there is no such message")
	ErrClosed  = errors.New("the chat was closed")
)

// Defaults of [Config].
const (
	DefaultMaxEvents = 4_000_000
	keptNotices      = 1024
)

// A Config is what a Chat stands on.
type Config struct {
	Network  peer.Network
	DB       *store.DB
	Identity *peer.Key     // who the user is, unless this device was linked: see [Chat.Adopt]. What is kept here is sealed by it
	Device   *peer.Key     // that of the Network
	Called   func() string // what the user suggests to be called; nil, or longer than event.MaxCalled: nothing
	Earlier  []peer.ID     // keys that the device has had before: what they were, it is

	Rate      int // events of one identity in ten seconds that are taken at once; 0 = [meet.DefaultRate]
	MaxEvents int // of a room; no content of others is taken beyond. 0 = DefaultMaxEvents

	Now func() time.Time // the clock that messages are stamped by; nil: time.Now

	// Blocked tells whose messages are not shown; nil: nobody's. They are kept and passed on all the same,
	// since others stand on them.
	Blocked func(event.Identity) bool

	// Heir returns the key that a device has now that has, or had, this one; nil: it is the same.
	Heir func(peer.ID) peer.ID

	// Reach is called when a mailbox of a room is about to be used, so that the Network knows where it may be;
	// the addresses are as an owner of the room has written them. nil: it knows. It must not block.
	Reach func(Mailbox)

	// Own returns where this device may be reached; members of rooms are told, and tell each other. nil: they are not
	// told. Learnt hears where a device may be, by what a device of a member says, or, if id is from, by what it says of itself: nobody
	// has looked whether these are addresses that one may dial. It returns those that are believed, which alone are told to
	// others; nil: none are. Neither may block.
	Own    func() []string
	Learnt func(from, id peer.ID, addrs []string) []string

	// Welcome tells whether a room that somebody offers is joined at once; nil: none is. It must not block.
	Welcome func(Offer) bool
}

// A Chat is all rooms of a device. Its methods, and those of its rooms, may be called from any
// goroutine.
type Chat struct {
	Config
	self    event.Device
	selves  []event.Device // it, and what it was before
	me      event.Identity
	key     *peer.Key // of me; nil: this device was linked by the one that has it
	cert    event.Cert
	clock   event.Clock
	vault   vault
	log     *log.Log
	meet    *meet.Meeting
	notices *notices.Log[Notice]
	unserve func()
	ctx     context.Context //nolint:containedctx // it lives as long as the Chat
	stop    context.CancelFunc
	working sync.WaitGroup
	call    chan struct{} // has room for one: there are rooms to be offered

	mu     sync.Mutex // guards what follows
	rooms  map[event.ID]*Room
	offers map[event.ID]Offer
	own    map[event.Device]bool // the user's other devices, as far as they were linked or removed: which is it
	closed bool
}

// Open opens the rooms that are in the database, and has them met in until Close is called. The
// context bounds the call. The Network and the DB stay the caller's, and have to outlive the Chat.
func Open(ctx context.Context, config Config) (*Chat, error) {
	if config.Device.ID() != config.Network.Self() {
		return nil, errors.New("chat: the key of the device is not that of the network")
	}
	if config.MaxEvents == 0 {
		config.MaxEvents = DefaultMaxEvents
	}
	c := &Chat{Config: config, self: event.Device(config.Device.ID().Bytes()),
		notices: notices.New[Notice](uint64(time.Now().UnixNano()), keptNotices), call: make(chan struct{}, 1),
		rooms: map[event.ID]*Room{}, offers: map[event.ID]Offer{}, own: map[event.Device]bool{}}
	c.clock.Now = config.Now
	c.selves = []event.Device{c.self}
	for _, id := range config.Earlier {
		c.selves = append(c.selves, event.Device(id.Bytes()))
	}
	c.ctx, c.stop = context.WithCancel(context.Background())
	var err error
	if c.log, err = log.Open(ctx, config.DB); err != nil {
		return nil, err
	}
	if err := c.vault.open(ctx, config.DB, config.Identity); err != nil {
		return nil, err
	}
	if err := c.renew(ctx, PrekeyAge); err != nil {
		return nil, err
	}
	if err := c.readDevices(ctx); err != nil {
		return nil, err
	}
	all, err := c.vault.places(ctx)
	if err != nil {
		return nil, err
	}
	c.meet = meet.New(config.Network)
	for _, p := range all {
		if p.state == offered && p.inviter == c.me {
			p.state = Joining // another device of the user's has offered it before this one knew whose it is
		}
		if p.state == offered {
			c.offers[p.room] = p.offer()
			continue
		}
		if _, err := c.openRoom(ctx, p); err != nil {
			c.Close()
			return nil, fmt.Errorf("room %s: %w", p.room, err)
		}
	}
	c.unserve = config.Network.Serve(DoorProto, c.answer)
	c.working.Go(c.callOut)
	return c, nil
}

// Close ends what is under way and waits for it.
func (c *Chat) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	if c.unserve != nil {
		c.unserve()
	}
	c.stop()
	c.meet.Close()
	c.working.Wait()
}

// suggests returns what the user suggests to be called.
func (c *Chat) suggests() string {
	if c.Called == nil {
		return ""
	}
	name := c.Called()
	if len(name) > event.MaxCalled || !utf8.ValidString(name) {
		return ""
	}
	return name
}

// Me returns who the user is.
func (c *Chat) Me() event.Identity { return c.me }

// Rooms returns all rooms, those too that were left, in the order of their IDs.
func (c *Chat) Rooms() []*Room {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]*Room, 0, len(c.rooms))
	for _, r := range c.rooms {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b *Room) int { return bytes.Compare(a.id[:], b.id[:]) })
	return all
}

// Room returns a room, or [ErrNoRoom].
func (c *Chat) Room(id event.ID) (*Room, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.rooms[id]; r != nil {
		return r, nil
	}
	return nil, ErrNoRoom
}

// A Draft is what a room is to be.
type Draft struct {
	Name    string
	Direct  bool // a conversation of two; what was said before the other one came is for both
	History bool // who enters gets the secrets of what was said before
}

// Create makes a room, whose owner is the user.
func (c *Chat) Create(ctx context.Context, n Draft) (*Room, error) {
	at, err := c.clock.Next(0)
	if err != nil {
		return nil, err
	}
	body := &event.Create{Rules: 1, Salt: event.NewSecret().Reveal(), Direct: n.Direct, Called: c.suggests(), Cert: c.cert, Prekey: c.prekey()}
	e, err := event.Draft{Seq: 1, Time: at, Body: body}.Sign(c.Device)
	if err != nil {
		return nil, err
	}
	p := place{room: e.ID, state: inside, secret: body.MeetSecret(), receipts: n.Direct}
	if err := c.vault.put(ctx, p); err != nil {
		return nil, err
	}
	r, err := c.openRoom(ctx, p)
	if err != nil {
		return nil, err
	}
	if err := r.own(ctx, e); err != nil {
		return nil, err
	}
	if n.Name != "" {
		err = r.SetProperty(ctx, event.PropertyName, []byte(n.Name))
	}
	if (n.History || n.Direct) && err == nil {
		err = r.SetProperty(ctx, event.PropertyHistory, []byte{1})
	}
	return r, err
}

// openRoom opens a room that there is a place in, and has it met in.
func (c *Chat) openRoom(ctx context.Context, p place) (*Room, error) {
	l, err := c.log.Room(ctx, p.room)
	if err != nil {
		return nil, err
	}
	r := newRoom(c, p, l)
	err = r.restore(ctx)
	if err == nil {
		err = r.succeed(ctx)
	}
	if err != nil {
		r.stop()
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		r.stop()
		return nil, ErrClosed
	case c.rooms[p.room] != nil:
		r.stop()
		return c.rooms[p.room], nil
	}
	c.rooms[p.room] = r
	c.working.Go(r.tend)
	return r, nil
}

// Direct returns the conversation with somebody, and makes one if there is none; at are peers where
// it is offered.
func (c *Chat) Direct(ctx context.Context, who event.Identity, at ...peer.ID) (*Room, error) {
	for _, r := range c.Rooms() {
		i := r.Info()
		with := func(m Member) bool { return m.Identity == who }
		if i.Direct && i.State == Inside && len(i.Members) == 2 && slices.ContainsFunc(i.Members, with) {
			return r, nil
		}
	}
	r, err := c.Create(ctx, Draft{Direct: true})
	if err != nil {
		return nil, err
	}
	return r, r.Add(ctx, who, event.Owner, at...)
}
