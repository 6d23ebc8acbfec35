package chat

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/chat/log"
	"github.com/tenon-net/tenon/internal/chat/room"
)

// An item is an event that may be in the room, on its way to the database.
type item struct {
	e    *event.Event
	node room.Node
	body event.Body
	row  log.Event
}

// admit adds events, in the order of their keys: all that may be in the room are kept, at once, with all that
// changes by them, or none. It is called with the turn, and returns those that are kept.
func (r *Room) admit(ctx context.Context, events []*event.Event, own bool) ([]item, error) {
	slices.SortFunc(events, func(a, b *event.Event) int { return a.Key().Compare(b.Key()) })
	ctx = context.WithoutCancel(ctx) // what is begun is done, or the database has failed
	if err := r.past.begin(ctx, events); err != nil {
		return nil, err
	}
	items, acted := r.add(events, own)
	if r.past.err != nil {
		return nil, r.fail(r.past.err)
	}
	return items, r.settle(ctx, items, acted, own)
}

// settle keeps events that were added to what the room means, at once, with all that changes by them. It is called with
// the turn.
func (r *Room) settle(ctx context.Context, items []item, acted, own bool) error {
	if acted {
		if err := r.unwrap(ctx); err != nil {
			return r.fail(err)
		}
	}
	batch := log.Batch{Statuses: map[log.ID]log.Status{}, Again: !own && !r.importing}
	for _, who := range r.state.Changed() {
		if err := r.restatus(ctx, who, batch.Statuses); err != nil {
			return r.fail(err)
		}
	}
	devices := map[event.Device]bool{}
	for i := range items {
		x := &items[i]
		x.row.Queued = own
		r.describe(x, own)
		batch.Events = append(batch.Events, x.row)
		devices[x.e.Device] = true
	}
	for _, t := range r.state.Tips() {
		if devices[t.Device] {
			// That somebody has shown different things to different people is told at once.
			acted = acted || t.Fork > 0 && !r.now.Load().forked[t.Device]
			batch.Tips = append(batch.Tips, log.Tip{Device: log.ID(t.Device), ID: t.ID, Seq: t.Seq, Fork: t.Fork})
		}
	}
	if r.past.err != nil {
		return r.fail(r.past.err)
	}
	if _, err := r.log.Put(ctx, batch); err != nil {
		return r.fail(err)
	}
	r.past.end()
	for i := range items {
		r.index.Add(meetKey(items[i].e.Key()))
	}
	return r.follow(ctx, items, acted, len(batch.Statuses) > 0)
}

// fail notes that what is in memory is more than what is kept: who has the next turn begins with what is.
func (r *Room) fail(err error) error {
	r.broken = err
	return err
}

// add adds events to what the room means. Those that may not be in it are left out, for ever or for now.
func (r *Room) add(events []*event.Event, own bool) (items []item, acted bool) {
	full := !own && r.index.Len() > r.chat.MaxEvents
	for _, e := range events {
		if full && !e.Kind.Control() {
			continue
		}
		if wait := r.chat.clock.See(e.Time); wait > 0 {
			r.held.hold(e, time.Now().Add(wait))
			r.poke()
			continue
		}
		if _, ok := r.past.Node(e.ID); ok {
			continue
		}
		n, err := r.state.Add(e)
		if err != nil {
			continue // it, or what it stands on, may not be in the room
		}
		r.past.fresh[e.ID] = known{n, e.Links()}
		items = append(items, item{e: e, node: n})
		if e.Kind.Control() {
			r.acts.see(e)
			acted = true
		}
	}
	return items, acted
}

// unwrap takes the secrets out of events that were wrapped for this device.
func (r *Room) unwrap(ctx context.Context) error {
	found := map[event.ID]*event.Secret{}
	for _, device := range r.chat.selves {
		for w := range r.state.Wrapped(device) {
			if r.secrets[w.Epoch] != nil || found[w.Epoch] != nil {
				continue
			}
			key := r.chat.vault.private(w.Prekey)
			if key == nil {
				continue
			}
			s, err := key.Unwrap(w.Suite, r.id, w.Maker, w.Commit, w.Wrap)
			if err != nil {
				continue // another one may have wrapped it better
			}
			found[w.Epoch] = s
		}
	}
	for id, s := range found {
		if err := r.chat.vault.keep(ctx, r.id, id, s); err != nil {
			return err
		}
		r.secrets[id] = s
	}
	if len(found) == 0 {
		return nil
	}
	return r.openWaiting(ctx)
}

// openWaiting opens what has waited for a key that is there now.
func (r *Room) openWaiting(ctx context.Context) error {
	targets := map[event.ID]bool{}
	err := r.log.Waiting(ctx, func(part []log.Event) error {
		var opened []log.Event
		for i := range part {
			e, err := event.Read(whole(&part[i]))
			if err != nil {
				return err
			}
			n, err := room.ParseNode(part[i].Node)
			if err != nil {
				return err
			}
			x := item{e: e, node: n}
			if r.describe(&x, false); x.row.Waiting {
				continue
			}
			if part[i].Status == log.Late && x.row.Status == log.Valid {
				x.row.Status = log.Late
			}
			opened = append(opened, x.row)
			targets[aboutOf(&x)] = true
		}
		return r.log.Opened(ctx, opened...)
	})
	if err != nil {
		return err
	}
	return r.refresh(ctx, targets)
}

// restatus finds out which events of somebody count and did not, or the other way round.
func (r *Room) restatus(ctx context.Context, who event.Identity, statuses map[log.ID]log.Status) error {
	return r.log.By(ctx, log.ID(who), func(part []log.Event) error {
		for i := range part {
			row := &part[i]
			n, err := room.ParseNode(row.Node)
			if err != nil {
				return err
			}
			was := row.Status
			switch counts := r.state.Counts(row.ID, n); {
			case counts == (was != log.Void):
			case !counts:
				statuses[row.ID] = log.Void
			case hidden(event.Kind(row.Kind)):
				statuses[row.ID] = log.Hidden
			default:
				statuses[row.ID] = log.Late // it was not shown before
			}
		}
		return nil
	})
}

// hidden tells whether events of a kind are no entries of the history themselves.
func hidden(k event.Kind) bool {
	switch k {
	case event.KindText, event.KindFile, event.KindCreate, event.KindEnter, event.KindAdd, event.KindRemove, event.KindRole, event.KindRemoveDevice, event.KindMeta:
		return false
	default:
		return true
	}
}

// open returns what an event says. Waiting tells that its key is not there yet.
func (r *Room) open(e *event.Event) (body event.Body, waiting bool) {
	if e.Kind.Control() {
		return e.Body, false
	}
	s := r.secrets[e.Epoch]
	if s == nil {
		return nil, !e.Erased()
	}
	body, err := e.Open(s)
	if err != nil {
		return nil, false
	}
	return body, false
}

// describe fills in how an event is kept.
func (r *Room) describe(x *item, own bool) {
	e := x.e
	author := r.state.Author(x.node)
	body, waiting := r.open(e)
	x.body = body
	row := &x.row
	row.Key, row.Device, row.Author, row.Seq, row.Kind = logKey(e.Key()), log.ID(e.Device), log.ID(author), e.Seq, byte(e.Kind)
	row.Parents, row.Bytes, row.Payload, row.Node, row.Waiting = convert[log.ID](e.Links()), e.Head(), e.Payload, x.node.Append(nil), waiting
	row.Keep = e.Kind.Control()
	row.Counts = (e.Kind == event.KindText || e.Kind == event.KindFile) && author != r.chat.me && !r.chat.blocked(author)
	row.Target = log.ID(targetOf(body))
	switch b := body.(type) {
	case *event.Text:
		row.Text = b.Text
	case *event.File:
		row.Text = b.Name + " " + b.Text
	}
	if at, ok := r.state.Expires(e.Key()); ok && !e.Kind.Control() {
		row.Due = uint64(at.UnixMilli())
	}
	switch {
	case !r.state.Counts(e.ID, x.node):
		row.Status = log.Void
	case hidden(e.Kind), r.acts.comings.confirms(e):
		row.Status = log.Hidden
	case !own && !r.importing && author != r.chat.me && room.Late(e.Key(), time.Now(), r.read):
		row.Status = log.Late
	default:
		row.Status = log.Valid
	}
}

func targetOf(body event.Body) event.ID {
	switch b := body.(type) {
	case *event.Edit:
		return b.Target
	case *event.Delete:
		return b.Target
	case *event.React:
		return b.Target
	case *event.Pin:
		return b.Target
	}
	return event.ID{}
}

// aboutOf returns the message that is another one after an event.
func aboutOf(x *item) event.ID {
	if t := targetOf(x.body); !t.IsZero() {
		return t
	}
	return x.e.ID
}

func (c *Chat) blocked(who event.Identity) bool { return c.Blocked != nil && c.Blocked(who) }

// follow does what follows from events that are kept.
func (r *Room) follow(ctx context.Context, items []item, acted, restated bool) error {
	targets := map[event.ID]bool{}
	for i := range items {
		x := &items[i]
		if t := event.ID(x.row.Target); !t.IsZero() {
			targets[t] = true
		}
		if x.row.Status == log.Valid || x.row.Status == log.Late {
			r.tell(NewMessage, x.e.Key(), event.Identity(x.row.Author))
		}
		if x.e.Epoch == r.sealing {
			r.sealed++
		}
	}
	if acted || restated {
		was := r.now.Load().forked[r.chat.self]
		r.owing, r.unready = true, true
		r.kin.Store(true)
		r.changed()
		r.tell(RoomChanged, event.Key{}, event.Identity{})
		if !was && r.now.Load().forked[r.chat.self] {
			r.tell(DevicesChanged, event.Key{}, event.Identity{})
		}
	}
	if len(items) > 0 {
		r.count(items)
		r.post.add(items)
		r.poke() // for the marks, and for who is about to enter
	}
	return r.refresh(ctx, targets)
}

// refresh makes true what messages are found by, and erases those that were deleted.
func (r *Room) refresh(ctx context.Context, targets map[event.ID]bool) error {
	for id := range targets {
		entries, about, err := r.entriesOf(ctx, id)
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			continue
		}
		switch m := entries[0].Message; {
		case m.Deleted:
			erase := []log.ID{log.ID(id)}
			for i := range about {
				if event.Kind(about[i].Kind) == event.KindEdit {
					erase = append(erase, about[i].ID)
				}
			}
			err = r.log.Erase(ctx, erase...)
		case m.Edited != event.Key{}:
			err = r.log.SetText(ctx, log.ID(id), m.Text)
		}
		if err != nil {
			return err
		}
		r.tell(MessageChanged, entries[0].Key, entries[0].Author)
	}
	return nil
}

// held are events whose time has not come: in memory, and few.
type held struct {
	all map[event.ID]*event.Event
	by  map[event.Device]int
	due time.Time // of the first
}

const (
	maxHeld   = 1000
	maxHeldBy = 50 // of a device
)

func (h *held) hold(e *event.Event, due time.Time) {
	if h.all == nil {
		h.all, h.by = map[event.ID]*event.Event{}, map[event.Device]int{}
	}
	if h.all[e.ID] != nil || len(h.all) >= maxHeld || h.by[e.Device] >= maxHeldBy {
		return
	}
	h.all[e.ID] = e
	h.by[e.Device]++
	if h.due.IsZero() || due.Before(h.due) {
		h.due = due
	}
}

// drain returns all, to be looked at again.
func (h *held) drain() (all []*event.Event) {
	for _, e := range h.all {
		all = append(all, e)
	}
	*h = held{}
	return all
}

var errStrange = errors.New("an event of another room")
