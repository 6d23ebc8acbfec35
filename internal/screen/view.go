package screen

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/node/api"
)

// A layout is where things are.
//
//	title
//	rooms │ entries, or a page │ members
//	status
//	input
type layout struct {
	title, status  int // lines
	rooms, members int // columns; 0 = not shown
	text           int // columns of entries
	height         int // lines of entries
	input          []span
	first          int // the first line of the input that is seen
	shown          int // lines of the input
}

const (
	wideEnough   = 60 // columns, for the rooms to be shown
	widerEnough  = 100
	prompt       = "> "
	maxInputRows = 8
)

// layout works out where things are in the window there is.
func (m *model) layout() (l layout) {
	width, height := max(m.width, 1), max(m.height, 1)
	l.text = width
	if width >= wideEnough {
		l.rooms = min(max(width/5, 14), 24)
		l.text -= l.rooms + 1
	}
	if width >= widerEnough && m.showMembers && m.open.room.ID != "" {
		l.members = min(max(width/6, 14), 22)
		l.text -= l.members + 1
	}
	in := &m.open.input
	l.input = in.layout(m.method, max(width-len(prompt)-1, 1))
	l.shown = max(min(len(l.input), maxInputRows, height/3), 1)
	row, _ := in.place(m.method, l.input)
	l.first = max(min(row-l.shown/2, len(l.input)-l.shown), 0)
	rest := height - l.shown
	if rest >= 2 {
		l.status = 1
	}
	if rest >= 4 {
		l.title = 1
	}
	l.height = rest - l.status - l.title
	return l
}

// measure has the entries know how much of them can be seen.
func (m *model) measure() {
	l := m.layout()
	m.open.width, m.open.height = l.text, l.height
}

// View draws a frame.
func (m *model) View() tea.View {
	if m.width <= 0 || m.height <= 0 {
		return m.framed("", nil)
	}
	l := m.layout()
	m.open.width, m.open.height = l.text, l.height
	var out []line
	if l.title > 0 {
		out = append(out, m.titleLine().pad(m.width, style{attr: reverse}))
	}
	out = append(out, m.middle(l)...)
	if l.status > 0 {
		out = append(out, m.status().pad(m.width, style{}))
	}
	inputTop := len(out)
	out = append(out, m.inputLines(l)...)
	for i := range out {
		out[i] = out[i].pad(m.width, style{})
	}
	row, column := m.open.input.place(m.method, l.input)
	var cursor *tea.Cursor
	if m.mode == nil && row >= l.first && row < l.first+l.shown {
		cursor = tea.NewCursor(min(column+len(prompt), m.width-1), inputTop+row-l.first)
	}
	return m.framed(encode(out[:min(len(out), m.height)], m.light), cursor)
}

// framed makes a frame of its lines and what else there is to one.
func (m *model) framed(content string, cursor *tea.Cursor) tea.View {
	v := tea.NewView(content)
	v.AltScreen, v.ReportFocus, v.Cursor = true, true, cursor
	if m.mouse {
		v.MouseMode = tea.MouseModeCellMotion
	}
	v.WindowTitle = m.windowTitle()
	return v
}

func (m *model) windowTitle() string {
	s := "tenon chat"
	if m.open.room.ID != "" {
		s = title(&m.open.room) + " – " + s
	}
	all, mentions := m.unread()
	switch {
	case mentions > 0:
		s = fmt.Sprintf("(%d, @%d) %s", all, mentions, s)
	case all > 0:
		s = fmt.Sprintf("(%d) %s", all, s)
	}
	return neutral.Line(s)
}

// titleLine says which room it is, and what is to be known of it.
func (m *model) titleLine() line {
	st := style{attr: reverse}
	if m.lost != nil {
		return text(m.method, " no answer from the node, trying again: "+errorWords(m.lost), style{bad, reverse | bold})
	}
	t := m.open
	if t.room.ID == "" {
		return text(m.method, " tenon chat", st.with(bold)).add(m.method, "  F1 helps", st)
	}
	r := &t.room
	left := text(m.method, " "+title(r), st.with(bold))
	var facts []string
	switch r.State {
	case api.RoomJoining:
		facts = append(facts, "waiting to be let in")
	case api.RoomLeaving, api.RoomLeft:
		facts = append(facts, "left")
	default:
		if !r.Direct {
			facts = append(facts, fmt.Sprintf("%d of %d here", min(r.Online+1, max(r.Members, 1)), max(r.Members, 1)))
		} else if r.Online > 0 {
			facts = append(facts, "here now")
		} else {
			facts = append(facts, "not here")
		}
	}
	if r.Role == "reader" {
		facts = append(facts, "you only read here")
	}
	if r.Vanish > 0 {
		facts = append(facts, "messages vanish after "+fmt.Sprint(r.Vanish))
	}
	if n := len(r.Pinned); n > 0 {
		facts = append(facts, fmt.Sprintf("%d pinned: /pins", n))
	}
	if r.Muted {
		facts = append(facts, "muted")
	}
	right := text(m.method, "  "+strings.Join(facts, " · ")+" ", st)
	room := m.width - right.width()
	if room < left.width() {
		return left
	}
	if r.Topic != "" {
		left = left.add(m.method, "  "+firstLine(r.Topic), st)
	}
	return append(left.pad(room, st), right...)
}

// middle is what stands between title and status.
func (m *model) middle(l layout) []line {
	if l.height <= 0 {
		return nil
	}
	var text []line
	if p, ok := m.mode.(page); ok {
		text = p.lines(m, l.text, l.height)
	} else {
		text = m.entries(l)
	}
	var rooms, members []line
	if l.rooms > 0 {
		rooms = m.roomsPane(l)
	}
	if l.members > 0 {
		members = m.membersPane(l)
	}
	out := make([]line, l.height)
	for i := range out {
		whole := make(line, 0, m.width)
		if l.rooms > 0 {
			whole = append(append(whole, row(rooms, i).pad(l.rooms, style{})...), bar)
		}
		whole = append(whole, row(text, i).pad(l.text, style{})...)
		if l.members > 0 {
			whole = append(append(whole, bar), row(members, i).pad(l.members, style{})...)
		}
		out[i] = whole
	}
	return out
}

var bar = cell{"│", 1, style{attr: faint}}

func row(lines []line, i int) line {
	if i < len(lines) {
		return lines[i]
	}
	return nil
}

// entries is what was said, the last at the bottom.
func (m *model) entries(l layout) []line {
	t := m.open
	quiet := style{attr: faint}
	switch {
	case t.room.ID == "":
		return m.welcome(l)
	case !t.loaded:
		return []line{text(m.method, "…", quiet)}
	case len(t.entries) == 0:
		return []line{text(m.method, "nothing was said here yet", quiet)}
	}
	lines, owners := t.frame()
	out := make([]line, max(l.height-len(lines), 0), l.height)
	for i, x := range lines {
		if id := t.entries[owners[i]].ID; id == m.picked {
			x = x.pad(l.text, style{}).all(reverse)
		}
		out = append(out, x)
	}
	return out
}

// welcome is shown where there is no room.
func (m *model) welcome(l layout) (out []line) {
	for _, s := range []string{
		"No room is here yet.", "",
		"/new NAME makes one, and /invite lets others in.",
		"/join TICKET enters one by a ticket from somebody who is in it.",
		"/msg PEER talks to a peer alone.",
		"F2 lists rooms that were offered. F1 helps. Ctrl-C twice ends this."} {
		out = append(out, text(m.method, s, style{}).wrap(l.text)...)
	}
	return out
}
