package screen

import (
	"context"
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/tenon-net/tenon/internal/node/api"
)

// A filesMode lists the files that were said in a room, the last one first, to fetch one.
type filesMode struct {
	t     *talk
	all   []fileLine
	at    int
	asked bool // the answer is there
}

// A fileLine is one of them, with its message.
type fileLine struct {
	api.RoomFileSaid
	entry entry
}

func runFiles(m *model, t *talk, _ string) tea.Cmd {
	if t.room.ID == "" {
		return m.fail(errNoRoom)
	}
	f := &filesMode{t: t}
	m.mode = f
	return m.ask(func(ctx context.Context) answer {
		all, err := m.node.RoomFiles(ctx, t.id)
		return func(m *model) tea.Cmd {
			f.asked = true
			for _, x := range slices.Backward(all) {
				f.all = append(f.all, fileLine{x, entry{RoomMessage: x.Message}})
			}
			return m.fail(err)
		}
	})
}

func (f *filesMode) hint(*model) string {
	return "Up, Down; Enter or o fetches it, and again stops that; g goes to its message; Esc goes back"
}

func (f *filesMode) key(m *model, k tea.KeyPressMsg) tea.Cmd {
	if scroll(&f.at, k.String(), max(m.height/3, 1), len(f.all)) {
		return nil
	}
	switch k.String() {
	case "esc", "q":
		m.leave()
	case "enter", "o":
		if f.at < len(f.all) {
			return m.fetch(f.t, &f.all[f.at].entry)
		}
	case "g":
		if f.at < len(f.all) {
			id := f.all[f.at].entry.ID
			m.leave()
			return m.jump(f.t, id)
		}
	case "?":
		m.toggle(helpPage())
	}
	return nil
}

func (f *filesMode) lines(m *model, width, height int) []line {
	out := []line{text(m.method, "files in "+title(&f.t.room), style{accent, bold}).clip(width)}
	switch {
	case !f.asked:
		return append(out, text(m.method, "looking…", style{attr: faint}))
	case len(f.all) == 0:
		return append(out, text(m.method, "nothing: /file PATH shares one", style{attr: faint}).clip(width))
	}
	first, end := inView(f.at, len(f.all), height)
	for i := first; i < end; i++ {
		x := &f.all[i]
		e := &x.entry
		head := text(m.method, " "+fileWords(e.File), style{accent, bold}).add(m.method, "  "+e.From, style{person(e.FromID), 0}).
			add(m.method, e.Time.In(m.zone).Format("  2006-01-02 15:04"), style{attr: faint})
		where, st := x.where(), style{attr: faint}
		if got := f.t.fetched[e.ID]; got != nil {
			where = got.words
			if st = (style{}); got.bad {
				st = style{warning, 0}
			}
		}
		if i == f.at {
			head = head.pad(width, style{}).all(reverse)
		}
		out = append(out, head.clip(width), text(m.method, "   "+where, st).clip(width))
	}
	return out
}

// where says who has the file, as far as that is known.
func (x *fileLine) where() string {
	switch n := len(x.Paths); {
	case n == 1:
		return "here: " + x.Paths[0]
	case n > 1:
		return fmt.Sprintf("here: %s and %d more", x.Paths[0], n-1)
	case len(x.At) > 0:
		return strings.Join(x.At, ", ") + ": connected, and has it"
	}
	return "nobody who is connected is known to have it"
}
