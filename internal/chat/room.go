package chat

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/chat/log"
	"github.com/tenon-net/tenon/internal/chat/meet"
	"github.com/tenon-net/tenon/internal/chat/rbsr"
	"github.com/tenon-net/tenon/internal/chat/room"
	"github.com/tenon-net/tenon/internal/peer"
)

// A Room is a room that the user is in, or was.
//
// What its events mean is worked out by one at a time: whoever has the turn. What others want to know without
// waiting is in a snapshot, made anew when it changes.
type Room struct {
	chat    *Chat
	id      event.ID
	log     *log.Room
	index   rbsr.Set
	wake    chan struct{} // has room for one: there is something for tend
	now     atomic.Pointer[snapshot]
	meets   atomic.Pointer[meet.Room] // nil: it is not met in
	ctx     context.Context           //nolint:containedctx // it lives as long as the Room
	stop    context.CancelFunc
	tended  chan struct{} // closed when tend has ended
	post    *post
	checked checked
	indexed atomic.Bool // all that is in the database is in the index
	asked   atomic.Bool // the user wants to come in, or has another ticket: those who may let him in are asked at once

	kin      atomic.Bool      // there may be something to do for the user's other devices
	offered  map[peer.ID]bool // of these, since the start; only tend looks at this and the next
	toldRead map[peer.ID]toldRead

	turn      chan struct{} // holds one token: whoever has taken it works on what follows
	place     place
	state     *room.Room
	past      past
	secrets   map[event.ID]*event.Secret
	acts      acts
	read      event.Key // up to where the user has read
	sealed    int       // messages since the epoch in use, as far as is known
	sealing   event.ID  // the epoch in use
	broken    error     // the database has failed; what is in memory is more than what is kept
	mended    bool      // and works again: sessions have ended with it
	held      held
	importing bool      // what comes is no news
	owing     bool      // somebody may lack a secret that we have
	lacking   time.Time // when those who have entered get secrets by us; zero: nobody lacks any
	unready   bool      // somebody may have no epoch in common with the others
	preparing time.Time // when we make one; zero: that was not found out
	forgot    time.Time // when secrets were looked at that are to be forgotten
	endowing  time.Time // when we share secrets with the user's other devices; zero: they lack none, or that was not found out

	pacing chan struct{} // has a token while somebody waits to say something: others wait behind him

	mu     sync.Mutex // guards what follows
	guest  map[peer.ID]time.Time
	sent   sent
	mark   marking
	keys   prekeys
	saying []*saying // what is to be said, in order
	pace   pace

	elsewhere map[peer.ID]event.Key // up to where the user has read on other devices, until that is here
}

// A snapshot is what is known of a room at a time. It is not changed.
type snapshot struct {
	Info
	meet    []peer.ID // with whom the room is met in
	devices map[event.Device]event.Identity
	forked  map[event.Device]bool
	confirm map[event.ID]bool     // additions that are not shown: [comings.confirming]
	parted  map[peer.ID]event.Key // devices that take no part any more, by which act: the latest of them
	hosts   map[peer.ID]bool      // who may let this device in
	opens   time.Time             // up to when somebody may enter by an invite; zero: nobody may
}

// A Member is somebody who is in a room.
type Member struct {
	room.Membership
	Forked bool // a device has signed two events for one place: it shows different things to different people, or was copied
}

// Info is what a room is now.
type Info struct {
	ID       event.ID
	State    State
	Name     string
	Topic    string
	Direct   bool
	History  bool                      // who enters can read what was said before
	Role     event.Role                // of the user; Nobody: not in the room, or not any more
	Members  []Member                  // the most senior first
	Receipts bool                      // others are told how far the user has read
	Vanish   time.Duration             // how long messages are kept; 0: for good
	Inviter  event.Identity            // who has offered the room; zero: nobody
	Called   map[event.Identity]string // what all who were ever in it suggest to be called, which proves nothing

	Mailboxes []Mailbox // keep what is said for those who are away: [Room.SetMailboxes]
}

func newRoom(c *Chat, p place, l *log.Room) *Room {
	r := &Room{chat: c, id: p.room, log: l, wake: make(chan struct{}, 1), turn: make(chan struct{}, 1), pacing: make(chan struct{}, 1), place: p,
		guest: map[peer.ID]time.Time{}, acts: newActs(), owing: true, unready: true}
	r.past.room, r.post, r.offered, r.elsewhere = r, newPost(r), map[peer.ID]bool{}, map[peer.ID]event.Key{}
	r.kin.Store(true)
	r.ctx, r.stop = context.WithCancel(c.ctx)
	r.tended = make(chan struct{})
	r.turn <- struct{}{}
	return r
}

// restore reads what the events in the database mean: the control events, and of the others those that
// nothing stands on.
func (r *Room) restore(ctx context.Context) error {
	var err error
	if r.secrets, err = r.chat.vault.secrets(ctx, r.id); err != nil {
		return err
	}
	read, _, err := r.log.Unread(ctx)
	if err != nil {
		return err
	}
	r.read = eventKey(read)
	tips, err := r.log.Tips(ctx)
	if err != nil {
		return err
	}
	heads, err := r.log.Heads(ctx)
	if err != nil {
		return err
	}
	if err := r.past.begin(ctx, nil); err != nil {
		return err
	}
	defer r.past.end()
	var control []*event.Event
	var nodes []room.Node
	err = r.log.Control(ctx, func(part []log.Event) error {
		var acts []*event.Event
		for i := range part {
			n, err1 := room.ParseNode(part[i].Node)
			e, err2 := event.Read(whole(&part[i]))
			if err := errors.Join(err1, err2); err != nil {
				return err
			}
			control, nodes = append(control, e), append(nodes, n)
			r.acts.see(e)
			if room.IsAct(e.Kind) {
				acts = append(acts, e)
			}
		}
		return r.past.begin(ctx, acts) // a long room has many epochs, whose links nobody asks for
	})
	if err != nil {
		return err
	}
	pairs := func(yield func(*event.Event, room.Node) bool) {
		for i, e := range control {
			if !yield(e, nodes[i]) {
				return
			}
		}
	}
	known := make([]room.Tip, len(tips))
	for i, t := range tips {
		known[i] = room.Tip{Device: event.Device(t.Device), ID: t.ID, Seq: t.Seq, Fork: t.Fork}
	}
	keys := make([]event.Key, 0, len(heads))
	for _, id := range heads {
		n, ok := r.past.Node(id)
		if !ok {
			return errors.Join(log.ErrEvent, r.past.err)
		}
		keys = append(keys, event.Key{Time: n.Time, ID: id})
		r.chat.clock.See(n.Time)
	}
	if r.state, err = room.Restore(r.id, &r.past, pairs, known, keys); err != nil {
		return err
	}
	r.state.Gone = r.gone
	if err := r.restorePrekeys(ctx); err != nil {
		return err
	}
	if err := r.unwrap(ctx); err != nil {
		return err
	}
	if err := r.restoreSent(ctx); err != nil {
		return err
	}
	r.changed()
	return r.past.err
}

// take takes the turn. Who has it gives it back by calling the function.
func (r *Room) take(ctx context.Context) (give func(), err error) { return r.takeUnless(ctx, nil) }

// errDone: what the turn was wanted for has been done by others.
var errDone = errors.New("it is done")

// takeUnless is take for somebody who does not need the turn any more when a channel is closed.
func (r *Room) takeUnless(ctx context.Context, done <-chan struct{}) (give func(), err error) {
	select {
	case <-r.turn:
	case <-done:
		return nil, errDone
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-r.ctx.Done():
		return nil, ErrClosed
	}
	give = func() { r.turn <- struct{}{} }
	if r.broken != nil {
		if err := r.mend(ctx); err != nil {
			give()
			return nil, err
		}
	}
	r.past.ctx, r.past.err, r.past.fresh, r.past.absent = ctx, nil, nil, nil
	return give, nil
}

// mend reads again what is kept, after the database has failed. It is called with the turn.
func (r *Room) mend(ctx context.Context) error {
	r.acts, r.past = newActs(), past{room: r}
	if err := r.restore(ctx); err != nil {
		return err
	}
	r.broken, r.mended = nil, true
	r.poke()
	return nil
}

// changed makes a new snapshot. It is called with the turn.
func (r *Room) changed() {
	s := &snapshot{devices: map[event.Device]event.Identity{}, forked: map[event.Device]bool{}}
	s.Info = Info{ID: r.id, State: r.place.state, Name: r.place.name, Receipts: r.place.receipts, Role: r.state.RoleNow(r.chat.me), Inviter: r.place.inviter}
	if v := r.state.Property(event.PropertyName); v != nil {
		s.Name = string(v)
	}
	if r.ousted(r.chat.self) {
		s.Role = event.Nobody
	}
	s.Topic = string(r.state.Property(event.PropertyTopic))
	s.Called = maps.Clone(r.acts.called)
	s.History, s.Vanish, s.opens, s.Mailboxes = r.historic(), r.vanishing(), r.opens(), r.mailboxes()
	s.Direct = r.acts.created != nil && r.acts.created.Direct
	for _, m := range r.state.Members() {
		x := Member{Membership: m}
		for _, d := range m.Devices {
			s.devices[d] = m.Identity
			if r.state.Forked(d) > 0 {
				s.forked[d], x.Forked = true, true
			}
			if id, err := peer.NewID(d[:]); err == nil {
				s.meet = append(s.meet, id)
			}
		}
		s.Members = append(s.Members, x)
	}
	s.parted, s.confirm = r.partings(), r.acts.comings.confirming()
	for _, id := range r.place.hosts {
		if s.hosts == nil {
			s.hosts = map[peer.ID]bool{}
		}
		s.hosts[r.chat.heir(id)] = true
	}
	switch r.place.state {
	case Joining:
		s.meet = append(s.meet, r.place.hosts...)
	case Inside:
		if s.Role == event.Nobody {
			s.meet = nil // who was removed has nobody to meet
		}
	}
	r.now.Store(s)
	if m := r.meets.Load(); m != nil {
		m.MembersChanged()
	}
}

// ID returns the room's.
func (r *Room) ID() event.ID { return r.id }

// Info returns what the room is now. What is in it must not be changed.
func (r *Room) Info() Info { return r.now.Load().Info }

// Connected returns the devices with whom the room is connected now.
func (r *Room) Connected() []meet.Peer {
	if m := r.meets.Load(); m != nil {
		return m.Peers()
	}
	return nil
}

// members returns with whom the room is met in.
func (r *Room) members() []peer.ID {
	s := r.now.Load()
	all := s.meet
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, until := range r.guest {
		if _, parted := s.parted[id]; parted || time.Now().After(until) {
			delete(r.guest, id)
		} else if !slices.Contains(all, id) {
			all = append(slices.Clip(all), id)
		}
	}
	return all
}

func (r *Room) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// acts are what has to be remembered of control events beside what they mean.
type acts struct {
	created *event.Create
	ways    map[event.Identity][]event.ID   // by which another device of somebody may enter
	entries map[event.Device]entry          // where devices have entered
	called  map[event.Identity]string       // what they suggest
	callers map[event.Identity]event.Device // by which device they do: the first that has suggested something
	added   map[event.Identity]bool
	entered map[event.ID]bool // by an invite
	invites map[event.ID]*event.Invite
	comings comings
	timed   bool // messages disappear, or did
}

// An entry is where a device has entered first.
type entry struct {
	id      event.ID
	who     event.Identity
	revoked bool // by a proof of who: he has removed it himself
}

func (a *acts) enters(e *event.Event, who event.Identity) {
	if _, again := a.entries[e.Device]; !again {
		a.entries[e.Device] = entry{id: e.ID, who: who}
	}
	a.ways[who] = append(a.ways[who], e.ID)
}

// calls notes what who suggests to be called: a phone that comes as another device of his does not rename him.
func (a *acts) calls(e *event.Event, who event.Identity, name string) {
	if a.called[who] == "" || a.callers[who] == e.Device {
		a.called[who], a.callers[who] = name, e.Device
	}
}

func newActs() acts {
	return acts{called: map[event.Identity]string{}, callers: map[event.Identity]event.Device{}, ways: map[event.Identity][]event.ID{}, entries: map[event.Device]entry{}, added: map[event.Identity]bool{}, entered: map[event.ID]bool{},
		invites: map[event.ID]*event.Invite{}, comings: comings{}}
}

func (a *acts) see(e *event.Event) {
	switch b := e.Body.(type) {
	case *event.Create:
		a.created = b
		a.calls(e, b.Cert.Identity, b.Called)
		a.enters(e, b.Cert.Identity)
	case *event.Enter:
		a.calls(e, b.Cert.Identity, b.Called)
		a.enters(e, b.Cert.Identity)
		if b.Proof != [64]byte{} {
			a.entered[e.ID] = true
			a.comings.see(b.Cert.Identity, e)
		}
	case *event.RemoveDevice:
		for d, x := range a.entries {
			if x.id == b.Enter && b.Proof != [64]byte{} {
				x.revoked = true
				a.entries[d] = x
			}
		}
	case *event.Meta:
		a.timed = a.timed || b.Property == event.PropertyTTL
	case *event.Invite:
		a.invites[e.ID] = b
	case *event.Add:
		a.ways[b.Member] = append(a.ways[b.Member], e.ID)
		a.added[b.Member] = true
		a.comings.see(b.Member, e)
	case *event.Remove:
		a.comings.see(b.Member, e)
	}
}

// whole returns the bytes of an event, with what is left of its payload.
func whole(e *log.Event) []byte { return append(slices.Clip(e.Bytes), e.Payload...) }

func eventKey(k log.Key) event.Key { return event.Key{Time: k.Time, ID: k.ID} }
func logKey(k event.Key) log.Key   { return log.Key{Time: k.Time, ID: k.ID} }
func meetKey(k event.Key) rbsr.Key { return rbsr.Key{Time: k.Time, ID: k.ID} }
