package screen

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tenon-net/tenon/internal/node/api"
)

// roomsPane lists the rooms at the left, so far scrolled that the one that is shown is there.
func (m *model) roomsPane(l layout) (out []line) {
	all := m.paneChoices()
	first, last := m.paneWindow(l.height)
	for i := first; i < last; i++ {
		out = append(out, m.choiceLine(all[i], l.rooms))
	}
	return out
}

// paneChoices are the lines of that list: offers first, as they wait for somebody.
func (m *model) paneChoices() (all []choice) {
	for i := range m.offers {
		all = append(all, choice{offer: &m.offers[i]})
	}
	for i := range m.rooms {
		all = append(all, choice{room: &m.rooms[i]})
	}
	return all
}

// paneWindow returns which of them are seen.
func (m *model) paneWindow(height int) (first, last int) {
	n := len(m.offers) + len(m.rooms)
	at := slices.IndexFunc(m.rooms, func(r api.Room) bool { return r.ID == m.open.room.ID })
	at += len(m.offers)
	first = max(min(at-height/2, n-height), 0)
	return first, min(first+height, n)
}

// roomLine is a room in a list: bold with a number if something is new, "@" and a number if it names the user.
func (m *model) roomLine(r *api.Room, width int) line {
	st, sign := style{}, "  "
	if r.ID == m.open.room.ID {
		sign = "> "
	}
	var counts []string
	if r.Mentions > 0 {
		counts = append(counts, fmt.Sprintf("@%d", r.Mentions))
	}
	if r.Unread > 0 {
		counts = append(counts, fmt.Sprint(r.Unread))
	}
	if hasNew(*r) {
		st = style{accent, bold}
	}
	switch {
	case r.State == api.RoomJoining:
		counts = append(counts, "…")
	case r.State == api.RoomLeft || r.State == api.RoomLeaving:
		st, counts = style{attr: faint}, append(counts, "left")
	case r.Muted:
		st.attr |= faint
		counts = append(counts, "m")
	case r.Direct && r.Online > 0:
		counts = append(counts, "●")
	}
	if t := m.talks[r.ID]; t != nil && !t.input.empty() && r.ID != m.open.room.ID {
		counts = append(counts, "✎")
	}
	right := line(nil)
	if len(counts) > 0 {
		right = text(m.method, " "+strings.Join(counts, " "), st)
	}
	left := text(m.method, sign+title(r), st)
	return append(left.pad(max(width-right.width(), 0), style{}), right...).clip(width)
}

// membersPane lists who is in the room at the right: those who are here, and then the others.
func (m *model) membersPane(l layout) (out []line) {
	for _, p := range m.sortedMembers() {
		if len(out) == l.height-1 && len(m.open.members) > l.height {
			out = append(out, text(m.method, fmt.Sprintf(" %d more: /names", len(m.open.members)-len(out)), style{attr: faint}).clip(l.members))
			break
		}
		out = append(out, m.memberLine(p).clip(l.members))
	}
	return out
}

func (m *model) sortedMembers() []*api.RoomMember {
	var here, away []*api.RoomMember
	for i := range m.open.members {
		if p := &m.open.members[i]; p.Online || p.Me {
			here = append(here, p)
		} else {
			away = append(away, p)
		}
	}
	return append(here, away...)
}

// memberLine is "● alice *": here or not, the name, an owner, who only reads, what is wrong.
func (m *model) memberLine(p *api.RoomMember) line {
	sign, st := "○ ", style{attr: faint}
	if p.Online || p.Me {
		sign, st = "● ", style{person(p.ID), 0}
	}
	l := text(m.method, sign, style{attr: faint}).add(m.method, p.Name, st)
	switch p.Role {
	case "owner":
		l = l.add(m.method, " *", style{})
	case "reader":
		l = l.add(m.method, " r", style{attr: faint})
	}
	if p.Me {
		l = l.add(m.method, " you", style{attr: faint})
	}
	if p.Blocked {
		l = l.add(m.method, " blocked", style{attr: faint})
	}
	if p.Forked {
		l = l.add(m.method, " FORKED", style{bad, bold})
	}
	return l
}

// status is the line above the input: what keys do, what is to be known, or who is writing.
func (m *model) status() line {
	t := m.open
	quiet := style{attr: faint}
	var l line
	switch {
	case m.ending:
		return text(m.method, "Ctrl-C again ends this; the node goes on", style{warning, bold})
	case m.notice.text != "":
		st := style{accent, 0}
		if m.notice.bad {
			st = style{bad, bold}
		}
		return text(m.method, m.notice.text, st)
	case m.mode != nil:
		return text(m.method, m.mode.hint(m), style{accent, 0})
	case len(m.choices.words) > 1:
		return m.choiceWords()
	}
	if t.about.id != "" {
		l = m.aboutLine(t)
	}
	if n := len(t.late); n > 0 {
		l = l.add(m.method, fmt.Sprintf(" ↑ %s (Alt-L) ", number(n, "late message")), style{warning, bold})
	}
	if !t.follows() {
		l = l.add(m.method, " ↓ End: the last ", style{accent, 0})
	}
	if n := m.elsewhere(); n > 0 {
		l = l.add(m.method, fmt.Sprintf(" %s with something new (Alt-A) ", number(n, "room")), style{accent, 0})
	}
	switch who := t.writers(); {
	case len(who) == 1:
		l = l.add(m.method, " "+who[0]+" is writing…", quiet)
	case len(who) > 1 && len(who) < 4:
		l = l.add(m.method, " "+strings.Join(who, ", ")+" are writing…", quiet)
	case len(who) > 3:
		l = l.add(m.method, fmt.Sprintf(" %d are writing…", len(who)), quiet)
	}
	return l
}

// elsewhere counts other rooms with something new, where the list does not show it.
func (m *model) elsewhere() (n int) {
	if m.width >= wideEnough {
		return 0
	}
	for _, r := range m.rooms {
		if r.ID != m.open.room.ID && hasNew(r) {
			n++
		}
	}
	return n
}

func (m *model) aboutLine(t *talk) line {
	e := t.at(t.about.id)
	what, said := "answers", "a message"
	if t.about.edit {
		what = "replaces"
	}
	if e != nil {
		said = e.From + ": " + firstLine(e.Text)
	}
	l := text(m.method, " "+what+" ", style{accent, bold}).add(m.method, said, style{attr: faint}).clip(max(m.width/2, 20))
	return l.add(m.method, " (Esc: not) ", style{attr: faint})
}

// choiceWords shows what Tab goes through.
func (m *model) choiceWords() (l line) {
	c := &m.choices
	first := max(c.at-2, 0)
	if first > 0 {
		l = l.add(m.method, "… ", style{attr: faint})
	}
	for i := first; i < len(c.words) && l.width() < m.width; i++ {
		st := style{}
		if i == c.at {
			st = style{attr: reverse}
		}
		l = l.add(m.method, strings.TrimSpace(c.words[i]), st).add(m.method, "  ", style{})
	}
	return l
}

// inputLines is the input, the part of it where the cursor is.
func (m *model) inputLines(l layout) (out []line) {
	in := &m.open.input
	for i := l.first; i < l.first+l.shown; i++ {
		head := prompt
		if i > 0 {
			head = "  "
		}
		s := l.input[i]
		out = append(out, text(m.method, head, style{accent, bold}).add(m.method, strings.Join(in.units[s.from:s.to], ""), style{}))
	}
	return out
}
