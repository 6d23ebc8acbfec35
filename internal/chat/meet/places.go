package meet

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
)

// Places is where devices are. Members tell each other of it, so that those find each other who know
// nothing but that they are in one room. Its methods are called from several goroutines, and must not block.
type Places interface {
	// Own returns where this device may be reached.
	Own() []string

	// Admitted tells whether a device is a member's, by the events that are there, and not of somebody that the user wants nothing to do with. Others who
	// take part may still have to enter: they are told nothing, nor believed, and nobody is told of them.
	Admitted(id peer.ID) bool

	// Learnt hears where a device may be, by what a member's device says, or, if id is from, by what it says of itself. It
	// returns what of that is believed, which alone is handed on.
	Learnt(from, id peer.ID, addrs []string) []string
}

// What is told of where members are.
const (
	ownEvery  = time.Minute      // it is looked where this device is,
	ownPause  = 10 * time.Second // but not more often
	tellPause = time.Second      // between two frames
	maxHeard  = 64               // devices that are heard of from one at once; then one a second
	maxAhead  = 16               // of these, that are no members yet as far as is known here
	hintEvery = time.Minute      // a device is tried again because somebody has said where it is
)

// A place is where a device is, as it says itself.
type place struct {
	addrs []string
	at    uint64 // counts what a Room has heard; 0 = nothing was said
}

// places is what a session knows of where others are. Room.mu guards its first part.
type places struct {
	where place          // the other side, as far as it is believed
	ahead []peer.Contact // what it has said of devices that are no members yet
	tells bool           // there may be something to be told,
	after time.Time      // not before

	toldOf map[peer.ID]uint64 // of whom it was told, and which place; write alone uses it
	named  int                // devices that it has told of; read alone uses it
}

// lookWhere looks where this device is, and returns when to look again. If that is new, it is told.
func (r *Room) lookWhere(now time.Time) time.Duration {
	if r.Places == nil {
		return time.Hour
	}
	if left := ownPause - now.Sub(r.looked); left > 0 {
		return left
	}
	r.looked = now
	addrs := peer.ContactAddrs(r.Places.Own())
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(addrs, r.own.addrs) {
		r.placed++
		r.own = place{addrs, r.placed}
		r.tellPlaces()
	}
	return ownEvery
}

// tellPlaces has all look what there is to be told.
func (r *Room) tellPlaces() {
	if r.Places == nil {
		return
	}
	for _, x := range r.sessions {
		x.tells = true
		x.kick()
	}
}

// tellWhere tells the other side where members are, if that is new to it: this device, and those that are connected
// with it. What was heard of others is not handed on: who is told of somebody asks himself.
func (x *session) tellWhere() error {
	r := x.room
	if !r.Places.Admitted(x.peer) {
		return nil // it is looked again when members change
	}
	type news struct {
		peer.Contact
		at uint64
	}
	var all []news
	r.mu.Lock()
	add := func(id peer.ID, p place) {
		if p.at > x.toldOf[id] {
			all = append(all, news{peer.Contact{ID: id, Addrs: p.addrs}, p.at})
		}
	}
	add(r.m.net.Self(), r.own)
	for id, o := range r.sessions {
		if o != x {
			add(id, o.where)
		}
	}
	r.mu.Unlock()
	all = slices.DeleteFunc(all, func(n news) bool { return n.ID != r.m.net.Self() && !r.Places.Admitted(n.ID) })
	if len(all) == 0 {
		return nil
	}
	slices.SortFunc(all, func(a, b news) int { return cmp.Compare(a.at, b.at) })
	if len(all) > peer.MaxContacts {
		all = all[:peer.MaxContacts]
		x.tellLater()
	}
	contacts := make([]peer.Contact, len(all))
	for i, n := range all {
		contacts[i] = n.Contact
		x.toldOf[n.ID] = n.at
	}
	return x.frame(framePeers, func(b []byte) []byte { return peer.AppendContacts(b, contacts...) })
}

func (x *session) tellLater() {
	x.room.mu.Lock()
	defer x.room.mu.Unlock()
	x.tells = true
}

// takePeers learns where the other side is, and members that are connected with it. Whoever tells of more than anybody could
// use is not listened to.
func (x *session) takePeers(p []byte) error {
	may := maxHeard + int(time.Since(x.began)/time.Second)
	if x.named >= may {
		return nil // to look whether these are keys takes time, too
	}
	all, err := peer.ParseContacts(p)
	if err == nil && len(all) == 0 {
		err = peer.ErrContacts
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errWire, err)
	}
	for _, c := range all {
		if x.named++; x.named > may || x.room.Places == nil {
			break
		}
		x.learn(c)
	}
	return nil
}

// learn takes note of where somebody is. Of whom no event says that it is a member, one may be on its way.
func (x *session) learn(c peer.Contact) {
	r := x.room
	switch {
	case c.ID == r.m.net.Self():
	case !r.Places.Admitted(x.peer), !r.Places.Admitted(c.ID):
		r.mu.Lock()
		defer r.mu.Unlock()
		x.ahead = slices.DeleteFunc(x.ahead, func(old peer.Contact) bool {
			if old.ID == c.ID {
				r.held.Give(sizeOf(old))
			}
			return old.ID == c.ID
		})
		if r.sessions[x.peer] == x && len(x.ahead) < maxAhead && r.held.Take(sizeOf(c), false) {
			x.ahead = append(x.ahead, c)
		}
	default:
		addrs := r.Places.Learnt(x.peer, c.ID, c.Addrs)
		r.mu.Lock()
		defer r.mu.Unlock()
		if c.ID != x.peer {
			r.hint(c.ID, addrs)
		} else if !slices.Equal(addrs, x.where.addrs) {
			r.placed++
			x.where = place{addrs, r.placed}
			r.tellPlaces()
		}
	}
}

// sizeOf returns what a contact takes.
func sizeOf(c peer.Contact) int64 {
	n := 64
	for _, a := range c.Addrs {
		n += len(a) + 16
	}
	return int64(n)
}

// takeAhead returns what was said of those who were no members then. It is called with mu held.
func (x *session) takeAhead() []peer.Contact {
	all := x.ahead
	x.ahead = nil
	for _, c := range all {
		x.room.held.Give(sizeOf(c))
	}
	return all
}

// hint has a device tried soon that could not be reached, for somebody has said where it is. It is called with mu held.
func (r *Room) hint(id peer.ID, addrs []string) {
	now := time.Now()
	t := r.trials[id]
	if len(addrs) == 0 || t == nil || r.sessions[id] != nil || r.shunned(id) || now.Sub(t.hinted) < hintEvery {
		return
	}
	t.hinted, t.wait = now, firstWait
	if soon := now.Add(yield); soon.Before(t.next) {
		t.next = soon
	}
	wake(r.look)
}
