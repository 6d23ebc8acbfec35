package meet

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/account"
	"github.com/tenon-net/tenon/internal/chat/rbsr"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// A Room is a room that members meet in. Its methods may be called from any goroutine.
//
//	connect  opens streams with members
//	admit    takes what has come: what is new goes to the Set, and on to others
type Room struct {
	Config
	m       *Meeting
	held    account.Account
	ctx     context.Context //nolint:containedctx // it lives as long as the Room
	stop    context.CancelCauseFunc
	working sync.WaitGroup
	looked  time.Time     // for where this device is; connect alone uses it
	arrived chan struct{} // has room for one: there is something for admit
	look    chan struct{} // has room for one: there is something for connect

	mu       sync.Mutex // guards what follows
	closed   bool
	sessions map[peer.ID]*session
	inbox    []arrival
	asked    map[[32]byte]*session  // of whom an event is asked for
	later    map[[32]byte]time.Time // events that are not asked for until then
	orphans  orphans
	slots    slots
	trials   map[peer.ID]*trial
	parted   map[peer.ID]time.Time // when those who were members were told that they are none
	own      place                 // where this device is
	placed   uint64                // how often somebody has said where it is
}

// Open has the room met in until Close is called.
func (m *Meeting) Open(c Config) *Room {
	r := &Room{Config: c, m: m, held: account.Account{Limit: maxRoomHeld, Parent: &m.held},
		arrived: make(chan struct{}, 1), look: make(chan struct{}, 1), sessions: map[peer.ID]*session{},
		asked: map[[32]byte]*session{}, later: map[[32]byte]time.Time{}, trials: map[peer.ID]*trial{}}
	if r.Rate == 0 {
		r.Rate = DefaultRate
	}
	r.ctx, r.stop = context.WithCancelCause(context.Background())
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		r.closed = true
		r.stop(errClosed)
		return r
	}
	m.rooms[r] = true
	r.working.Go(r.connect)
	r.working.Go(r.admit)
	return r
}

// Close ends all sessions and waits for them.
func (r *Room) Close() {
	r.m.mu.Lock()
	delete(r.m.rooms, r)
	r.m.mu.Unlock()
	r.mu.Lock()
	r.closed = true
	for _, x := range r.sessions {
		x.end(errClosed)
	}
	r.mu.Unlock()
	r.stop(errClosed)
	r.working.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.orphans.clear(r)
	for _, a := range r.inbox {
		a.from.held.Give(a.bytes)
	}
	r.inbox = nil
}

// fail ends all sessions: nothing can be kept any more, and not what has come.
func (r *Room) fail(err error, part []arrival) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.inbox = append(part, r.inbox...)
	for _, x := range r.sessions {
		x.end(err)
	}
	r.stop(err)
}

// Push tells all who are connected of events that are new in the Set, made here.
func (r *Room) Push(blobs ...Blob) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range blobs {
		r.orphans.know(blobs[i].ID)
	}
	r.push(nil, blobs)
}

// push tells all but one.
func (r *Room) push(but *session, blobs []Blob) {
	for _, x := range r.sessions {
		if x != but {
			x.push(blobs)
		}
	}
}

// Say sends a note to those of these who are connected, or to all: what is never kept, and may be lost.
func (r *Room) Say(note []byte, to ...peer.ID) {
	if len(note) > MaxNote {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, x := range r.sessions {
		if len(to) > 0 && !slices.Contains(to, id) || x.farewell != nil {
			continue
		}
		if len(x.notes) == maxNotes {
			x.notes = x.notes[1:] // the older ones are about what was
		}
		x.notes = append(x.notes, note)
		x.kick()
	}
}

// MarksChanged has all who are connected told of new marks in the Set.
func (r *Room) MarksChanged() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, x := range r.sessions {
		x.marks = x.farewell == nil
		x.kick()
	}
}

// farewellTime is for how long a session goes on with who is no member any more: so he is told that he is none.
const farewellTime = 5 * time.Second

// MembersChanged has streams opened with new members, and those ended with who is none any more. What is pushed next, which is why
// he is none, he is still told.
func (r *Room) MembersChanged() {
	members := r.Members()
	r.mu.Lock()
	for id, x := range r.sessions {
		switch is := slices.Contains(members, id); {
		case is && x.farewell != nil:
			x.farewell.Stop()
			x.farewell, x.parted = nil, false
		case !is && x.farewell == nil:
			x.farewell = time.AfterFunc(farewellTime, func() { x.end(ErrGone) })
		}
	}
	r.tellPlaces()
	ahead := map[*session][]peer.Contact{}
	for _, x := range r.sessions {
		ahead[x] = x.takeAhead()
	}
	wake(r.look)
	r.mu.Unlock()
	for x, all := range ahead {
		for _, c := range all {
			x.learn(c)
		}
	}
}

func (r *Room) member(who peer.ID) bool { return slices.Contains(r.Members(), who) }

// A Peer is somebody with whom a Room is connected.
type Peer struct {
	ID    peer.ID
	Since time.Time
	Equal time.Time // when both were last known to have the same; zero = not yet
}

// Peers returns who is connected.
func (r *Room) Peers() (peers []Peer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, x := range r.sessions {
		peers = append(peers, Peer{id, x.began, x.equal})
	}
	return peers
}

// run has a session go on until it ends. Both sides have shown that they know the room.
func (r *Room) run(x *session) error {
	if err := r.join(x); err != nil {
		transport.Abort(x.stream, err)
		return err
	}
	defer r.working.Done()
	r.tell(x.peer, "is connected", nil)
	var all sync.WaitGroup
	all.Go(x.write)
	all.Go(x.hangUp)
	x.end(x.read())
	all.Wait()
	err := r.leave(x)
	r.tell(x.peer, "is not connected any more", err)
	return err
}

func (r *Room) tell(who peer.ID, what string, err error) {
	if r.Event != nil {
		r.Event(who, what, err)
	}
}

// join decides whether a session may be. Of two with the same peer, the later one counts if the same side
// has opened it, for then the earlier one is dead, and else the one that the lesser of the two has opened: both sides decide alike.
func (r *Room) join(x *session) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.sessions[x.peer]
	switch {
	case r.closed:
		return errClosed
	case r.shunned(x.peer):
		return errShunned
	case old == nil && !r.makeRoom(time.Now()):
		return errBusy
	case old != nil && old.opener != x.opener && old.opener.String() < x.opener.String():
		return errTwice
	case old != nil:
		old.end(errTwice)
	}
	r.sessions[x.peer] = x
	r.working.Add(1)
	x.began = time.Now()
	x.tells = r.Places != nil
	x.marks, x.check, x.checkAt = true, x.opener != x.peer, x.began
	x.stream.SetDeadline(time.Time{}) //nolint:errcheck // the read that follows shows it
	return nil
}

// makeRoom tells whether there is room for one more session. If there are too many, the one ends that is there the longest of those who had
// all: they know everybody, and find others, where a newcomer may know nobody but us. It is called with mu held.
func (r *Room) makeRoom(now time.Time) bool {
	var eldest *session
	there := 0
	for _, x := range r.sessions {
		if x.ctx.Err() != nil {
			continue // it is about to leave
		}
		there++
		if !x.equal.IsZero() && now.Sub(x.began) >= settled && (eldest == nil || x.began.Before(eldest.began)) {
			eldest = x
		}
	}
	if there < maxSessions {
		return true
	}
	if eldest != nil {
		eldest.end(errBusy)
	}
	return eldest != nil
}

// leave takes a session out, and has others asked for what it was asked for.
func (r *Room) leave(x *session) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sessions[x.peer] == x {
		delete(r.sessions, x.peer)
	}
	if x.farewell != nil {
		x.farewell.Stop()
	}
	asked := len(x.asking)+len(x.parents) > 0
	for _, w := range x.asking {
		r.unask(x, w)
	}
	r.unask(x, &want{ids: x.parents})
	x.dropPushes()
	x.takeAhead()
	for _, o := range r.sessions {
		if !x.lazy {
			o.graft()
		}
		if o.blocked = false; asked {
			o.compare(soon)
		}
		o.kick()
	}
	wake(r.look)
	why := context.Cause(x.ctx)
	switch {
	case errors.Is(why, io.EOF):
		return nil
	case errors.Is(why, errWire), errors.Is(why, ErrInvalid), errors.Is(why, rbsr.ErrMessage), errors.Is(why, errLies), errors.Is(why, errOrphans):
		r.shun(x.peer)
	}
	return why
}

// unask notes that a question is not open any more.
func (r *Room) unask(x *session, w *want) {
	for _, id := range w.ids {
		if r.asked[id] == x {
			delete(r.asked, id)
		}
	}
	delete(x.asking, w.number)
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func keysOf(blobs []Blob) []rbsr.Key {
	keys := make([]rbsr.Key, len(blobs))
	for i := range blobs {
		keys[i] = blobs[i].Key
	}
	return keys
}
