package screen

import (
	"strings"

	tea "charm.land/bubbletea/v2"
)

// A pickMode is when a message is picked, and keys say what is to become of it.
type pickMode struct{}

// pick picks the entry at a place.
func (m *model) pick(at int) tea.Cmd {
	t := m.open
	if at < 0 || at >= len(t.entries) {
		return nil
	}
	m.mode, m.picked = pickMode{}, t.entries[at].ID
	t.show(at)
	return nil
}

// leave gives the keys back to the input.
func (m *model) leave() { m.mode, m.picked = nil, "" }

func (pickMode) hint(m *model) string {
	e := m.open.at(m.picked)
	if e == nil {
		return "Esc goes back"
	}
	what := []string{"r replies"}
	if e.Mine {
		what = append(what, "e edits")
	}
	what = append(what, "d deletes", "+ reacts", "c copies", "p pins")
	if e.File != nil {
		if m.open.goesOn(e) {
			what = append(what, "o stops fetching")
		} else if !e.File.Here {
			what = append(what, "o fetches it")
		}
	} else if e.Reply != nil {
		what = append(what, "o goes to what it answers")
	}
	if len(e.drawn) > maxLines {
		what = append(what, "x all of it")
	}
	about := e.Time.In(m.zone).Format("2006-01-02 15:04:05")
	if e.Delivery != nil {
		about += ", " + deliveryWords(e.Delivery)
	}
	return about + "; " + strings.Join(what, ", ") + "; Esc"
}

func (pickMode) key(m *model, k tea.KeyPressMsg) tea.Cmd {
	t := m.open
	at := t.find(m.picked)
	if at < 0 {
		m.leave()
		return nil
	}
	e := &t.entries[at]
	switch k.String() {
	case "up", "k":
		return m.pick(max(at-1, 0))
	case "down", "j":
		if at == len(t.entries)-1 {
			m.leave()
			return nil
		}
		return m.pick(at + 1)
	case "pgup":
		return m.pick(max(at-10, 0))
	case "pgdown":
		return m.pick(min(at+10, len(t.entries)-1))
	case "home", "g":
		return m.pick(0)
	case "end", "G":
		return m.pick(len(t.entries) - 1)
	case "x":
		e.open, e.drawn = !e.open, nil
		t.show(at)
		return nil
	case "c":
		m.leave()
		m.say("copied, if the terminal allows that")
		if e.Text == "" && e.File != nil {
			return tea.SetClipboard(e.File.Name)
		}
		return tea.SetClipboard(e.Text)
	case "o":
		return m.openPicked(t, e)
	case "?":
		m.toggle(helpPage())
		return nil
	}
	if e.Kind == kindControl || e.Deleted {
		if k.String() == "esc" || k.String() == "q" || k.String() == "enter" {
			m.leave()
		}
		return nil
	}
	m.leave()
	switch k.String() {
	case "r", "enter":
		t.about = about{id: e.ID}
	case "e":
		m.picked = e.ID
		cmd := runEdit(m, t, "")
		m.picked = ""
		return cmd
	case "d", "delete":
		return m.askDelete(t, e)
	case "+", "a":
		t.about = about{id: e.ID}
		if t.input.empty() {
			t.input.set("/react ")
		}
		m.say("an emoji, or Tab for some")
	case "p":
		return m.pin(t, e)
	case "esc", "q":
	default:
		m.mode, m.picked = pickMode{}, e.ID
	}
	return nil
}

// openPicked goes to what a message is about.
func (m *model) openPicked(t *talk, e *entry) tea.Cmd {
	switch {
	case e.File != nil:
		return m.fetch(t, e)
	case e.Reply != nil && e.Reply.From != "":
		return m.jump(t, e.Reply.ID)
	}
	return nil
}

// jump goes to an entry, wherever it is, and picks it.
func (m *model) jump(t *talk, id string) tea.Cmd {
	if at := t.find(id); at >= 0 {
		return m.pick(at)
	}
	return m.around(t, id, func(m *model) tea.Cmd {
		if m.open != t {
			return nil
		}
		at := t.find(id)
		t.top(at, t.height/3)
		return m.pick(at)
	})
}
