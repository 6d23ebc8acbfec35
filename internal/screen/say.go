package screen

import (
	"context"
	"errors"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/tenon-net/tenon/internal/node/api"
)

var (
	errTooLong = errors.New("that is more than a message can have: 60 KiB; /file shares a file")
	errNoRoom  = errors.New("no room is open: /join or /new, and /help for all that there is")
	errNoPick  = errors.New("there is no message that this could be about: pick one with Up")
)

// enter is the key that says what is written, or does it.
func (m *model) enter(t *talk) tea.Cmd {
	s := t.input.text()
	if strings.TrimSpace(s) == "" {
		return nil
	}
	m.notice = notice{}
	literal, two := strings.CutPrefix(s, "//")
	if strings.HasPrefix(s, "/") && !two {
		return m.command(t, s)
	}
	m.recall.add(s)
	t.input.set("")
	if two {
		return m.send(t, s, "/"+literal, nil)
	}
	return m.send(t, s, s, nil)
}

// send says something in a room, and what the input is about. What cannot be said is put back as it was typed.
func (m *model) send(t *talk, typed, s string, paths []string) tea.Cmd {
	if t.room.ID == "" {
		return m.fail(errNoRoom)
	}
	if t.gone() {
		return m.fail(errors.New("you have left this room: nothing can be said in it"))
	}
	a := t.about
	t.about = about{}
	t.mark, t.told = "", m.world.now().Add(-tellTyping)
	say := api.RoomSay{Text: strings.TrimRight(s, "\n "), Paths: paths}
	if a.edit {
		say.Edit = a.id
	} else {
		say.Reply = a.id
	}
	id := t.room.ID
	begin := func(ctx context.Context) (context.Context, context.CancelFunc) { return ctx, func() {} }
	if len(paths) > 0 { // which are hashed before, for as long as that takes
		begin = func(context.Context) (context.Context, context.CancelFunc) { return m.world.begin() }
		m.say("it is said as soon as all of it was read once")
	}
	t.sending++
	return m.inTurn(func(ctx context.Context) answer {
		ctx, stop := begin(ctx)
		defer stop()
		said, err := m.node.SayInRoom(ctx, id, say)
		return func(m *model) tea.Cmd {
			t.sending--
			if err != nil {
				m.quit = false
				if t.input.empty() {
					t.input.set(typed)
					t.about = a
				}
				m.fail(err)
				m.notice.text = "not said: " + m.notice.text
				return nil
			}
			if !a.edit {
				if len(paths) > 0 {
					m.notice = notice{}
				}
				return tea.Batch(m.said(t, said), m.list(), m.draftSoon())
			}
			t.change([]api.RoomMessage{said})
			return m.draftSoon()
		}
	})
}

// said shows what was said.
func (m *model) said(t *talk, e api.RoomMessage) tea.Cmd {
	if t.loaded && !t.newest {
		return m.loadEnd(t, false)
	}
	t.end()
	if t.take(e, true) && !inOrder(t) {
		return m.synchronize(t)
	}
	return nil
}
