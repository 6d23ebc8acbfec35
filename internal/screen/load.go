package screen

import (
	"context"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/tenon-net/tenon/internal/node/api"
)

const (
	pageSize   = 100 // entries of a page
	syncSize   = 200 // of the last page, when it is looked at again
	maxPage    = 500 // that a node gives at once
	manyUnread = 50  // with more, a room is opened where they begin
)

// renewAll asks for all that is shown, when nothing is known of what has happened.
func (m *model) renewAll() tea.Cmd {
	for _, t := range m.talks {
		t.stale = true
	}
	return tea.Batch(m.list(), m.listOffers(), m.listPeers(), m.loadDrafts(), m.catchUp())
}

// list asks for the rooms.
func (m *model) list() tea.Cmd {
	return m.renew(&m.listing, func() func(context.Context) answer {
		return func(ctx context.Context) answer {
			rooms, err := m.node.Rooms(ctx)
			return func(m *model) tea.Cmd {
				if err != nil {
					return m.fail(err)
				}
				m.arrange(rooms)
				if m.open.room.ID == "" {
					return m.openSome()
				}
				return nil
			}
		}
	})
}

func (m *model) listOffers() tea.Cmd {
	return m.renew(&m.offering, func() func(context.Context) answer {
		return func(ctx context.Context) answer {
			offers, err := m.node.RoomOffers(ctx)
			return func(m *model) tea.Cmd {
				if err == nil {
					m.offers = offers
				}
				return nil
			}
		}
	})
}

// listPeers asks whom one can talk to, for completion.
func (m *model) listPeers() tea.Cmd {
	return m.ask(func(ctx context.Context) answer {
		peers, err := m.node.Peers(ctx)
		return func(m *model) tea.Cmd {
			if err == nil {
				m.peers = peers
			}
			return nil
		}
	})
}

// arrange takes over the list of rooms: those that one is in, then conversations, then those that are over, each by
// name, so that each stays where it is.
func (m *model) arrange(rooms []api.Room) {
	rank := func(r api.Room) int {
		switch {
		case r.State == api.RoomLeft || r.State == api.RoomLeaving:
			return 2
		case r.Direct:
			return 1
		}
		return 0
	}
	slices.SortStableFunc(rooms, func(a, b api.Room) int {
		if n := rank(a) - rank(b); n != 0 {
			return n
		}
		if n := strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)); n != 0 {
			return n
		}
		return strings.Compare(a.ID, b.ID)
	})
	m.rooms = rooms
	for _, r := range rooms {
		if t := m.talks[r.ID]; t != nil {
			pinned := t.room.Pinned // the list does not say
			t.room = r
			t.room.Pinned = pinned
		}
	}
}

// describe asks what a room is, and who is in it.
func (m *model) describe(t *talk) tea.Cmd {
	return m.renew(&t.describing, func() func(context.Context) answer {
		return func(ctx context.Context) answer {
			r, err := m.node.Room(ctx, t.id)
			members, failed := m.node.RoomMembers(ctx, t.id)
			return func(m *model) tea.Cmd {
				if err == nil {
					t.room = r
				}
				if failed == nil {
					t.members = members
				}
				return nil
			}
		}
	})
}

// load fills the window of a room for the first time, or anew: its end, or where the unread begin.
func (m *model) load(t *talk) tea.Cmd {
	if t.room.Unread > manyUnread && t.room.Read != "" {
		return m.around(t, t.room.Read, func(m *model) tea.Cmd {
			t.top(t.find(t.mark)+1, 1)
			return nil
		})
	}
	return m.loadEnd(t, true)
}

// loadEnd fills the window of a room with its end, and shows that, or the line above what is new.
func (m *model) loadEnd(t *talk, marked bool) tea.Cmd {
	if t.loading {
		return nil
	}
	t.loading = true
	id := t.room.ID
	return m.ask(func(ctx context.Context) answer {
		p, err := m.node.RoomMessages(ctx, id, api.RoomQuery{Limit: pageSize})
		return func(m *model) tea.Cmd {
			t.loading = false
			if err != nil {
				t.stale = true
				return m.fail(err)
			}
			t.window = window{entries: entriesOf(p.Messages), older: p.Older, newest: true}
			t.loaded, t.stale = true, false
			t.end()
			if at := t.find(t.mark); marked && (t.mark == before || at >= 0) {
				m.measure()
				t.top(at+1, 1)
			}
			return nil
		}
	})
}

// around fills the window with what stands around an entry, and then does something.
func (m *model) around(t *talk, id string, then answer) tea.Cmd {
	if t.loading {
		return nil
	}
	t.loading = true
	room := t.room.ID
	return m.ask(func(ctx context.Context) answer {
		var w window
		e, err := m.node.RoomMessage(ctx, room, id)
		if err == nil {
			var old, young api.RoomPage
			old, err = m.node.RoomMessages(ctx, room, api.RoomQuery{Before: id, Limit: pageSize / 2})
			if err == nil {
				young, err = m.node.RoomMessages(ctx, room, api.RoomQuery{After: id, Limit: pageSize})
			}
			w = window{entries: entriesOf(append(append(old.Messages, e), young.Messages...)), older: old.Older, newest: len(young.Messages) == 0}
		}
		return func(m *model) tea.Cmd {
			t.loading = false
			if err != nil && !t.loaded {
				return tea.Batch(m.fail(err), m.loadEnd(t, true))
			}
			if err != nil {
				return m.fail(err)
			}
			t.window = w
			t.loaded, t.stale = true, false
			m.measure()
			return then(m)
		}
	})
}

// extend asks for a page before the window, or behind it.
func (m *model) extend(t *talk, older bool) tea.Cmd {
	n := len(t.entries)
	if t.loading || !t.loaded || n == 0 || older && t.older == "" || !older && t.newest {
		return nil
	}
	t.loading = true
	id, q := t.room.ID, api.RoomQuery{Limit: pageSize, Before: t.older}
	if !older {
		q = api.RoomQuery{Limit: pageSize, After: t.entries[n-1].ID}
	}
	return m.ask(func(ctx context.Context) answer {
		p, err := m.node.RoomMessages(ctx, id, q)
		return func(m *model) tea.Cmd {
			t.loading = false
			switch {
			case err != nil:
				return m.fail(err)
			case older && q.Before == t.older:
				t.hold()
				t.prepend(p)
			case !older && len(t.entries) > 0 && q.After == t.entries[len(t.entries)-1].ID:
				t.hold()
				t.append(p.Messages)
			}
			return nil
		}
	})
}

// hold has the view stay where it is, whatever comes behind it.
func (t *talk) hold() {
	if at, below := t.bottom(); at >= 0 && !t.newest {
		t.anchor, t.below = t.entries[at].ID, below
	}
}

// catchUp asks for what may have happened meanwhile in the room that is shown.
func (m *model) catchUp() tea.Cmd {
	t := m.open
	switch {
	case t.room.ID == "":
		return nil
	case !t.loaded:
		return tea.Batch(m.load(t), m.describe(t))
	}
	return tea.Batch(m.describe(t), m.synchronize(t))
}

// synchronize looks at the end of a room again.
func (m *model) synchronize(t *talk) tea.Cmd {
	if !t.loaded {
		return nil
	}
	return m.renew(&t.syncing, func() func(context.Context) answer {
		size := syncSize
		if t.stale {
			size = min(max(len(t.entries), syncSize), maxPage)
		}
		return func(ctx context.Context) answer {
			p, err := m.node.RoomMessages(ctx, t.id, api.RoomQuery{Limit: size})
			return func(m *model) tea.Cmd {
				if err != nil {
					return m.fail(err)
				}
				t.stale = false
				t.sync(p)
				return nil
			}
		}
	})
}

// markRead tells the node how far the user has read.
func (m *model) markRead(t *talk, id string) tea.Cmd {
	t.read = id
	return m.renew(&t.reading, func() func(context.Context) answer {
		id := t.read
		return func(ctx context.Context) answer {
			err := m.node.ReadRoom(ctx, t.id, id)
			return func(m *model) tea.Cmd {
				if err != nil {
					t.read = ""
					return nil
				}
				return m.list()
			}
		}
	})
}
