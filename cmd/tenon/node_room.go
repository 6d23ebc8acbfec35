//go:build node

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/ticket"
	"github.com/tenon-net/tenon/opt"
)

// runRoom is "tenon room [WORD ...]".
func runRoom(p *program, c *call) error {
	if len(c.args) == 0 {
		if err := c.checkRoomFlags(""); err != nil {
			return err
		}
		return p.withRunning(c, func(t *talk) error { return p.listRooms(t) })
	}
	words := slices.Concat(c.args[1:], c.rest)
	for _, w := range roomActs {
		if w.word != c.args[0] {
			continue
		}
		if err := c.checkRoomFlags(w.word); err != nil {
			return err
		}
		if len(words) < w.least || w.most >= 0 && len(words) > w.most {
			return usageError("tenon room "+w.word+" takes: "+cmp.Or(roomSyntax(w.word), "nothing more"), "for example: "+w.example)
		}
		return p.withRunning(c, func(t *talk) error { return w.run(p, c, t, words) })
	}
	var all []string
	for _, w := range roomWords {
		all = append(all, w.word)
	}
	hint := "it does: " + strings.Join(all, ", ")
	if near := opt.Nearest(c.args[0], all, 2); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return usageError(fmt.Sprintf("tenon room does nothing that is called %q", c.args[0]), hint)
}

func roomSyntax(word string) string {
	for _, w := range roomWords {
		if w.word == word {
			return w.syntax
		}
	}
	return ""
}

// checkRoomFlags refuses flags of tenon room that are for something else than word.
func (c *call) checkRoomFlags(word string) error {
	of := map[string]string{"topic": "new", "history": "new", "role": "invite", "uses": "invite", "expires": "invite", "qr": "invite", "invert": "invite", "from": "search", "off": "mailbox", "plain": "export", "to": "get"}
	if d := c.set.Lookup("password"); d.Given() && word != "export" && word != "import" {
		return usageError("--password is for tenon room export and import", "tenon room export "+roomSyntax("export"))
	}
	if c.peer.room.anyway && word != "leave" && word != "forget" {
		return usageError("--anyway is for tenon room leave and forget", "tenon room leave "+roomSyntax("leave"))
	}
	for flag, is := range of {
		if d := c.set.Lookup(flag); d != nil && d.Given() && is != word {
			return usageError(fmt.Sprintf("--%s is for tenon room %s", flag, is), "tenon room "+is+" "+roomSyntax(is))
		}
	}
	return nil
}

// A roomAct is something that tenon room does.
type roomAct struct {
	word        string
	least, most int // words that follow; -1 = any number
	example     string
	run         func(p *program, c *call, t *talk, words []string) error
}

var roomActs = []roomAct{
	{"new", 1, 1, "tenon room new plans", roomNew},
	{"invite", 1, 2, "tenon room invite plans; or tenon room invite plans alice", roomInvite},
	{"invites", 1, 1, "tenon room invites plans", roomInvites},
	{"revoke", 2, 2, "tenon room revoke plans 3f9a", func(p *program, c *call, t *talk, words []string) error {
		err := t.RevokeRoomInvite(p.ctx, words[0], words[1])
		return p.did(c, err, "nobody comes in by that invite any more")
	}},
	{"join", 0, 1, "tenon room join TICKET", func(p *program, c *call, t *talk, words []string) error { return p.joinRoom(c, t, words) }},
	{"leave", 1, 1, "tenon room leave plans", func(p *program, c *call, t *talk, words []string) error {
		err := t.LeaveRoom(p.ctx, words[0], c.peer.room.anyway)
		return p.did(c, err, "you have left %s; what was said can still be read", words[0])
	}},
	{"forget", 1, 1, "tenon room forget plans", func(p *program, c *call, t *talk, words []string) error {
		err := t.ForgetRoom(p.ctx, words[0], c.peer.room.anyway)
		return p.did(c, err, "you have left %s, and what was said is forgotten", words[0])
	}},
	{"members", 1, 1, "tenon room members plans", roomMembers},
	{"remove", 2, 2, "tenon room remove plans mallory", func(p *program, c *call, t *talk, words []string) error {
		err := t.RemoveFromRoom(p.ctx, words[0], words[1])
		return p.did(c, err, "%s is removed, and reads nothing that is said from now on", words[1])
	}},
	{"role", 3, 3, "tenon room role plans bob owner", func(p *program, c *call, t *talk, words []string) error {
		err := t.SetRoomRole(p.ctx, words[0], words[1], words[2])
		return p.did(c, err, "%s is now: %s", words[1], words[2])
	}},
	{"name", 2, 2, "tenon room name plans ideas", func(p *program, c *call, t *talk, words []string) error {
		return p.changeRoom(c, t, words[0], api.RoomChange{Name: &words[1]}, "it is called "+words[1]+" now")
	}},
	{"topic", 1, -1, "tenon room topic plans 'what to do on Sunday'", func(p *program, c *call, t *talk, words []string) error {
		topic := strings.Join(words[1:], " ")
		if len(words) == 1 {
			return p.showTopic(c, t, words[0])
		}
		return p.changeRoom(c, t, words[0], api.RoomChange{Topic: &topic}, "everybody in it sees the new topic")
	}},
	{"offers", 0, 0, "tenon room offers", roomOffers},
	{"decline", 1, 1, "tenon room decline plans", roomDo("the offer of %s is forgotten", (*api.Client).DeclineRoom)},
	{"mute", 1, 1, "tenon room mute plans", func(p *program, c *call, t *talk, words []string) error {
		return p.changeRoom(c, t, words[0], api.RoomChange{Muted: new(true)}, "only what names you is told of")
	}},
	{"unmute", 1, 1, "tenon room unmute plans", func(p *program, c *call, t *talk, words []string) error {
		return p.changeRoom(c, t, words[0], api.RoomChange{Muted: new(false)}, "everything that is said is told of")
	}},
	{"vanish", 2, 2, "tenon room vanish plans 7d", roomVanish},
	{"mailbox", 1, 5, "tenon room mailbox plans TICKET", roomMailbox},
	{"search", 2, -1, "tenon room search plans 'the bill' mark*", roomSearch},
	{"files", 1, 1, "tenon room files plans", roomFiles},
	{"get", 1, -1, "tenon room get plans", roomGet},
	{"export", 1, 2, "tenon room export plans plans.room", roomExport},
	{"import", 1, 1, "tenon room import plans.room", roomImport},
}

// did tells that something was done, if it was.
func (p *program) did(c *call, err error, format string, args ...any) error {
	if err == nil {
		p.tell(c, format, args...)
	}
	return err
}

// roomDo makes an act of a verb that has a name and no answer.
func roomDo(told string, do func(*api.Client, context.Context, string) error) func(*program, *call, *talk, []string) error {
	return func(p *program, c *call, t *talk, words []string) error {
		return p.did(c, do(t.Client, p.ctx, words[0]), told, words[0])
	}
}

func (p *program) changeRoom(c *call, t *talk, name string, x api.RoomChange, told string) error {
	r, err := t.ChangeRoom(p.ctx, name, x)
	if err == nil && p.json {
		return p.stdout.json(r)
	}
	return p.did(c, err, "%s", told)
}

func (p *program) showTopic(_ *call, t *talk, name string) error {
	r, err := t.Room(p.ctx, name)
	switch {
	case err != nil:
		return err
	case p.json:
		return p.stdout.json(r)
	case r.Topic != "":
		p.stdout.line(r.Topic)
	}
	return nil
}

func (p *program) listRooms(t *talk) error {
	rooms, err := t.Rooms(p.ctx)
	if err != nil {
		return err
	}
	err = list(p, rooms, "there are no rooms: tenon room new NAME makes one, tenon say PEER TEXT begins a conversation",
		[]string{"ROOM", "ID", "UNREAD", "MEMBERS", "STATE", "LAST"}, roomCells)
	if err != nil || p.json {
		return err
	}
	offers, err := t.RoomOffers(p.ctx)
	if err == nil && len(offers) > 0 {
		p.stderr.linef("tenon: %s offered: tenon room offers", count(len(offers), "more room"))
	}
	return err
}

func roomCells(r api.Room) []string {
	name, unread := r.Name, ""
	if r.Unread > 0 {
		unread = fmt.Sprint(r.Unread)
	}
	if r.Mentions > 0 {
		unread += fmt.Sprintf(" (%d for you)", r.Mentions)
	}
	members := fmt.Sprint(r.Members)
	if r.Online > 0 {
		members += fmt.Sprintf(", %d here", r.Online)
	}
	state := r.State
	if r.State == api.RoomInside {
		state = r.Role
	}
	if r.Muted {
		state += ", muted"
	}
	last := ""
	if r.Last != nil {
		last = ago(r.Last.Time) + " ago, " + shortened(roomLine(*r.Last), 60)
	}
	return []string{name, shortID(r.ID), unread, members, state, last}
}

// shortID is as much of the ID of a room or a message as people need.
func shortID(id string) string { return id[:min(len(id), 12)] }

// shortened returns the beginning of a text, on one line.
func shortened(text string, most int) string {
	line, _, more := strings.Cut(text, "\n")
	if runes := []rune(line); len(runes) > most {
		return neutral.Cut(line, len(string(runes[:most-1]))) + "…"
	}
	if more {
		return line + " …"
	}
	return line
}

func roomNew(p *program, c *call, t *talk, words []string) error {
	f := &c.peer.room
	r, err := t.CreateRoom(p.ctx, api.NewRoom{Name: words[0], Topic: f.topic, History: f.history})
	switch {
	case err != nil:
		return err
	case p.json:
		return p.stdout.json(r)
	}
	p.tell(c, "tenon room invite %s makes a ticket for others", shellWord(r.Name))
	return nil
}

func roomInvite(p *program, c *call, t *talk, words []string) error {
	f := &c.peer.room
	in := api.RoomInvite{Role: f.role, Uses: f.uses, Expires: api.Duration(max(cmp.Or(f.expires, inviteLife), 0))}
	if len(words) == 2 {
		for _, flag := range []string{"uses", "expires", "qr"} {
			if d := c.set.Lookup(flag); d != nil && d.Given() {
				return usageError("--"+flag+" is for a ticket, and a peer that is named needs none", "tenon room invite ROOM makes one")
			}
		}
		in.Peer, in.Expires = words[1], 0
	}
	made, err := t.InviteToRoom(p.ctx, words[0], in)
	switch {
	case err != nil:
		return err
	case p.json:
		return p.stdout.json(made)
	case made.Member != "":
		p.tell(c, "%s is a member now, and is told as soon as it can be reached", made.Member)
		return nil
	}
	p.stdout.line(made.Ticket)
	if err := p.showQR(c, made.Ticket); err != nil {
		return err
	}
	if p.stdout.terminal() {
		p.tell(c, "on the other computer: tenon room join, which asks for the ticket")
		p.tell(c, "whoever has it can come in, so give it to nobody else")
	}
	return nil
}

// joinTime is how long tenon room join waits until somebody lets the user in.
const joinTime = 15 * time.Second

func (p *program) joinRoom(c *call, t *talk, words []string) error {
	text, err := p.secretWord(c, words, "the ticket: ")
	if err != nil {
		return err
	}
	if text == "" {
		return usageError("a ticket is needed, or a room that was offered", "who is in the room makes one with: tenon room invite ROOM")
	}
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	var r api.Room
	if ticket.Is(text) {
		r, err = t.JoinRoom(ctx, text)
	} else {
		r, err = t.AcceptRoom(ctx, text)
	}
	if err != nil {
		return err
	}
	if r.State == api.RoomJoining {
		if r, err = p.awaitInside(ctx, t, r); err != nil {
			return err
		}
	}
	switch {
	case p.json:
		return p.stdout.json(r)
	case r.State == api.RoomJoining:
		p.tell(c, "%s: nobody has let you in yet; the node goes on trying", r.Name)
	default:
		p.tell(c, "you are in %s: tenon tail -f %s", r.Name, shellWord(r.Name))
	}
	return nil
}

// awaitInside waits for a while until somebody has let the user in.
func (p *program) awaitInside(ctx context.Context, t *talk, r api.Room) (api.Room, error) {
	late, cancel := context.WithTimeout(ctx, joinTime)
	defer cancel()
	for _, err := range t.RoomEvents(late, 0) {
		if err == nil {
			var is api.Room
			if is, err = t.Room(late, r.ID); err == nil {
				r = is
			}
		}
		switch {
		case r.State != api.RoomJoining:
			return r, nil
		case ctx.Err() != nil:
			return r, context.Cause(ctx)
		case late.Err() != nil:
			return r, nil
		case err != nil && !errors.Is(err, api.ErrNotFound):
			return r, err
		}
	}
	return r, p.stopped(ctx.Err())
}

func roomMembers(p *program, _ *call, t *talk, words []string) error {
	members, err := t.RoomMembers(p.ctx, words[0])
	if err != nil {
		return err
	}
	return list(p, members, "nobody is in it", []string{"NAME", "ROLE", "STATE", "DEVICES", "ID"}, func(m api.RoomMember) []string {
		var state []string
		for _, x := range []struct {
			is   bool
			what string
		}{{m.Me, "you"}, {m.Online && !m.Me, "here"}, {m.Blocked, "blocked"}, {m.Forked, "shows different things to different people"}} {
			if x.is {
				state = append(state, x.what)
			}
		}
		return []string{m.Name, m.Role, strings.Join(state, ", "), fmt.Sprint(len(m.Devices)), m.ID}
	})
}

func roomInvites(p *program, _ *call, t *talk, words []string) error {
	invites, err := t.RoomInvites(p.ctx, words[0])
	if err != nil {
		return err
	}
	return list(p, invites, "nobody can come in by an invite", []string{"INVITE", "ROLE", "USED", "ENDS", "BY"}, func(i api.RoomInvited) []string {
		used, ends := fmt.Sprint(i.Used), "never"
		if i.Uses > 0 {
			used += fmt.Sprintf(" of %d", i.Uses)
		}
		if i.Expires != nil {
			ends = i.Expires.Local().Format("2006-01-02 15:04")
		}
		return []string{shortID(i.ID), i.Role, used, ends, i.By}
	})
}

func roomOffers(p *program, _ *call, t *talk, _ []string) error {
	offers, err := t.RoomOffers(p.ctx)
	if err != nil {
		return err
	}
	return list(p, offers, "no rooms are offered", []string{"ROOM", "ID", "FROM"}, func(o api.RoomOffer) []string {
		return []string{cmp.Or(o.Name, "a conversation"), shortID(o.ID), o.From}
	})
}

func roomVanish(p *program, c *call, t *talk, words []string) error {
	var after time.Duration
	if words[1] != "0" && words[1] != "never" {
		d, err := opt.ParseDuration(words[1])
		if err != nil || d <= 0 {
			return usageError(fmt.Sprintf("messages are kept for a time, such as 7d, or with 0 for good, not for %q", words[1]), "tenon room vanish plans 7d")
		}
		after = d
	}
	told := "what is written from now on is kept"
	if after > 0 {
		told = "what is written from now on disappears after " + words[1] + ", with those who do as they are asked"
	}
	return p.changeRoom(c, t, words[0], api.RoomChange{Vanish: new(api.Duration(after))}, told)
}

// roomMailbox names the mailboxes of a room, or shows them.
func roomMailbox(p *program, c *call, t *talk, words []string) error {
	switch names := words[1:]; {
	case c.peer.room.off && len(names) > 0:
		return usageError("--off goes with no mailbox", "tenon room mailbox "+words[0]+" --off")
	case c.peer.room.off:
		return p.changeRoom(c, t, words[0], api.RoomChange{Mailboxes: &[]string{}}, "nobody keeps what is said for those who are away")
	case len(names) > 0:
		return p.changeRoom(c, t, words[0], api.RoomChange{Mailboxes: &names}, "what is said is kept there from now on, sealed, for those who are away")
	}
	r, err := t.Room(p.ctx, words[0])
	if err != nil {
		return err
	}
	return list(p, r.Mailboxes, "the room has no mailbox: tenon room mailbox "+words[0]+" TICKET names one; tenon relay --mailbox runs one",
		[]string{"MAILBOX", "STATE"}, func(m api.RoomMailbox) []string { return []string{cmp.Or(m.Name, m.Peer), mailboxState(m)} })
}

func mailboxState(m api.RoomMailbox) string {
	var all []string
	switch {
	case m.Error != "":
		all = append(all, m.Error)
	case m.Synced.IsZero():
		all = append(all, "not reached yet")
	default:
		all = append(all, "has all that was said, as of "+m.Synced.Local().Format(time.TimeOnly))
	}
	if m.Missing > 0 {
		all = append(all, fmt.Sprintf("%d events wait for others that it does not give", m.Missing))
	}
	return strings.Join(all, "; ")
}

func roomSearch(p *program, c *call, t *talk, words []string) error {
	q := api.RoomQuery{Search: strings.Join(words[1:], " "), From: c.peer.room.from, Limit: 100}
	page, err := t.RoomMessages(p.ctx, words[0], q)
	if err != nil {
		return err
	}
	shown := p.newTailer(c, t)
	shown.ids, shown.called = true, words[0]
	for _, m := range page.Messages {
		if err := shown.print(m); err != nil {
			return err
		}
	}
	switch {
	case p.json:
	case len(page.Messages) == 0:
		p.stderr.line("tenon: nothing is found: a word that ends in * stands for all that begin so")
	case page.Older != "":
		p.stderr.linef("tenon: these are the last %d; more words find fewer", len(page.Messages))
	}
	return nil
}

// secretWord returns the word of a secret, which can be - or @FILE or env:NAME, and is asked for if there is none.
func (p *program) secretWord(c *call, words []string, question string) (text string, err error) {
	if len(words) == 1 && words[0] != "-" {
		text, err = opt.ReadSecret(words[0])
		if err != nil {
			return "", usageError(err.Error(), "tenon room join - reads the ticket")
		}
		return strings.TrimSpace(text), nil
	}
	return p.askFor(c, question)
}

// roomWords are what tenon room does, with what follows.
var roomWords = []struct{ word, syntax string }{
	{"new", "NAME [--topic TEXT] [--history]"},
	{"invite", "ROOM [PEER] [--role ROLE] [--uses N] [--expires TIME] [--qr]"},
	{"invites", "ROOM"},
	{"revoke", "ROOM INVITE"},
	{"join", "[TICKET|OFFER]"},
	{"leave", "ROOM [--anyway]"},
	{"forget", "ROOM [--anyway]"},
	{"members", "ROOM"},
	{"remove", "ROOM WHO"},
	{"role", "ROOM WHO owner|member|reader"},
	{"name", "ROOM NAME"},
	{"topic", "ROOM [TEXT]"},
	{"offers", ""},
	{"decline", "OFFER"},
	{"mute", "ROOM"},
	{"unmute", "ROOM"},
	{"vanish", "ROOM TIME|0"},
	{"mailbox", "ROOM [PEER|TICKET... | --off]"},
	{"search", "ROOM WORD..."},
	{"files", "ROOM"},
	{"get", "ROOM [ID...] [--to DIRECTORY]"},
	{"export", "ROOM [FILE]"},
	{"import", "FILE"},
}
