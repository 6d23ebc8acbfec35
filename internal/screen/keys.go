package screen

import (
	"context"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/tenon-net/tenon/internal/node/api"
)

// A mode takes the keys, instead of the input, for as long as it is there.
type mode interface {
	key(m *model, k tea.KeyPressMsg) tea.Cmd
	hint(m *model) string // what the keys do now
}

// A page is a mode that is shown in place of the entries.
type page interface {
	mode
	lines(m *model, width, height int) []line
}

// key does what a key means.
func (m *model) key(k tea.KeyPressMsg) tea.Cmd {
	name := k.String()
	if name != "ctrl+c" {
		m.ending = false
	}
	if m.world.now().Sub(m.notice.at) > noticeTime {
		m.notice = notice{}
	}
	if name != "tab" && name != "shift+tab" {
		m.choices = choices{}
	}
	if cmd, ok := m.anywhere(name); ok {
		return cmd
	}
	if m.mode != nil {
		return m.mode.key(m, k)
	}
	return m.inputKey(m.open, k, name)
}

// anywhere does what keys mean whatever the mode is.
func (m *model) anywhere(name string) (cmd tea.Cmd, ok bool) {
	switch name {
	case "ctrl+c":
		return m.interrupt(), true
	case "ctrl+z":
		return tea.Suspend, true
	case "ctrl+l":
		return tea.Batch(tea.ClearScreen, m.renewAll()), true
	case "f1":
		m.toggle(helpPage())
	case "f2":
		m.toggle(&roomsMode{at: -1})
	case "f3":
		m.showMembers = !m.showMembers
	case "alt+up":
		return m.move(-1), true
	case "alt+down":
		return m.move(1), true
	case "alt+a":
		return m.nextUnread(), true
	case "alt+1", "alt+2", "alt+3", "alt+4", "alt+5", "alt+6", "alt+7", "alt+8", "alt+9":
		if i := int(name[4] - '1'); i < len(m.rooms) {
			return m.show(m.rooms[i].ID), true
		}
	default:
		return nil, false
	}
	return nil, true
}

// toggle shows a page, or takes it away if it is shown.
func (m *model) toggle(p mode) {
	if old, ok := m.mode.(interface{ same(mode) bool }); ok && old.same(p) {
		m.mode = nil
		return
	}
	m.mode, m.picked = p, ""
}

// interrupt is Ctrl-C: it leaves a mode, takes away what is written, and the second time at an empty input it ends
// the program.
func (m *model) interrupt() tea.Cmd {
	switch t := m.open; {
	case m.quit:
		m.turning = turning{} // whatever is still to be said
	case m.ending:
		m.quit = true
	case m.mode != nil:
		m.mode, m.picked = nil, ""
	case !t.input.empty() || t.about.id != "":
		m.recall.add(t.input.text())
		t.input.set("")
		t.about = about{}
		m.say("taken away; Ctrl-P brings it back")
	default:
		m.ending = true
	}
	return nil
}

// inputKey is a key for the input of a room.
func (m *model) inputKey(t *talk, k tea.KeyPressMsg, name string) tea.Cmd {
	in := &t.input
	switch name {
	case "enter", "kpenter":
		return m.enter(t)
	case "alt+enter", "ctrl+j", "shift+enter":
		return m.write(t, "\n")
	case "tab":
		m.complete(t, 1)
	case "shift+tab":
		m.complete(t, -1)
	case "esc":
		t.about = about{}
		m.notice = notice{}
	case "up":
		if in.empty() {
			return m.pick(len(t.entries) - 1)
		}
		if !in.vertical(m.method, -1) {
			m.recall.step(1, in)
		}
	case "down":
		if !in.vertical(m.method, 1) {
			m.recall.step(-1, in)
		}
	case "ctrl+p":
		m.recall.step(1, in)
	case "ctrl+n":
		m.recall.step(-1, in)
	case "pgup":
		t.scroll(-max(t.height-1, 1))
	case "pgdown":
		t.scroll(max(t.height-1, 1))
	case "ctrl+home":
		t.scroll(-1 << 20)
	case "ctrl+end", "alt+end":
		return m.toEnd(t)
	case "end":
		if in.empty() {
			return m.toEnd(t)
		}
		in.edit(m, name)
	case "alt+l":
		if len(t.late) > 0 {
			return m.pick(t.find(t.late[0]))
		}
	case "ctrl+f":
		in.set("/search ")
	default:
		if in.edit(m, name) {
			return nil
		}
		if k.Text != "" {
			return m.write(t, k.Text)
		}
	}
	return nil
}

// edit does what a key means for the text; it returns false if that is nothing.
func (e *editor) edit(m *model, name string) bool {
	switch name {
	case "left", "ctrl+b":
		e.move(e.at - 1)
	case "right":
		e.move(e.at + 1)
	case "ctrl+left", "alt+left", "alt+b":
		e.move(e.word(-1))
	case "ctrl+right", "alt+right", "alt+f":
		e.move(e.word(1))
	case "home", "ctrl+a":
		e.move(e.edge(false))
	case "end", "ctrl+e":
		e.move(e.edge(true))
	case "backspace", "ctrl+h", "shift+backspace":
		e.cut(e.at-1, e.at)
	case "delete", "ctrl+d":
		e.cut(e.at, e.at+1)
	case "ctrl+w", "alt+backspace", "ctrl+backspace":
		e.cut(e.word(-1), e.at)
	case "alt+d", "ctrl+delete":
		e.cut(e.at, e.word(1))
	case "ctrl+u":
		e.cut(e.edge(false), e.at)
	case "ctrl+k":
		e.cut(e.at, e.edge(true))
	default:
		return false
	}
	return true
}

// toEnd shows the end of a room.
func (m *model) toEnd(t *talk) tea.Cmd {
	if !t.newest {
		return m.loadEnd(t, false)
	}
	t.end()
	return nil
}

// paste puts text where it would be typed. Its line feeds are part of it: nothing is said by them.
func (m *model) paste(s string) tea.Cmd {
	if p, ok := m.mode.(interface{ paste(m *model, s string) }); ok {
		p.paste(m, s)
		return nil
	}
	m.mode, m.picked = nil, ""
	return m.write(m.open, s)
}

// tellTyping is the time between two notices that the user is writing.
const tellTyping = 4 * time.Second

// write puts text into the input.
func (m *model) write(t *talk, s string) tea.Cmd {
	if !t.input.insert(s) {
		m.fail(errTooLong)
		return nil
	}
	now := m.world.now()
	if t.room.State != api.RoomInside || strings.HasPrefix(t.input.text(), "/") || now.Sub(t.told) < tellTyping {
		return nil
	}
	t.told = now
	return m.ask(func(ctx context.Context) answer {
		_ = m.node.TypingInRoom(ctx, t.id) // nobody misses it
		return func(*model) tea.Cmd { return nil }
	})
}
