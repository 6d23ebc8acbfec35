package screen

import (
	"slices"

	tea "charm.land/bubbletea/v2"

	"github.com/tenon-net/tenon/internal/node/api"
)

// maxTalks is how many rooms are kept with their entries; of others, what was typed stays.
const maxTalks = 8

// talk returns a room as it is shown.
func (m *model) talk(id string) *talk {
	t := m.talks[id]
	if t == nil {
		t = &talk{id: id, input: editor{goal: -1}}
		t.surface = &m.surface
		t.room.ID = id
		m.talks[id] = t
	}
	if r := m.room(id); r != nil {
		pinned := t.room.Pinned
		t.room = *r
		t.room.Pinned = pinned
	}
	return t
}

// openFirst has a room be the first one that is shown.
func (m *model) openFirst(r api.Room) {
	if r.ID != "" {
		m.rooms = []api.Room{r}
		m.open = m.talk(r.ID)
		m.recent = []string{r.ID}
		m.markUnread(m.open)
	}
}

// hasNew tells whether there is something in a room that the user wants to be told of.
func hasNew(r api.Room) bool { return r.Mentions > 0 || r.Unread > 0 && !r.Muted }

// openSome shows a room, if nothing else is said: the first that has something new.
func (m *model) openSome() tea.Cmd {
	if len(m.rooms) == 0 {
		return nil
	}
	at := slices.IndexFunc(m.rooms, hasNew)
	return m.show(m.rooms[max(at, 0)].ID)
}

// show shows a room.
func (m *model) show(id string) tea.Cmd {
	left := m.open
	if left.room.ID == id {
		return nil
	}
	left.mark, left.late = "", nil
	m.picked, m.mode = "", nil
	m.choices = choices{}
	m.recall.back = 0
	t := m.talk(id)
	m.open = t
	if left.room.ID == "" { // what was typed before there was a room
		t.input, left.input = left.input, t.input
	}
	m.recent = append(slices.DeleteFunc(m.recent, func(r string) bool { return r == id }), id)
	if len(m.recent) > maxTalks {
		old := m.talks[m.recent[0]]
		m.recent = m.recent[1:]
		if old != nil && !old.loading {
			old.window, old.loaded = window{}, false
			old.end()
		}
	}
	m.markUnread(t)
	if t.loaded && (t.stale || t.room.Unread > manyUnread) {
		t.loaded = false
	}
	if t.loaded {
		t.end()
		if at := t.find(t.mark); t.mark != "" {
			m.measure()
			t.top(at+1, 1)
		}
	}
	return m.catchUp()
}

// markUnread draws the line above what is unread.
func (m *model) markUnread(t *talk) {
	t.mark, t.read = "", t.room.Read
	if t.room.Unread > 0 {
		if t.mark = t.room.Read; t.mark == "" {
			t.mark = before
		}
	}
}

// move shows the room that is so many further in the list.
func (m *model) move(step int) tea.Cmd {
	if len(m.rooms) == 0 {
		return nil
	}
	at := max(slices.IndexFunc(m.rooms, func(r api.Room) bool { return r.ID == m.open.room.ID }), 0) + step
	return m.show(m.rooms[(at+len(m.rooms))%len(m.rooms)].ID)
}

// nextUnread shows the next room that has something new; those that name the user come first.
func (m *model) nextUnread() tea.Cmd {
	for _, wanted := range []func(api.Room) bool{func(r api.Room) bool { return r.Mentions > 0 }, hasNew} {
		for _, r := range m.rooms {
			if wanted(r) && r.ID != m.open.room.ID {
				return m.show(r.ID)
			}
		}
	}
	return m.say("nothing is new in other rooms")
}

// settle does what follows from what is seen now: pages that are nearly reached are asked for, and what was read is
// told. It is called after each message.
func (m *model) settle() tea.Cmd {
	m.measure()
	t := m.open
	if !t.loaded || t.height <= 0 || len(t.entries) == 0 {
		return nil
	}
	var cmds []tea.Cmd
	first, last := t.seen()
	if first < 10 {
		cmds = append(cmds, m.extend(t, true))
	}
	if last > len(t.entries)-10 {
		cmds = append(cmds, m.extend(t, false))
	}
	t.late = slices.DeleteFunc(t.late, func(id string) bool { at := t.find(id); return at < 0 || at >= first && at <= last })
	if _, page := m.mode.(page); m.focused && !page && m.lost == nil {
		at := t.find(t.read)
		if id := t.entries[last].ID; last > at && (at >= 0 || t.newest && t.room.Unread > 0 || t.read == "") {
			cmds = append(cmds, m.markRead(t, id))
		}
	}
	return tea.Batch(cmds...)
}
