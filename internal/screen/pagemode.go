package screen

import (
	tea "charm.land/bubbletea/v2"
)

// A textPage shows text.
type textPage struct {
	title  string
	texts  []string
	copies string // what c copies
	down   int    // lines that are above what is seen
	help   bool
}

func (p *textPage) same(o mode) bool { q, ok := o.(*textPage); return ok && p.help && q.help }

func (p *textPage) hint(*model) string {
	if p.copies != "" {
		return "Up, Down; c copies it; Esc goes back"
	}
	return "Up, Down; Esc goes back"
}

func (p *textPage) key(m *model, k tea.KeyPressMsg) tea.Cmd {
	switch k.String() {
	case "esc", "q", "enter":
		m.leave()
	case "up", "k":
		p.down--
	case "down", "j":
		p.down++
	case "pgup":
		p.down -= max(m.height-5, 1)
	case "pgdown", "space":
		p.down += max(m.height-5, 1)
	case "home", "g":
		p.down = 0
	case "end", "G":
		p.down = 1 << 20
	case "c":
		if p.copies != "" {
			m.say("copied, if the terminal allows that")
			return tea.SetClipboard(p.copies)
		}
	}
	p.down = max(p.down, 0)
	return nil
}

func (p *textPage) lines(m *model, width, height int) []line {
	all := []line{text(m.method, p.title, style{accent, bold}), nil}
	for _, s := range p.texts {
		all = append(all, text(m.method, s, style{}).wrap(width)...)
	}
	p.down = min(p.down, max(len(all)-height, 0))
	return all[p.down:min(p.down+height, len(all))]
}

// A question is asked before something that cannot be taken back.
type question struct {
	text string
	yes  func(*model) tea.Cmd
	no   func(*model) tea.Cmd // nil = nothing
	keys [2]string            // what they are called; "" = y and n
}

func (m *model) question(text string, yes func(*model) tea.Cmd) tea.Cmd {
	m.mode = &question{text: text, yes: yes}
	return nil
}

func (q *question) names() (yes, no string) {
	if q.keys[0] != "" {
		return q.keys[0], q.keys[1]
	}
	return "yes", "no"
}

func (q *question) hint(*model) string {
	yes, no := q.names()
	return q.text + " " + yes[:1] + " = " + yes + ", " + no[:1] + " = " + no
}

func (q *question) key(m *model, k tea.KeyPressMsg) tea.Cmd {
	yes, no := q.names()
	switch k.String() {
	case yes[:1]:
		m.leave()
		return q.yes(m)
	case no[:1]:
		m.leave()
		if q.no != nil {
			return q.no(m)
		}
	case "esc":
		m.leave()
	}
	return nil
}
