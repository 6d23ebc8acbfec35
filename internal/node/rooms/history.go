package rooms

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/tenon-net/tenon/internal/chat"
	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/transport"
)

// How many messages a page has.
const (
	defaultPage = 50
	maxPage     = 500
)

// Messages returns some of a history.
func (r *Rooms) Messages(ctx context.Context, name string, q api.RoomQuery) (page api.RoomPage, err error) {
	_, room, err := r.find(name)
	if err != nil {
		return page, err
	}
	if q.Limit < 0 || q.Limit > maxPage {
		return page, transport.Usage(fmt.Errorf("a page has 1 to %d messages, not %d", maxPage, q.Limit))
	}
	if q.Limit == 0 {
		q.Limit = defaultPage
	}
	latest, err := room.Latest(ctx)
	if err != nil {
		return page, explain(err)
	}
	page.Last = latest + 1
	entries, err := r.query(ctx, room, q, &page)
	if err == nil {
		page.Messages, err = r.teller(room).tell(ctx, entries)
	}
	return page, explain(err)
}

func (r *Rooms) query(ctx context.Context, room *chat.Room, q api.RoomQuery, page *api.RoomPage) ([]chat.Entry, error) {
	switch {
	case q.Search != "" || q.From != "":
		return r.search(ctx, room, q, page)
	case q.Arrived > 0:
		entries, last, err := room.Arrived(ctx, q.Arrived-1, q.Limit)
		page.Last = last + 1
		return entries, err
	case q.After != "":
		x, err := findMessage(ctx, room, q.After)
		if err != nil {
			return nil, err
		}
		return room.After(ctx, x.Key, q.Limit)
	case !q.Since.IsZero():
		return room.After(ctx, event.Key{Time: event.Stamp(q.Since)}, q.Limit)
	}
	var before event.Key
	if q.Before != "" {
		x, err := findMessage(ctx, room, q.Before)
		if err != nil {
			return nil, err
		}
		before = x.Key
	}
	entries, err := room.Before(ctx, before, q.Limit)
	if len(entries) == q.Limit {
		page.Older = entries[0].ID.String()
	}
	return entries, err
}

func (r *Rooms) search(ctx context.Context, room *chat.Room, q api.RoomQuery, page *api.RoomPage) ([]chat.Entry, error) {
	query := chat.Query{Text: q.Search, Limit: q.Limit}
	if q.From != "" {
		i := room.Info()
		who, err := r.findMember(&i, q.From)
		if err != nil {
			return nil, err
		}
		query.Author = who
	}
	if q.Older != "" {
		n, err := strconv.ParseInt(q.Older, 10, 64)
		if err != nil {
			return nil, transport.Usage(fmt.Errorf("%q is not what a search before has returned", q.Older))
		}
		query.Older = n
	}
	entries, older, err := room.Search(ctx, query)
	if older > 0 {
		page.Older = strconv.FormatInt(older, 10)
	}
	slices.Reverse(entries)
	return entries, err
}

// Message returns one.
func (r *Rooms) Message(ctx context.Context, name, id string) (api.RoomMessage, error) {
	_, room, err := r.find(name)
	if err != nil {
		return api.RoomMessage{}, err
	}
	x, err := findMessage(ctx, room, id)
	if err != nil {
		return api.RoomMessage{}, explain(err)
	}
	m, err := r.teller(room).one(ctx, x)
	return m, explain(err)
}
