package screen

import (
	"context"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/tenon-net/tenon/internal/node/api"
)

// A searchMode shows messages that were found, the last one first.
type searchMode struct {
	title   string
	query   api.RoomQuery
	found   []entry
	at      int
	asking  bool
	further string // the Older of the next page; "" = there are no more
}

// maxFound is how many are kept.
const maxFound = 1000

// search looks for words in a room; from:NAME is who has written them.
func (m *model) search(t *talk, words string) tea.Cmd {
	q := api.RoomQuery{Limit: pageSize}
	var rest []string
	for _, w := range strings.Fields(words) {
		if name, ok := strings.CutPrefix(w, "from:"); ok && name != "" {
			q.From = strings.TrimPrefix(name, "@")
			continue
		}
		rest = append(rest, w)
	}
	q.Search = strings.Join(rest, " ")
	s := &searchMode{title: "found in " + title(&t.room) + ": " + words, query: q, asking: true}
	m.mode = s
	return m.find(t, s)
}

// find asks for the next page.
func (m *model) find(t *talk, s *searchMode) tea.Cmd {
	s.asking = true
	id, q := t.room.ID, s.query
	q.Older = s.further
	return m.ask(func(ctx context.Context) answer {
		p, err := m.node.RoomMessages(ctx, id, q)
		return func(m *model) tea.Cmd {
			s.asking = false
			if err != nil {
				m.fail(err)
				if len(s.found) == 0 && m.mode == mode(s) {
					m.leave()
				}
				return nil
			}
			for i := len(p.Messages) - 1; i >= 0; i-- {
				s.found = append(s.found, entry{RoomMessage: p.Messages[i]})
			}
			s.further = p.Older
			if len(s.found) >= maxFound {
				s.further = ""
			}
			return nil
		}
	})
}

func (s *searchMode) hint(*model) string { return "Up, Down; Enter goes there; Esc goes back" }

func (s *searchMode) key(m *model, k tea.KeyPressMsg) tea.Cmd {
	step, key := max(m.height/3, 1), k.String()
	switch key {
	case "g":
		key = "home"
	case "G":
		key = "end"
	}
	scroll(&s.at, key, step, len(s.found))
	switch key {
	case "esc", "q":
		m.leave()
		return nil
	case "enter":
		if s.at < len(s.found) {
			id := s.found[s.at].ID
			m.leave()
			return m.jump(m.open, id)
		}
	case "?":
		m.toggle(helpPage())
		return nil
	}
	if s.at > len(s.found)-step && s.further != "" && !s.asking {
		return m.find(m.open, s)
	}
	return nil
}

func (s *searchMode) lines(m *model, width, height int) []line {
	out := []line{text(m.method, s.title, style{accent, bold}).clip(width)}
	switch {
	case s.asking && len(s.found) == 0:
		return append(out, text(m.method, "searching…", style{attr: faint}))
	case len(s.found) == 0:
		return append(out, text(m.method, "nothing", style{attr: faint}))
	}
	first, end := inView(s.at, len(s.found), height)
	for i := first; i < end; i++ {
		e := &s.found[i]
		head := text(m.method, e.Time.In(m.zone).Format(" 2006-01-02 15:04 "), style{attr: faint}).add(m.method, e.From, style{person(e.FromID), bold})
		said := text(m.method, "   "+strings.Join(strings.Fields(e.Text), " "), style{}).clip(width)
		if i == s.at {
			head = head.pad(width, style{}).all(reverse)
		}
		out = append(out, head.clip(width), said)
	}
	return out
}
