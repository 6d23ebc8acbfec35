package screen

import (
	"context"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/tenon-net/tenon/internal/node/api"
)

// A model is the whole state.
type model struct {
	node  Node
	world world
	surface
	width, height int
	mouse         bool
	bell          Bell
	downloads     string // a directory
	focused       bool   // the terminal has the keyboard; true where it does not say

	rooms  []api.Room // in the order in which they are shown
	offers []api.RoomOffer
	peers  []api.Peer
	talks  map[string]*talk // by ID of the room
	recent []string         // IDs of rooms that were shown, the last one at the end
	open   *talk            // the one that is shown; where there is none yet, one without an ID that takes commands
	picked string           // the entry of it that is picked

	mode    mode // what takes the keys instead of the input; nil = nothing
	recall  recall
	turning turning
	choices choices
	drafts  drafting

	showMembers bool
	ending      bool // Ctrl-C was pressed, and nothing since
	lost        error
	notice      notice

	listing, offering renewal
	quit              bool // as soon as all is said
}

// A world is what the model has from outside.
type world struct {
	// ask has the answer of a question given to Update. The question is asked beside the model: it has values, and
	// reads nothing that may change.
	ask   func(func(context.Context) answer) tea.Cmd
	after func(time.Duration, answer) tea.Cmd          // gives an answer later
	begin func() (context.Context, context.CancelFunc) // of what goes on for as long as it takes, but no longer than the screen
	now   func() time.Time
	next  tea.Cmd // waits for what happens
}

// An answer is what has come of something that was waited for. It changes the model when that has its turn.
type answer func(*model) tea.Cmd

// A notice is something that is said to the user once.
type notice struct {
	text string
	bad  bool
	at   time.Time
}

// noticeTime is how long a notice stays at least, whatever keys are pressed.
const noticeTime = 3 * time.Second

func newModel(node Node, w world, o Options) *model {
	m := &model{
		node: node, world: w, surface: surface{method: ansi.WcWidth, zone: o.zone}, mouse: !o.NoMouse, bell: o.Bell, downloads: o.Downloads,
		focused: true, showMembers: true, talks: map[string]*talk{}, drafts: drafting{turn: make(chan struct{}, 1)},
	}
	m.open = m.talk("")
	return m
}

// say tells the user something.
func (m *model) say(text string) tea.Cmd {
	m.notice = notice{text: text, at: m.world.now()}
	return nil
}

// fail tells the user of an error, if there is one.
func (m *model) fail(err error) tea.Cmd {
	if err != nil {
		m.notice = notice{text: errorWords(err), bad: true, at: m.world.now()}
	}
	return nil
}

// ask has the node asked.
func (m *model) ask(f func(context.Context) answer) tea.Cmd { return m.world.ask(f) }

// tell is ask for what has no answer but an error.
func (m *model) tell(f func(context.Context) error) tea.Cmd {
	return m.ask(func(ctx context.Context) answer {
		err := f(ctx)
		return func(m *model) tea.Cmd { return m.fail(err) }
	})
}

// A renewal is something that is asked for again when it may have changed: one question at a time, and another one
// after a pause if something has happened meanwhile.
type renewal struct{ asking, again bool }

// pause is the time between two questions for the same thing.
const pause = 200 * time.Millisecond

// renew asks the question that makes returns, which has what is true when it is asked.
func (m *model) renew(r *renewal, makes func() func(context.Context) answer) tea.Cmd {
	if r.asking {
		r.again = true
		return nil
	}
	r.asking = true
	f := makes()
	return m.ask(func(ctx context.Context) answer {
		done := f(ctx)
		return func(m *model) tea.Cmd {
			return tea.Batch(done(m), m.world.after(pause, func(m *model) tea.Cmd {
				r.asking = false
				if r.again {
					r.again = false
					return m.renew(r, makes)
				}
				return nil
			}))
		}
	})
}

// A turning has things done one after the other, in the order in which they were asked for.
type turning struct {
	busy    bool
	waiting []func(context.Context) answer
}

// inTurn is ask for what is said: what was typed first is said first.
func (m *model) inTurn(f func(context.Context) answer) tea.Cmd {
	if m.turning.busy {
		m.turning.waiting = append(m.turning.waiting, f)
		return nil
	}
	m.turning.busy = true
	return m.ask(func(ctx context.Context) answer {
		done := f(ctx)
		return func(m *model) tea.Cmd {
			cmd := done(m)
			m.turning.busy = false
			if len(m.turning.waiting) > 0 {
				next := m.turning.waiting[0]
				m.turning.waiting = m.turning.waiting[1:]
				return tea.Batch(cmd, m.inTurn(next))
			}
			return cmd
		}
	})
}

// room finds a room by its ID.
func (m *model) room(id string) *api.Room {
	if i := slices.IndexFunc(m.rooms, func(r api.Room) bool { return r.ID == id }); i >= 0 {
		return &m.rooms[i]
	}
	return nil
}

// named finds a room by what it is called on the screen, with its sign or without.
func (m *model) named(name string) *api.Room {
	bare := strings.TrimLeft(name, "#@")
	for i, r := range m.rooms {
		if title(&m.rooms[i]) == name || r.Name == bare && (bare == name || r.Direct == strings.HasPrefix(name, "@")) || r.ID == name {
			return &m.rooms[i]
		}
	}
	return nil
}

// unread counts what is new, for the title of the window, and what of that names the user.
func (m *model) unread() (all, mentions int) {
	for _, r := range m.rooms {
		if !r.Muted {
			all += r.Unread
		}
		mentions += r.Mentions
	}
	return all, mentions
}
