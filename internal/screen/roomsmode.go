package screen

import (
	"strings"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"

	"github.com/tenon-net/tenon/internal/node/api"
)

// A roomsMode lists rooms and offers, to choose one. What is typed narrows them.
type roomsMode struct {
	filter string
	at     int // -1 = the room that is shown
}

// A choice is a line of that list.
type choice struct {
	room  *api.Room
	offer *api.RoomOffer
}

func (r *roomsMode) same(o mode) bool { _, ok := o.(*roomsMode); return ok }

// choices returns what there is.
func (r *roomsMode) choices(m *model) (out []choice) {
	fits := func(name string) bool { return strings.Contains(strings.ToLower(name), strings.ToLower(r.filter)) }
	for i := range m.offers {
		if fits("#" + m.offers[i].Name) {
			out = append(out, choice{offer: &m.offers[i]})
		}
	}
	for i := range m.rooms {
		if fits(title(&m.rooms[i])) {
			out = append(out, choice{room: &m.rooms[i]})
		}
	}
	if r.at < 0 {
		for i, c := range out {
			if c.room != nil && c.room.ID == m.open.room.ID {
				r.at = i
			}
		}
	}
	r.at = max(min(r.at, len(out)-1), 0)
	return out
}

func (r *roomsMode) hint(*model) string {
	if r.filter != "" {
		return "those with: " + r.filter
	}
	return "Up, Down, or a part of the name; Enter shows it; Esc goes back"
}

func (r *roomsMode) paste(_ *model, s string) { r.filter, r.at = r.filter+firstLine(s), 0 }

func (r *roomsMode) key(m *model, k tea.KeyPressMsg) tea.Cmd {
	all := r.choices(m)
	switch k.String() {
	case "esc":
		m.leave()
	case "up":
		r.at--
	case "down", "tab":
		r.at++
	case "pgup":
		r.at -= 10
	case "pgdown":
		r.at += 10
	case "home":
		r.at = 0
	case "end":
		r.at = len(all)
	case "backspace":
		_, n := utf8.DecodeLastRuneInString(r.filter)
		r.filter, r.at = r.filter[:len(r.filter)-n], 0
	case "?":
		m.toggle(helpPage())
	case "enter":
		if r.at < len(all) {
			m.leave()
			return m.choose(all[r.at])
		}
	default:
		if k.Text != "" {
			r.filter, r.at = r.filter+k.Text, 0
		}
	}
	r.at = max(r.at, 0)
	return nil
}

// choose shows a room, or asks what is to become of an offer.
func (m *model) choose(c choice) tea.Cmd {
	if c.room != nil {
		return m.show(c.room.ID)
	}
	o := *c.offer
	m.mode = &question{text: o.From + " has made you a member of #" + o.Name + ".", keys: [2]string{"accept", "decline"},
		yes: func(m *model) tea.Cmd { return m.accept(&o) },
		no:  func(m *model) tea.Cmd { return runDecline(m, m.open, o.ID) }}
	return nil
}

func (r *roomsMode) lines(m *model, width, height int) (out []line) {
	all := r.choices(m)
	first := max(min(r.at-height/2, len(all)-height), 0)
	for i := first; i < min(first+height, len(all)); i++ {
		l := m.choiceLine(all[i], width)
		if i == r.at {
			l = l.pad(width, style{}).all(reverse)
		}
		out = append(out, l)
	}
	if len(all) == 0 {
		out = append(out, text(m.method, "no room: /new makes one", style{attr: faint}).clip(width))
	}
	return out
}

func (m *model) choiceLine(c choice, width int) line {
	if c.offer != nil {
		return text(m.method, "? #"+c.offer.Name, style{warning, bold}).add(m.method, " offered by "+c.offer.From, style{attr: faint}).clip(width)
	}
	return m.roomLine(c.room, width)
}
