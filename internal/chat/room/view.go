package room

import (
	"maps"
	"slices"

	"github.com/tenon-net/tenon/internal/chat/event"
)

// An Opened is a content event that counts, with what it says.
type Opened struct {
	event.Key
	Author event.Identity
	Role   event.Role // of the author for it: [Room.Role]
	Body   event.Body // nil: of a kind that is not known, or erased
}

// A Message is what is shown of a text or a file, with all that was done to it since.
type Message struct {
	event.Key
	Author    event.Identity
	Body      event.Body // the *event.Text or *event.File; nil if it was deleted
	Text      string     // as it was edited last
	Mentions  []event.Identity
	Edited    event.Key // the last edit; zero: none
	Deleted   bool      // by its author or an owner, for good
	Pinned    bool
	Reactions map[string][]event.Identity // who has reacted, in the order of the bytes of identities
}

// A View puts messages and what was done to them together, in whatever order they come. It
// is for a page of a room: all its events are in memory. The zero View is empty.
type View struct{ targets map[event.ID]*target }

// A target is a message, or one that is not there yet.
type target struct {
	base    *Opened
	edits   map[event.Identity]Opened // the last one of each author: only those of the message's own matter
	reacts  map[reaction]Opened
	deletes map[event.Identity]bool
	removed bool   // by an owner
	pin     Opened // the last one by an owner
}

type reaction struct {
	who   event.Identity
	emoji string
}

func (v *View) target(id event.ID) *target {
	if v.targets == nil {
		v.targets = map[event.ID]*target{}
	}
	x := v.targets[id]
	if x == nil {
		x = &target{edits: map[event.Identity]Opened{}, reacts: map[reaction]Opened{}, deletes: map[event.Identity]bool{}}
		v.targets[id] = x
	}
	return x
}

// Add takes an event. To take one twice changes nothing.
func (v *View) Add(o Opened) {
	switch b := o.Body.(type) {
	case *event.Text, *event.File:
		v.target(o.ID).base = &o
	case *event.Edit:
		if x := v.target(b.Target); x.edits[o.Author].Key.Less(o.Key) {
			x.edits[o.Author] = o
		}
	case *event.React:
		x, k := v.target(b.Target), reaction{o.Author, b.Emoji}
		if x.reacts[k].Key.Less(o.Key) {
			x.reacts[k] = o
		}
	case *event.Delete:
		x := v.target(b.Target)
		x.deletes[o.Author] = true
		x.removed = x.removed || o.Role == event.Owner
	case *event.Pin:
		if x := v.target(b.Target); o.Role == event.Owner && x.pin.Key.Less(o.Key) {
			x.pin = o
		}
	}
}

// Messages returns what is shown, in order.
func (v *View) Messages() []Message {
	all := []Message{}
	for _, x := range v.targets {
		if x.base != nil {
			all = append(all, x.message())
		}
	}
	slices.SortFunc(all, func(a, b Message) int { return a.Compare(b.Key) })
	return all
}

func (x *target) message() Message {
	m := Message{Key: x.base.Key, Author: x.base.Author}
	if x.removed || x.deletes[m.Author] {
		m.Deleted = true
		return m
	}
	m.Body = x.base.Body
	switch b := m.Body.(type) {
	case *event.Text:
		m.Text, m.Mentions = b.Text, b.Mentions
	case *event.File:
		m.Text = b.Text
	}
	if e, ok := x.edits[m.Author]; ok {
		if b, ok := e.Body.(*event.Edit); ok {
			m.Text, m.Mentions, m.Edited = b.Text, b.Mentions, e.Key
		}
	}
	if b, ok := x.pin.Body.(*event.Pin); ok {
		m.Pinned = !b.Off
	}
	for k, o := range x.reacts {
		if b, ok := o.Body.(*event.React); ok && !b.Off {
			if m.Reactions == nil {
				m.Reactions = map[string][]event.Identity{}
			}
			m.Reactions[k.emoji] = append(m.Reactions[k.emoji], k.who)
		}
	}
	for who := range maps.Values(m.Reactions) {
		slices.SortFunc(who, func(a, b event.Identity) int { return event.Key{ID: event.ID(a)}.Compare(event.Key{ID: event.ID(b)}) })
	}
	return m
}
