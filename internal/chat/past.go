package chat

import (
	"context"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/chat/room"
)

// keptNodes is how many nodes a generation of a past has.
const keptNodes = 4096

// A past is what a [room.Room] stands on: the nodes of all events, in the database. Those used
// lately are in memory; those of events that are not in the database yet, too.
type past struct {
	room   *Room
	ctx    context.Context //nolint:containedctx // of the turn
	err    error           // of the database: then what it has said is not true
	fresh  map[event.ID]known
	absent map[event.ID]bool // for certain
	newer  map[event.ID]known
	older  map[event.ID]known
}

type known struct {
	node  room.Node
	links []event.ID
}

var _ room.Past = (*past)(nil)

// begin gets ready for a turn in which these events are asked for.
func (p *past) begin(ctx context.Context, events []*event.Event) error {
	p.ctx, p.err, p.fresh, p.absent = ctx, nil, map[event.ID]known{}, map[event.ID]bool{}
	var ids []event.ID
	indexed := p.room.indexed.Load()
	for _, e := range events {
		if indexed && !p.room.index.Has(meetKey(e.Key())) {
			p.absent[e.ID] = true // and is not asked for
		}
		for _, id := range append(e.Links(), e.ID) {
			if _, ok := p.recall(id); !ok && !p.absent[id] {
				p.absent[id] = true
				ids = append(ids, id)
			}
		}
	}
	return p.read(ids)
}

// end takes what was added for good.
func (p *past) end() {
	for id, k := range p.fresh {
		p.remember(id, k)
	}
	p.fresh, p.absent = nil, nil
}

func (p *past) recall(id event.ID) (known, bool) {
	k, ok := p.fresh[id]
	if !ok {
		k, ok = p.newer[id]
	}
	if !ok {
		if k, ok = p.older[id]; ok {
			p.remember(id, k)
		}
	}
	return k, ok
}

func (p *past) remember(id event.ID, k known) {
	if len(p.newer) >= keptNodes || p.newer == nil {
		p.newer, p.older = map[event.ID]known{}, p.newer
	}
	p.newer[id] = k
}

func (p *past) read(ids []event.ID) error {
	if len(ids) == 0 {
		return nil
	}
	return p.room.log.Nodes(p.ctx, func(id [32]byte, node []byte, parents [][32]byte) error {
		n, err := room.ParseNode(node)
		if err != nil {
			return err
		}
		delete(p.absent, id)
		p.remember(id, known{n, convert[event.ID](parents)})
		return nil
	}, convert[[32]byte](ids)...)
}

func (p *past) get(id event.ID) (known, bool) {
	k, ok := p.recall(id)
	if ok || p.absent[id] {
		return k, ok
	}
	if err := p.read([]event.ID{id}); err != nil {
		p.err = err
	}
	return p.recall(id)
}

// Node returns the node of an event.
func (p *past) Node(id event.ID) (room.Node, bool) {
	k, ok := p.get(id)
	return k.node, ok
}

// Links returns what an event stands on.
func (p *past) Links(id event.ID) []event.ID {
	k, _ := p.get(id)
	return k.links
}

// convert returns IDs as another package calls them.
func convert[To, From ~[32]byte](ids []From) []To {
	all := make([]To, len(ids))
	for i, id := range ids {
		all[i] = To(id)
	}
	return all
}
