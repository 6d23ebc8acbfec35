package screen

import (
	tea "charm.land/bubbletea/v2"
)

// wheelLines is how many lines a turn of the wheel is.
const wheelLines = 3

func (m *model) wheel(w tea.MouseWheelMsg) {
	step := 0
	switch w.Button {
	case tea.MouseWheelUp:
		step = -wheelLines
	case tea.MouseWheelDown:
		step = wheelLines
	default:
		return
	}
	if p, ok := m.mode.(*textPage); ok {
		p.down = max(p.down+step, 0)
		return
	}
	if _, ok := m.mode.(page); ok {
		return
	}
	m.open.scroll(step)
}

// click shows the room, names the member, or picks the entry that is under the mouse.
func (m *model) click(c tea.MouseClickMsg) tea.Cmd {
	if c.Button != tea.MouseLeft {
		return nil
	}
	l := m.layout()
	y := c.Y - l.title
	if y < 0 || y >= l.height {
		return nil
	}
	switch {
	case c.X < l.rooms:
		if first, last := m.paneWindow(l.height); first+y < last {
			return m.choose(m.paneChoices()[first+y])
		}
	case l.members > 0 && c.X > m.width-l.members-1:
		if all := m.sortedMembers(); y < len(all) {
			return m.write(m.open, "@"+all[y].Name+" ")
		}
	default:
		if r, ok := m.mode.(*roomsMode); ok {
			all := r.choices(m)
			if first := max(min(r.at-l.height/2, len(all)-l.height), 0); first+y < len(all) {
				m.leave()
				return m.choose(all[first+y])
			}
		}
		if _, ok := m.mode.(page); ok || !m.open.loaded {
			return nil
		}
		_, owners := m.open.frame()
		if i := y - (l.height - len(owners)); i >= 0 && i < len(owners) {
			return m.pick(owners[i])
		}
	}
	return nil
}
