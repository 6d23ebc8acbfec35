package room

import (
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/tenon-net/tenon/internal/chat/event"
)

// ErrRefused: the event breaks a rule that all its replicas see broken: it may never be in the
// room, nor anything that stands on it.
var ErrRefused = errors.New("the event does not belong in the room")

// A MissingError says which events must be added first.
type MissingError struct{ IDs []event.ID }

func (e *MissingError) Error() string {
	return fmt.Sprintf("%d events before it are missing", len(e.IDs))
}

func refused(why string) error { return fmt.Errorf("%w: %s", ErrRefused, why) }

// A Room is what the events added so far mean. The zero Room is not usable.
type Room struct {
	id      event.ID
	past    Past
	acts    []*act                      // those that decide who may do what, parents first
	epochs  []*light                    // the newest first, as Sending wants them
	numbers map[event.ID]uint32         // of acts
	by      map[event.Identity][]uint32 // acts, by author
	owners  map[event.Identity][]uint32 // acts that would make somebody an owner
	devices map[event.Device]*device    // all that have entered
	heads   map[event.ID]uint64         // events that none stands on yet, with their times
	state   *state                      // what the acts mean; nil: to be worked out
	before  *state                      // the last one that was worked out
	changed map[event.Identity]struct{} // since Changed was called
	shares  map[event.ID][]*light       // of the secret of an epoch
	metas   map[event.Property][]*light

	// Gone tells whether a device has forgotten a prekey, by what its tag is, so that it cannot open what is wrapped to it;
	// nil: none has.
	Gone func(d event.Device, tag [8]byte) bool
}

// An act is a control event on which rights depend.
type act struct {
	e      *event.Event
	number uint32
	node   Node
	author event.Identity
	past   set // the acts before it, and itself
}

// A light is a control event on which no right depends: an epoch, a share of one or a
// property. Kinds that are not known are not kept.
type light struct {
	e    *event.Event
	node Node
}

// IsAct tells whether rights depend on events of the kind. Of no others does [Restore] ask the Past.
func IsAct(k event.Kind) bool { return k >= event.KindCreate && k <= event.KindRemoveDevice }

// New returns an empty room with the events that past will know. The first event to be added
// is the one that creates it.
func New(id event.ID, past Past) *Room {
	return &Room{id: id, past: past, numbers: map[event.ID]uint32{}, by: map[event.Identity][]uint32{}, owners: map[event.Identity][]uint32{},
		devices: map[event.Device]*device{}, heads: map[event.ID]uint64{}, changed: map[event.Identity]struct{}{}, shares: map[event.ID][]*light{}, metas: map[event.Property][]*light{}}
}

// ID returns the ID of the room.
func (r *Room) ID() event.ID { return r.id }

// Add takes an event whose signature has been checked, and returns what its user's Past has to
// know from now on. To add what is there is no mistake and changes nothing. The error matches
// [ErrRefused], or is a *[MissingError].
func (r *Room) Add(e *event.Event) (Node, error) {
	if n, ok := r.past.Node(e.ID); ok {
		return n, nil
	}
	n, err := r.Check(e)
	if err != nil {
		return Node{}, err
	}
	r.take(e, &n)
	r.follow(e, n)
	return n, nil
}

// take adds a control event, with its node, which is given the number of an act.
func (r *Room) take(e *event.Event, n *Node) {
	if IsAct(e.Kind) {
		r.takeAct(e, n)
		return
	}
	switch l := (&light{e, *n}); b := e.Body.(type) {
	case *event.Epoch:
		i, _ := slices.BinarySearchFunc(r.epochs, l, newer)
		r.epochs = slices.Insert(r.epochs, i, l)
	case *event.Share:
		r.shares[b.Of] = append(r.shares[b.Of], l)
	case *event.Meta:
		r.metas[b.Property] = append(r.metas[b.Property], l)
	}
}

func (r *Room) takeAct(e *event.Event, n *Node) {
	a := &act{e: e, number: uint32(len(r.acts)), past: newSet(len(r.acts) + 1)}
	for _, p := range n.Past {
		a.past.addAll(r.acts[p].past)
	}
	a.past.add(a.number)
	n.Past = []uint32{a.number}
	if e.Seq == 1 {
		n.Root = a.number
	}
	a.node = *n
	r.acts, r.numbers[e.ID], r.state = append(r.acts, a), a.number, nil
	a.author = r.entered(a)
	r.by[a.author] = append(r.by[a.author], a.number)
	if who, ok := r.crowns(a); ok {
		r.owners[who] = append(r.owners[who], a.number)
	}
}

// entered returns the identity of an act: that of the certificate with which its device has
// entered.
func (r *Room) entered(a *act) event.Identity {
	switch b := r.acts[a.node.Root].e.Body.(type) {
	case *event.Create:
		return b.Cert.Identity
	case *event.Enter:
		return b.Cert.Identity
	}
	panic("room: a device has entered by another kind of event")
}

// crowns returns who would be an owner by the act, if it counts.
func (r *Room) crowns(a *act) (event.Identity, bool) {
	switch b := a.e.Body.(type) {
	case *event.Create:
		return a.author, true
	case *event.Add:
		return b.Member, b.Role == event.Owner
	case *event.SetRole:
		return b.Member, b.Role == event.Owner
	case *event.Enter:
		i, ok := r.acts[r.numbers[b.Via]].e.Body.(*event.Invite)
		return a.author, ok && i.Role == event.Owner
	}
	return event.Identity{}, false
}

// follow keeps heads and the latest event of each device.
func (r *Room) follow(e *event.Event, n Node) {
	for _, id := range e.Links() {
		delete(r.heads, id)
	}
	r.heads[e.ID] = e.Time
	r.device(e.Device).follow(e, n)
}

func (r *Room) device(id event.Device) *device {
	d := r.devices[id]
	if d == nil {
		d = new(device)
		r.devices[id] = d
	}
	return d
}

// A Tip is how far the events of a device go. Fork is where it has signed two events with
// one number, 0 if it has not.
type Tip struct {
	Device event.Device
	ID     event.ID
	Seq    uint64
	Fork   uint64
}

// Tips returns the tips of all devices, for [Restore].
func (r *Room) Tips() []Tip {
	var all []Tip
	for d, x := range r.devices {
		all = append(all, Tip{d, x.tip, x.seq, x.fork})
	}
	return all
}

// Heads returns the events that none stands on yet, latest first. They are what [Room.Draft]
// chooses from, and may be more on one replica than on another.
func (r *Room) Heads() []event.Key {
	all := make([]event.Key, 0, len(r.heads))
	for id, t := range r.heads {
		all = append(all, event.Key{Time: t, ID: id})
	}
	slices.SortFunc(all, func(a, b event.Key) int { return b.Compare(a) })
	return all
}

// Restore returns a room as it was, from records: its control events with their nodes in the
// order in which they were added, and what Tips and Heads have returned. Of the other
// events it reads none.
func Restore(id event.ID, past Past, control iter.Seq2[*event.Event, Node], tips []Tip, heads []event.Key) (*Room, error) {
	r := New(id, past)
	for e, n := range control {
		own := n.Past
		if IsAct(e.Kind) {
			pasts, err := r.pastsOf(e)
			if err != nil {
				return nil, err
			}
			n.Past = r.merge(pasts)
		}
		if int(n.Root) > len(r.acts) || slices.ContainsFunc(n.Past, func(p uint32) bool { return int(p) >= len(r.acts) }) {
			return nil, errNode
		}
		if r.take(e, &n); !slices.Equal(own, n.Past) {
			return nil, errNode
		}
		if e.Seq == 1 {
			d := r.device(e.Device)
			d.roots = append(d.roots, n.Root)
		}
	}
	for _, t := range tips {
		d := r.devices[t.Device]
		if d == nil {
			return nil, errNode
		}
		d.tip, d.seq, d.fork = t.ID, t.Seq, t.Fork
	}
	for _, h := range heads {
		r.heads[h.ID] = h.Time
	}
	r.now() // what changes, changes from here
	return r, nil
}

// pastsOf returns the pasts of what an event stands on.
func (r *Room) pastsOf(e *event.Event) ([][]uint32, error) {
	pasts := [][]uint32{}
	for _, id := range e.Links() {
		n, ok := r.past.Node(id)
		if !ok {
			return nil, errNode
		}
		pasts = append(pasts, n.Past)
	}
	if len(pasts) == 0 {
		pasts = append(pasts, nil)
	}
	return pasts, nil
}
