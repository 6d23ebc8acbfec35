package room

import (
	"github.com/tenon-net/tenon/internal/chat/event"
)

// A device is how far the events of one go. They are a chain, each naming the one before
// it; if the device signs two with one number, a tree.
type device struct {
	roots []uint32 // the acts by which it has entered: one, if it is honest
	tip   event.ID // the latest: the greatest number, then the least ID
	seq   uint64   // of the tip
	fork  uint64   // the least number that two events have; 0: there is none
}

func (d *device) follow(e *event.Event, n Node) {
	if e.Seq == 1 {
		d.roots = append(d.roots, n.Root)
	}
	if d.seq > 0 && (e.Seq == 1 || n.Prev != d.tip) && (d.fork == 0 || e.Seq < d.fork) {
		// What comes first of a branch does not follow the tip of the other, and it has
		// a sibling: the events of a chain come in order.
		d.fork = e.Seq
	}
	if e.Seq > d.seq || e.Seq == d.seq && e.ID.Less(d.tip) {
		d.tip, d.seq = e.ID, e.Seq
	}
}

// A cut is where the events of a device end that a removal lets stand.
type cut struct {
	id   event.ID
	seq  uint64
	root uint32

	chain map[event.ID]struct{} // the events from number from on that lead to it; made when needed
	from  uint64
}

// reaches tells whether an event leads to the cut: it is the cut or before it in the chain
// of its device.
func (r *Room) reaches(c *cut, id event.ID, n Node) bool {
	if n.Root != c.root || n.Seq > c.seq {
		return false
	}
	fork := r.devices[r.acts[c.root].e.Device].fork
	if fork == 0 || n.Seq < fork {
		return true // there is one event of that number
	}
	if c.chain == nil || c.from > fork {
		c.chain, c.from = map[event.ID]struct{}{}, fork
		for at := c.id; ; {
			node, ok := r.past.Node(at)
			if !ok || node.Seq < fork {
				break
			}
			c.chain[at] = struct{}{}
			at = node.Prev
		}
	}
	_, ok := c.chain[id]
	return ok
}

// Forked returns the number from which on a device has signed two events for one place, and so
// shown different things to different people, or been copied. It returns 0 for one that has
// not. Both branches stay, and neither has more rights than if two devices had done it; but
// members should know.
func (r *Room) Forked(d event.Device) uint64 {
	if x := r.devices[d]; x != nil {
		return x.fork
	}
	return 0
}
