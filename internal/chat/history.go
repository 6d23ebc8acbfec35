package chat

import (
	"context"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/chat/log"
	"github.com/tenon-net/tenon/internal/chat/room"
)

// An Entry is one of a history: a message, or something that was done to the room.
type Entry struct {
	event.Key
	Kind    event.Kind
	Author  event.Identity
	Late    bool // it came when later ones may have been seen
	Waiting bool // its key has not come: it was said before the user entered, or the key is on its way
	Erased  bool // what it said is not there any more

	Message room.Message // of a text or a file
	Reply   event.ID     // what it answers
	Body    event.Body   // of a control event: what was done
}

// Before returns the last entries below a place in the order, at most limit; the zero Key stands for the end.
func (r *Room) Before(ctx context.Context, k event.Key, limit int) ([]Entry, error) {
	at := logKey(k)
	if k == (event.Key{}) {
		at = log.Last
	}
	all := []Entry{}
	for len(all) < limit {
		rows, err := r.log.Before(ctx, at, limit-len(all))
		if err != nil || len(rows) == 0 {
			return all, err
		}
		part, err := r.show(ctx, rows)
		if err != nil {
			return nil, err
		}
		all, at = append(part, all...), rows[0].Key // what is not shown leaves room for more
	}
	return all, nil
}

// After returns the first entries above a place in the order, at most limit.
func (r *Room) After(ctx context.Context, k event.Key, limit int) ([]Entry, error) {
	all := []Entry{}
	for at := logKey(k); len(all) < limit; {
		rows, err := r.log.After(ctx, at, limit-len(all))
		if err != nil || len(rows) == 0 {
			return all, err
		}
		part, err := r.show(ctx, rows)
		if err != nil {
			return nil, err
		}
		all, at = append(all, part...), rows[len(rows)-1].Key
	}
	return all, nil
}

// Get returns an entry, or [ErrMessage].
func (r *Room) Get(ctx context.Context, id event.ID) (Entry, error) {
	rows, err := r.log.Get(ctx, log.ID(id))
	if err != nil {
		return Entry{}, err
	}
	all, err := r.show(ctx, rows)
	if err == nil && len(all) == 0 {
		err = ErrMessage
	}
	if err != nil {
		return Entry{}, err
	}
	return all[0], nil
}

// A Query is what is searched for: see [log.Query].
type Query = log.Query

// Search returns messages that are found by words, those that came last first, and the Older of the next
// query; 0: there are no more.
func (r *Room) Search(ctx context.Context, q Query) ([]Entry, int64, error) {
	rows, older, err := r.log.Search(ctx, q)
	if err != nil {
		return nil, 0, err
	}
	all, err := r.show(ctx, rows)
	return all, older, err
}

func (r *Room) show(ctx context.Context, rows []log.Event) ([]Entry, error) {
	give, err := r.take(ctx)
	if err != nil {
		return nil, err
	}
	defer give()
	return r.entries(ctx, rows)
}

// entriesOf returns the entry of a message with what is about it. It is called with the turn.
func (r *Room) entriesOf(ctx context.Context, id event.ID) (entries []Entry, about []log.Event, err error) {
	rows, err := r.log.Get(ctx, log.ID(id))
	if err != nil || len(rows) == 0 {
		return nil, nil, err
	}
	if about, err = r.log.About(ctx, log.ID(id)); err != nil {
		return nil, nil, err
	}
	entries, err = r.put(rows, about)
	return entries, about, err
}

// entries puts rows together with all that is about them.
func (r *Room) entries(ctx context.Context, rows []log.Event) ([]Entry, error) {
	var ids []log.ID
	for i := range rows {
		if !event.Kind(rows[i].Kind).Control() {
			ids = append(ids, rows[i].ID)
		}
	}
	about, err := r.log.About(ctx, ids...)
	if err != nil {
		return nil, err
	}
	return r.put(rows, about)
}

func (r *Room) put(rows, about []log.Event) ([]Entry, error) {
	var view room.View
	all := make([]Entry, 0, len(rows))
	confirm := r.confirming()
	for i := range rows {
		e, o, waiting, err := r.opened(&rows[i])
		if err != nil {
			return nil, err
		}
		if hidden(e.Kind) || confirm[e.ID] || r.chat.blocked(o.Author) && !e.Kind.Control() {
			continue
		}
		x := Entry{Key: o.Key, Kind: e.Kind, Author: o.Author, Late: rows[i].Status == log.Late, Waiting: waiting, Erased: e.Erased()}
		switch b := o.Body.(type) {
		case *event.Text:
			x.Reply = b.Reply
		case *event.File:
			x.Reply = b.Reply
		default:
			x.Body = b
		}
		if !e.Kind.Control() && o.Body == nil {
			// What was done to it may still say that it was deleted, by whom it was read.
			o.Body = &event.Text{}
		}
		view.Add(o)
		all = append(all, x)
	}
	for i := range about {
		if about[i].Status == log.Void {
			continue
		}
		_, o, _, err := r.opened(&about[i])
		if err != nil {
			return nil, err
		}
		if !r.chat.blocked(o.Author) {
			view.Add(o)
		}
	}
	messages := map[event.ID]room.Message{}
	for _, m := range view.Messages() {
		messages[m.ID] = m
	}
	for i := range all {
		x := &all[i]
		if m, ok := messages[x.ID]; ok {
			x.Message = m
			if x.Waiting || x.Erased {
				x.Message.Body, x.Message.Mentions = nil, nil
			}
		}
	}
	return all, r.past.err
}

// opened returns an event of the database with what it says.
func (r *Room) opened(row *log.Event) (*event.Event, room.Opened, bool, error) {
	e, err := event.Read(whole(row))
	if err != nil {
		return nil, room.Opened{}, false, err
	}
	n, err := room.ParseNode(row.Node)
	if err != nil {
		return nil, room.Opened{}, false, err
	}
	body, waiting := r.open(e)
	return e, room.Opened{Key: e.Key(), Author: event.Identity(row.Author), Role: r.state.Role(e.ID, n), Body: body}, waiting, nil
}
