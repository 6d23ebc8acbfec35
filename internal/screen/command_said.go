package screen

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/tenon-net/tenon/internal/node/api"
)

func runMe(m *model, t *talk, args string) tea.Cmd {
	if args == "" {
		return m.usage("me")
	}
	return m.send(t, "/me "+args, "/me "+args, nil) // XEP-0245: the words are what is sent, and who shows them knows them
}

func isAction(s string) bool { _, ok := api.Action(s); return ok }

// target returns the message that a command is about: the one that is picked or that the input answers, or the
// last one of the user's, or of others.
func (m *model) target(t *talk, mine bool) *entry {
	for _, id := range []string{m.picked, t.about.id} {
		if e := t.at(id); id != "" && e != nil {
			return e
		}
	}
	return t.lastSaid(mine)
}

func runReply(m *model, t *talk, args string) tea.Cmd {
	e := m.target(t, false)
	if e == nil {
		return m.fail(errNoPick)
	}
	t.about = about{id: e.ID}
	if args == "" {
		return nil
	}
	return m.send(t, "/reply "+args, args, nil)
}

func runEdit(m *model, t *talk, args string) tea.Cmd {
	e := m.target(t, true)
	switch {
	case e == nil:
		return m.fail(errNoPick)
	case !e.Mine || e.Kind == kindControl:
		return m.fail(errors.New("only what you have said can be edited"))
	}
	if args == "" {
		m.beginEdit(t, e)
		return nil
	}
	t.about = about{id: e.ID, edit: true}
	return m.send(t, "/edit "+args, args, nil)
}

// beginEdit puts what a message says into the input.
func (m *model) beginEdit(t *talk, e *entry) {
	if !t.input.empty() {
		m.recall.add(t.input.text())
	}
	t.about = about{id: e.ID, edit: true}
	s := e.Text
	if strings.HasPrefix(s, "/") && !isAction(s) {
		s = "/" + s
	}
	t.input.set(s)
}

func runDelete(m *model, t *talk, _ string) tea.Cmd {
	e := m.target(t, true)
	if e == nil || e.Kind == kindControl {
		return m.fail(errNoPick)
	}
	t.about = about{}
	return m.askDelete(t, e)
}

func (m *model) askDelete(t *talk, e *entry) tea.Cmd {
	id := e.ID
	what := "take your message back"
	if !e.Mine {
		what = "take the message of " + e.From + " away"
	}
	said := []rune(firstLine(e.Text))
	if len(said) > 30 {
		said = append(said[:30], '…')
	}
	return m.question(what+": "+string(said)+"?", func(m *model) tea.Cmd {
		return m.tell(func(ctx context.Context) error { return m.node.DeleteRoomMessage(ctx, t.id, id) })
	})
}

// emojis are reactions by name, for those who cannot type them.
var emojis = []struct{ name, emoji string }{
	{"+1", "👍"}, {"-1", "👎"}, {"heart", "❤️"}, {"joy", "😂"}, {"tada", "🎉"}, {"eyes", "👀"}, {"cry", "😢"},
	{"thanks", "🙏"}, {"fire", "🔥"}, {"think", "🤔"}, {"done", "✅"}, {"no", "❌"}, {"wave", "👋"}, {"rocket", "🚀"},
}

func runReact(m *model, t *talk, args string) tea.Cmd {
	if args == "" {
		return m.usage("react")
	}
	e := m.target(t, false)
	if e == nil {
		return m.fail(errNoPick)
	}
	t.about = about{}
	return m.react(t, e, args)
}

func (m *model) react(t *talk, e *entry, emoji string) tea.Cmd {
	for _, known := range emojis {
		if strings.Trim(emoji, ":") == known.name {
			emoji = known.emoji
		}
	}
	off := false
	for _, r := range e.Reactions {
		off = off || r.Mine && r.Emoji == emoji
	}
	id := e.ID
	return m.tell(func(ctx context.Context) error { return m.node.ReactInRoom(ctx, t.id, id, emoji, off) })
}

func runPin(m *model, t *talk, _ string) tea.Cmd {
	e := m.target(t, false)
	if e == nil || e.Kind == kindControl {
		return m.fail(errNoPick)
	}
	t.about = about{}
	return m.pin(t, e)
}

func (m *model) pin(t *talk, e *entry) tea.Cmd {
	id, off := e.ID, e.Pinned
	return m.inRoom(t, func(ctx context.Context, room string) error { return m.node.PinInRoom(ctx, room, id, off) })
}

func runPins(m *model, t *talk, _ string) tea.Cmd {
	if len(t.room.Pinned) == 0 {
		return m.say("nothing is pinned here")
	}
	s := &searchMode{title: "pinned in " + title(&t.room), found: entriesOf(t.room.Pinned)}
	slices.Reverse(s.found)
	m.mode = s
	return nil
}

func runFile(m *model, t *talk, args string) tea.Cmd {
	path, said := cutPath(args)
	if path == "" {
		return m.usage("file")
	}
	path, err := absolute(path)
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		return m.fail(err)
	}
	return m.send(t, "/file "+args, said, []string{path})
}

// cutPath takes a path off, which may stand in quotes; "\ " is a space of it.
func cutPath(s string) (path, rest string) {
	if s != "" && (s[0] == '"' || s[0] == '\'') {
		if end := strings.IndexByte(s[1:], s[0]); end >= 0 {
			return s[1 : 1+end], strings.TrimSpace(s[2+end:])
		}
	}
	for i := 0; i < len(s); i++ {
		if s[i] == ' ' && s[i-1] != '\\' {
			return strings.ReplaceAll(s[:i], `\ `, " "), strings.TrimSpace(s[i:])
		}
	}
	return strings.ReplaceAll(s, `\ `, " "), ""
}

// absolute works a path out as a shell does.
func absolute(path string) (string, error) {
	if rest, ok := strings.CutPrefix(path, "~/"); ok || path == "~" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		return filepath.Join(home, rest), nil
	}
	return filepath.Abs(path)
}

func runSearch(m *model, t *talk, args string) tea.Cmd {
	switch {
	case args == "":
		return m.usage("search")
	case t.room.ID == "":
		return m.fail(errNoRoom)
	}
	return m.search(t, args)
}
