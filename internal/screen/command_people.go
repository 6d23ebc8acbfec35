package screen

import (
	"context"
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/tenon-net/tenon/internal/node/api"
)

func runInvite(m *model, t *talk, args string) tea.Cmd {
	if t.room.ID == "" {
		return m.fail(errNoRoom)
	}
	who, role := cutWord(args)
	id, name := t.room.ID, title(&t.room)
	ask := api.RoomInvite{Peer: strings.TrimPrefix(who, "@"), Role: role}
	return m.ask(func(ctx context.Context) answer {
		done, err := m.node.InviteToRoom(ctx, id, ask)
		return func(m *model) tea.Cmd {
			switch {
			case err != nil:
				return m.fail(err)
			case done.Member != "":
				return tea.Batch(m.say(done.Member+" is a member now"), m.describe(t))
			}
			m.mode = &textPage{title: "an invite to " + name, copies: done.Ticket, texts: []string{
				"Whoever has this ticket enters " + name + ": give it to those only whom you want there.",
				"", done.Ticket, "",
				"They say: tenon room join TICKET, or /join TICKET. c copies it, where the terminal allows that. tenon room invite has one that expires."}}
			return nil
		}
	})
}

// member finds somebody in the room by name, with "@" or without.
func (t *talk) member(name string) *api.RoomMember {
	name = strings.TrimPrefix(name, "@")
	for i := range t.members {
		if p := &t.members[i]; strings.EqualFold(p.Name, name) || p.ID == name {
			return p
		}
	}
	return nil
}

func runKick(m *model, t *talk, args string) tea.Cmd {
	if args == "" {
		return m.usage("kick")
	}
	p := t.member(args)
	if p == nil {
		return m.fail(fmt.Errorf("nobody in this room is called %s: /names lists them", args))
	}
	who := p.ID
	return m.question("remove "+p.Name+" from "+title(&t.room)+"?", func(m *model) tea.Cmd {
		return m.inRoom(t, func(ctx context.Context, id string) error { return m.node.RemoveFromRoom(ctx, id, who) })
	})
}

func runRole(m *model, t *talk, args string) tea.Cmd {
	name, role := cutWord(args)
	p := t.member(name)
	if role == "" || p == nil {
		return m.usage("role")
	}
	who := p.ID
	return m.inRoom(t, func(ctx context.Context, id string) error { return m.node.SetRoomRole(ctx, id, who, role) })
}

func runNames(m *model, t *talk, _ string) tea.Cmd {
	if t.room.ID == "" {
		return m.fail(errNoRoom)
	}
	p := &textPage{title: "who is in " + title(&t.room)}
	for i := range t.members {
		p.texts = append(p.texts, memberWords(&t.members[i]))
	}
	m.mode = p
	return nil
}

// memberWords says all of a member.
func memberWords(p *api.RoomMember) string {
	s := p.Name + ": " + p.Role
	if p.Me {
		s += ", you"
	}
	if p.Online {
		s += ", here now"
	}
	if len(p.Devices) > 1 {
		s += ", " + number(len(p.Devices), "device")
	}
	if p.Forked {
		s += ", FORKED: a device of theirs shows different things to different people, or was copied"
	}
	if p.Blocked {
		s += ", blocked by you"
	}
	return s + ", " + p.ID
}

func runBlock(m *model, t *talk, args string) tea.Cmd {
	who, ok := m.whom(t, args)
	if !ok {
		return m.usage("block")
	}
	return m.question("block "+args+"? Nothing of theirs is shown any more, and what they use here is cut.", func(m *model) tea.Cmd {
		return tea.Batch(m.tellAll(func(ctx context.Context, id string) error { return m.node.Block(ctx, id) }, who))
	})
}

func runUnblock(m *model, t *talk, args string) tea.Cmd {
	who, ok := m.whom(t, args)
	if !ok {
		return m.usage("unblock")
	}
	return m.tellAll(func(ctx context.Context, id string) error { return m.node.Unblock(ctx, id) }, who)
}

// whom returns the peers that a name stands for: those of a member, or one of that name.
func (m *model) whom(t *talk, name string) ([]string, bool) {
	name = strings.TrimPrefix(name, "@")
	if p := t.member(name); p != nil && !p.Me && len(p.Devices) > 0 {
		return slices.Clone(p.Devices), true
	}
	return []string{name}, name != ""
}

// tellAll does something with each of several peers.
func (m *model) tellAll(f func(context.Context, string) error, peers []string) tea.Cmd {
	return m.ask(func(ctx context.Context) answer {
		var err error
		for _, p := range peers {
			if e := f(ctx, p); e != nil && err == nil {
				err = e
			}
		}
		return func(m *model) tea.Cmd { return tea.Batch(m.fail(err), m.renewAll()) }
	})
}
