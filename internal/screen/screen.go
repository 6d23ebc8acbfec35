package screen

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/transport"
)

// A Bell is when the terminal's bell rings, if it is not looked at.
type Bell string

// When it does.
const (
	BellMentions Bell = "mentions" // for what names the user, or is said to the user alone; the default
	BellAll      Bell = "all"
	BellNever    Bell = "never"
)

// Options say how the screen is to be.
type Options struct {
	Open    string // a room, or a peer to talk to; "" = the first room that has something new
	Bell    Bell
	NoMouse bool // the mouse is the terminal's own, to mark and paste

	Downloads string // a directory, absolute, for what is fetched from rooms

	In   io.Reader // nil = the terminal
	Out  io.Writer // nil = standard output
	zone *time.Location
	size [2]int // of a terminal that cannot be asked; for tests
}

// framesPerSecond is how often it is looked whether something is to be drawn: enough for people, and half of what an
// idle screen would cost otherwise.
const framesPerSecond = 30

// answerTime is how long a node may think about a question.
const answerTime = 30 * time.Second

// Run shows rooms until the user ends it, which is nil, or ctx is done, which is its cause. The terminal is as it
// was then. What was opened by name and is not there is an error before anything is drawn.
func Run(ctx context.Context, node Node, o Options) error {
	if o.zone == nil {
		o.zone = time.Local
	}
	first, err := find(ctx, node, o.Open)
	if err != nil {
		return err
	}
	within, cancel := context.WithCancel(ctx)
	var pumping sync.WaitGroup
	defer pumping.Wait()
	defer cancel()
	p := newPump(node)
	pumping.Go(func() { p.run(within) })
	m := newModel(node, realWorld(within, p), o)
	m.openFirst(first)
	options := []tea.ProgramOption{tea.WithContext(ctx), tea.WithoutSignalHandler(), tea.WithFPS(framesPerSecond)}
	if o.In != nil {
		options = append(options, tea.WithInput(o.In))
	}
	if o.Out != nil {
		options = append(options, tea.WithOutput(o.Out))
	}
	if o.size != [2]int{} {
		options = append(options, tea.WithWindowSize(o.size[0], o.size[1]))
	}
	_, err = tea.NewProgram(m, options...).Run()
	m.keepLast(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// find returns the room that was asked for by name.
func find(ctx context.Context, node Node, name string) (r api.Room, err error) {
	if name == "" {
		_, err = node.Rooms(ctx) // one that has none is told of, too
		return r, err
	}
	r, err = node.Room(ctx, name)
	if errors.Is(err, api.ErrNotFound) && !strings.HasPrefix(name, "#") {
		if r, err = node.DirectRoom(ctx, strings.TrimPrefix(name, "@")); errors.Is(err, api.ErrNotFound) {
			err = transport.WithHint(err, "tenon room lists rooms, tenon peers whom you can talk to")
		}
	}
	return r, err
}

// realWorld is the world of a model that runs.
func realWorld(ctx context.Context, p *pump) world {
	return world{
		ask: func(f func(context.Context) answer) tea.Cmd {
			return func() tea.Msg {
				ctx, cancel := context.WithTimeout(ctx, answerTime)
				defer cancel()
				return f(ctx)
			}
		},
		after: func(d time.Duration, a answer) tea.Cmd {
			return tea.Tick(d, func(time.Time) tea.Msg { return a })
		},
		begin: func() (context.Context, context.CancelFunc) { return context.WithCancel(ctx) },
		now:   time.Now,
		next:  p.next(ctx),
	}
}

// errorWords is an error for people, with its hint.
func errorWords(err error) string {
	if h := transport.Hint(err); h != "" {
		return err.Error() + " (" + h + ")"
	}
	return err.Error()
}
