package screen

import (
	"context"
	"errors"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/opt"
)

// opens asks for a room, and shows it.
func (m *model) opens(f func(context.Context) (api.Room, error), then answer) tea.Cmd {
	return m.ask(func(ctx context.Context) answer {
		r, err := f(ctx)
		return func(m *model) tea.Cmd {
			if err != nil {
				return m.fail(err)
			}
			if m.room(r.ID) == nil {
				m.rooms = append(m.rooms, r) // until the list comes
			}
			cmd := tea.Batch(m.show(r.ID), m.list(), m.listOffers())
			if then != nil {
				cmd = tea.Batch(cmd, then(m))
			}
			return cmd
		}
	})
}

func runJoin(m *model, _ *talk, args string) tea.Cmd {
	name, _ := cutWord(args)
	if name == "" {
		return m.usage("join")
	}
	if r := m.named(name); r != nil {
		return m.show(r.ID)
	}
	if o := m.offer(name); o != nil {
		return m.accept(o)
	}
	if strings.HasPrefix(name, "tenon1") {
		return m.opens(func(ctx context.Context) (api.Room, error) { return m.node.JoinRoom(ctx, name) }, nil)
	}
	return m.opens(func(ctx context.Context) (api.Room, error) {
		r, err := m.node.Room(ctx, name)
		if errors.Is(err, api.ErrNotFound) {
			err = errors.New("you are in no room of that name: /new makes one, and a ticket from somebody in it enters one")
		}
		return r, err
	}, nil)
}

func runNew(m *model, _ *talk, args string) tea.Cmd {
	name, topic := cutWord(args)
	if name == "" {
		return m.usage("new")
	}
	name = strings.TrimPrefix(name, "#")
	return m.opens(func(ctx context.Context) (api.Room, error) {
		return m.node.CreateRoom(ctx, api.NewRoom{Name: name, Topic: topic})
	}, nil)
}

// inRoom is for commands about the room that is shown.
func (m *model) inRoom(t *talk, f func(context.Context, string) error) tea.Cmd {
	if t.room.ID == "" {
		return m.fail(errNoRoom)
	}
	id := t.room.ID
	return m.ask(func(ctx context.Context) answer {
		err := f(ctx, id)
		return func(m *model) tea.Cmd { return tea.Batch(m.fail(err), m.list(), m.describe(t)) }
	})
}

func runPart(m *model, t *talk, _ string) tea.Cmd {
	if t.room.ID == "" {
		return m.fail(errNoRoom)
	}
	return m.question("leave "+title(&t.room)+"? What was said can still be read.", func(m *model) tea.Cmd { return m.leaveRoom(t, false) })
}

func (m *model) leaveRoom(t *talk, anyway bool) tea.Cmd {
	id := t.room.ID
	return m.ask(func(ctx context.Context) answer {
		err := m.node.LeaveRoom(ctx, id, anyway)
		return func(m *model) tea.Cmd {
			if errors.Is(err, api.ErrConflict) && !anyway {
				return m.lastOwner(t, func(m *model) tea.Cmd { return m.leaveRoom(t, true) })
			}
			return tea.Batch(m.fail(err), m.list(), m.describe(t))
		}
	})
}

// lastOwner asks the only owner of a room whether he means it.
func (m *model) lastOwner(t *talk, then answer) tea.Cmd {
	return m.question("you are the only owner of "+title(&t.room)+": /role WHO owner makes one more. Leave anyway, so that nobody can invite or remove anybody there any more?", then)
}

func runForget(m *model, t *talk, _ string) tea.Cmd {
	if t.room.ID == "" {
		return m.fail(errNoRoom)
	}
	return m.question("leave "+title(&t.room)+", and forget all that was said in it?", func(m *model) tea.Cmd { return m.forgetRoom(t, false) })
}

func (m *model) forgetRoom(t *talk, anyway bool) tea.Cmd {
	id := t.room.ID
	return m.ask(func(ctx context.Context) answer {
		err := m.node.ForgetRoom(ctx, id, anyway)
		return func(m *model) tea.Cmd {
			if errors.Is(err, api.ErrConflict) && !anyway {
				return m.lastOwner(t, func(m *model) tea.Cmd { return m.forgetRoom(t, true) })
			}
			if err != nil {
				return m.fail(err)
			}
			delete(m.talks, id)
			if m.open.room.ID == id {
				m.open = m.talk("")
			}
			return m.list()
		}
	})
}

func runMsg(m *model, _ *talk, args string) tea.Cmd {
	name, said := cutWord(args)
	if name == "" {
		return m.usage("msg")
	}
	if strings.HasPrefix(name, "#") {
		r := m.named(name)
		if r == nil {
			return m.fail(errors.New("you are in no room " + name))
		}
		return m.showAndSay(r.ID, said)
	}
	name = strings.TrimPrefix(name, "@")
	return m.opens(func(ctx context.Context) (api.Room, error) { return m.node.DirectRoom(ctx, name) }, func(m *model) tea.Cmd {
		if said == "" {
			return nil
		}
		return m.send(m.open, "/msg "+args, said, nil)
	})
}

// showAndSay shows a room, and says something in it, if it is not empty.
func (m *model) showAndSay(id, said string) tea.Cmd {
	cmd := m.show(id)
	if said == "" {
		return cmd
	}
	return tea.Batch(cmd, m.send(m.open, said, said, nil))
}

func runTopic(m *model, t *talk, args string) tea.Cmd {
	if args == "" {
		if t.room.Topic == "" {
			return m.say("there is no topic")
		}
		return m.say(t.room.Topic)
	}
	return m.changes(t, api.RoomChange{Topic: &args})
}

func runName(m *model, t *talk, args string) tea.Cmd {
	args = strings.TrimPrefix(args, "#")
	if args == "" {
		return m.usage("name")
	}
	return m.changes(t, api.RoomChange{Name: &args})
}

func (m *model) changes(t *talk, c api.RoomChange) tea.Cmd {
	return m.inRoom(t, func(ctx context.Context, id string) error {
		_, err := m.node.ChangeRoom(ctx, id, c)
		return err
	})
}

// switched reads on or off; nothing is on.
func switched(args string) (on, ok bool) {
	switch strings.ToLower(args) {
	case "", "on", "yes":
		return true, true
	case "off", "no":
		return false, true
	}
	return false, false
}

func runMute(m *model, t *talk, args string) tea.Cmd {
	on, ok := switched(args)
	if !ok {
		return m.usage("mute")
	}
	return m.changes(t, api.RoomChange{Muted: &on})
}

func runReceipts(m *model, t *talk, args string) tea.Cmd {
	on, ok := switched(args)
	if !ok || args == "" {
		return m.usage("receipts")
	}
	return m.changes(t, api.RoomChange{Receipts: &on})
}

func runVanish(m *model, t *talk, args string) tea.Cmd {
	var d api.Duration
	if args != "off" {
		long, err := opt.ParseDuration(args)
		if err != nil || long <= 0 {
			return m.usage("vanish")
		}
		d = api.Duration(long)
	}
	return m.changes(t, api.RoomChange{Vanish: &d})
}

func runRead(m *model, t *talk, _ string) tea.Cmd {
	t.mark = ""
	return m.inRoom(t, func(ctx context.Context, id string) error { return m.node.ReadRoom(ctx, id, "") })
}

// offer finds an offer by the name of the room, or the beginning of its ID; "" is the only one.
func (m *model) offer(name string) *api.RoomOffer {
	name = strings.TrimPrefix(name, "#")
	for i := range m.offers {
		if o := &m.offers[i]; name == "" && len(m.offers) == 1 || name != "" && (o.Name == name || strings.HasPrefix(o.ID, name)) {
			return o
		}
	}
	return nil
}

var errNoOffer = errors.New("no such room is offered: F2 lists those that are")

func runAccept(m *model, _ *talk, args string) tea.Cmd {
	if o := m.offer(args); o != nil {
		return m.accept(o)
	}
	return m.fail(errNoOffer)
}

func (m *model) accept(o *api.RoomOffer) tea.Cmd {
	id := o.ID
	return m.opens(func(ctx context.Context) (api.Room, error) { return m.node.AcceptRoom(ctx, id) }, nil)
}

func runDecline(m *model, _ *talk, args string) tea.Cmd {
	o := m.offer(args)
	if o == nil {
		return m.fail(errNoOffer)
	}
	id := o.ID
	return m.ask(func(ctx context.Context) answer {
		err := m.node.DeclineRoom(ctx, id)
		return func(m *model) tea.Cmd { return tea.Batch(m.fail(err), m.listOffers()) }
	})
}

func runRooms(m *model, _ *talk, _ string) tea.Cmd {
	m.mode = &roomsMode{at: -1}
	return nil
}

func runQuit(m *model, _ *talk, _ string) tea.Cmd {
	m.quit = true
	return nil
}

func runBell(m *model, _ *talk, args string) tea.Cmd {
	switch b := Bell(args); b {
	case BellMentions, BellAll, BellNever:
		m.bell = b
		return m.say("the bell rings for: " + args)
	}
	return m.usage("bell")
}

func runHelp(m *model, _ *talk, args string) tea.Cmd {
	if args == "" {
		m.mode = helpPage()
		return nil
	}
	c, ok := lookUp(strings.TrimPrefix(args, "/"))
	if !ok {
		return m.fail(errors.New("there is no command /" + strings.TrimPrefix(args, "/")))
	}
	return m.say("/" + c.name + " " + c.syntax + ": " + c.doc)
}
