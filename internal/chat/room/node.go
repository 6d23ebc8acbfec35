package room

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/tenon-net/tenon/internal/chat/event"
)

// A Node is what must be known of an event so that others can stand on it. It is made
// by [Room.Add] and kept by whoever keeps the event. It means nothing to other
// replicas: its numbers are places in the order in which this one has added acts.
type Node struct {
	Time uint64
	Seq  uint64
	Kind event.Kind
	Root uint32   // the act by which the device of the event has entered
	Past []uint32 // the latest acts in its past, ascending; of an act itself only. Not to be changed
	Prev event.ID // the event of the same device before it; zero if there is none
}

// A Past knows all events that have been added. Its answer to an ID never changes, but that
// one which is not there may come.
type Past interface {
	Node(event.ID) (n Node, ok bool)
	Links(event.ID) []event.ID // [event.Event.Links] of one that is there
}

var errNode = errors.New("not a node of a room")

// Append appends the node as it is kept.
func (n Node) Append(b []byte) []byte {
	b = append(b, byte(n.Kind))
	b = binary.AppendUvarint(b, n.Time)
	b = binary.AppendUvarint(b, n.Seq)
	b = binary.AppendUvarint(b, uint64(n.Root))
	b = append(b, n.Prev[:]...)
	last := uint32(0)
	for _, p := range n.Past {
		b = binary.AppendUvarint(b, uint64(p-last))
		last = p
	}
	return b
}

// ParseNode reads what Append has written.
func ParseNode(b []byte) (Node, error) {
	var n Node
	if len(b) == 0 {
		return n, errNode
	}
	n.Kind, b = event.Kind(b[0]), b[1:]
	number := func() uint64 {
		v, size := binary.Uvarint(b)
		b = b[max(size, 0):]
		if size <= 0 {
			b = nil
		}
		return v
	}
	n.Time, n.Seq, n.Root = number(), number(), uint32(number())
	if len(b) <= len(n.Prev) {
		return Node{}, errNode
	}
	b = b[copy(n.Prev[:], b):]
	for last := uint32(0); len(b) > 0; {
		last += uint32(number())
		n.Past = append(n.Past, last)
	}
	return n, nil
}

// A set is one of acts, by their numbers.
type set []uint64

func newSet(n int) set { return make(set, (n+63)/64) }

func (s set) has(i uint32) bool { return int(i/64) < len(s) && s[i/64]>>(i%64)&1 == 1 }
func (s set) add(i uint32)      { s[i/64] |= 1 << (i % 64) }

func (s set) addAll(other set) {
	for i, w := range other {
		s[i] |= w
	}
}

// knows tells whether the act is one of those in past, or before one of them.
func (r *Room) knows(past []uint32, act uint32) bool {
	return slices.ContainsFunc(past, func(p uint32) bool { return r.acts[p].past.has(act) })
}

// merge returns the latest acts of several pasts. Nearly always they are the same, and then
// nothing is allocated.
func (r *Room) merge(pasts [][]uint32) []uint32 {
	first, same := pasts[0], true
	for _, p := range pasts[1:] {
		same = same && slices.Equal(first, p)
	}
	if same {
		return first
	}
	all := slices.Concat(pasts...)
	slices.Sort(all)
	all = slices.Compact(all)
	latest := slices.DeleteFunc(slices.Clone(all), func(a uint32) bool {
		return slices.ContainsFunc(all, func(b uint32) bool { return a != b && r.acts[b].past.has(a) })
	})
	for _, p := range pasts {
		if slices.Equal(latest, p) {
			return p
		}
	}
	return slices.Clip(latest)
}
