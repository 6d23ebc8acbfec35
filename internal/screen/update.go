package screen

import (
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/tenon-net/tenon/internal/node/api"
)

// Init waits for the node to say that nothing is missed any more: then all there is, is asked for.
func (m *model) Init() tea.Cmd { return tea.Batch(tea.RequestBackgroundColor, m.world.next) }

// Update takes over what was typed, what the node answers, and what happened.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	var cmd tea.Cmd
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.BackgroundColorMsg:
		m.light = !msg.IsDark()
	case tea.ModeReportMsg:
		// The renderer goes by grapheme clusters from then on, and lines must be as wide as it takes them for.
		if msg.Mode == ansi.ModeUnicodeCore && (msg.Value == ansi.ModeReset || msg.Value == ansi.ModeSet || msg.Value == ansi.ModePermanentlySet) {
			m.method = ansi.GraphemeWidth
		}
	case tea.FocusMsg:
		m.focused = true
	case tea.BlurMsg:
		if m.focused = false; m.open.follows() {
			m.open.mark = "" // the next one that comes is new
		}
	case tea.KeyPressMsg:
		cmd = tea.Batch(m.key(msg), m.draftSoon())
	case tea.PasteMsg:
		cmd = tea.Batch(m.paste(msg.Content), m.draftSoon())
	case tea.MouseClickMsg:
		cmd = m.click(msg)
	case tea.MouseWheelMsg:
		m.wheel(msg)
	case answer:
		cmd = msg(m)
	case happened:
		cmd = tea.Batch(m.happen(msg), m.world.next)
	}
	if m.quit && !m.turning.busy { // what was typed is said before
		return m, tea.Quit
	}
	return m, tea.Batch(cmd, m.settle())
}

// happen takes over what has happened.
func (m *model) happen(h happened) tea.Cmd {
	if h.lost != nil {
		m.lost = h.lost
	}
	var cmds []tea.Cmd
	ring := false
	for _, e := range h.events {
		cmd, bell := m.event(e)
		cmds, ring = append(cmds, cmd), ring || bell
	}
	if ring {
		cmds = append(cmds, tea.Raw("\a"))
	}
	return tea.Batch(cmds...)
}

// event takes over one thing that has happened, and tells whether the bell is to ring for it.
func (m *model) event(e api.RoomEvent) (cmd tea.Cmd, bell bool) {
	t := m.talks[e.Room]
	switch e.Type {
	case api.RoomsReady, api.RoomsLost:
		m.lost = nil
		return m.renewAll(), false
	case api.RoomNewMessage:
		if e.Message == nil {
			break
		}
		if t != nil {
			if t.take(*e.Message, t == m.open && m.focused) && t == m.open && !inOrder(t) {
				cmd = m.synchronize(t)
			}
		}
		if m.room(e.Room) == nil && t == nil {
			return tea.Batch(cmd, m.list()), m.rings(e) // a conversation that somebody has begun
		}
		if t == nil || t != m.open {
			cmd = tea.Batch(cmd, m.list())
		}
		return cmd, m.rings(e)
	case api.RoomChanged:
		switch {
		case t == nil:
		case e.Message != nil:
			t.change([]api.RoomMessage{*e.Message})
		default: // some have disappeared
			if t.stale = true; t == m.open {
				return m.synchronize(t), false
			}
		}
	case api.RoomItself, api.RoomPresence:
		if t != nil && t == m.open {
			cmd = m.describe(t)
		}
		return tea.Batch(cmd, m.list()), false
	case api.RoomMarks:
		switch {
		case t == nil:
		case t == m.open:
			return m.synchronize(t), false
		default:
			t.stale = true
		}
	case api.RoomRead:
		return m.list(), false
	case api.RoomOffered:
		m.say("you are invited to a room: F2 shows it, /accept enters it")
		return m.listOffers(), false
	case api.RoomTyping:
		return m.hears(t, e.Who), false
	}
	return nil, false
}

// inOrder tells whether what came last could be anywhere else: two of one moment are put in order by what only
// the node knows.
func inOrder(t *talk) bool {
	n := len(t.entries)
	return n < 2 || t.entries[n-2].Time.Before(t.entries[n-1].Time)
}

// typingTime is how long somebody is believed to write.
const typingTime = 6 * time.Second

// hears notes that somebody is writing.
func (m *model) hears(t *talk, who string) tea.Cmd {
	if t == nil || who == "" {
		return nil
	}
	if t.typing == nil {
		t.typing = map[string]time.Time{}
	}
	if len(t.typing) < 100 || !t.typing[who].IsZero() {
		t.typing[who] = m.world.now().Add(typingTime)
	}
	return m.world.after(typingTime, func(m *model) tea.Cmd {
		for who, until := range t.typing {
			if !until.After(m.world.now()) {
				delete(t.typing, who)
			}
		}
		return nil
	})
}

// writers returns who is writing.
func (t *talk) writers() (who []string) {
	for w := range t.typing {
		who = append(who, w)
	}
	slices.Sort(who)
	return who
}

// rings tells whether the bell is to ring for a message.
func (m *model) rings(e api.RoomEvent) bool {
	looked := m.focused && m.open.room.ID == e.Room
	if e.Message.Mine || e.Message.Kind == kindControl || looked || m.bell == BellNever {
		return false
	}
	r := m.room(e.Room)
	muted := r != nil && r.Muted
	direct := r == nil || r.Direct
	return e.Message.MentionMe || !muted && (direct || m.bell == BellAll)
}
