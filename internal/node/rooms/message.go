package rooms

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tenon-net/tenon/internal/chat"
	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/node/api"
)

// Text returns what somebody has written without what could do harm: its lines, and tabs, stay.
func text(s string) string {
	lines := strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
	for i, l := range lines {
		lines[i] = neutral.Prose(l)
	}
	return strings.Join(lines, "\n")
}

// A teller tells of messages of a room.
type teller struct {
	r     *Rooms
	room  *chat.Room
	info  chat.Info
	names *names
}

func (r *Rooms) teller(room *chat.Room) *teller {
	t := &teller{r: r, room: room, info: room.Info()}
	t.names = r.names(&t.info)
	return t
}

// tell tells of entries.
func (t *teller) tell(ctx context.Context, entries []chat.Entry) ([]api.RoomMessage, error) {
	all := make([]api.RoomMessage, 0, len(entries))
	var own []event.Key
	for i := range entries {
		m, err := t.message(ctx, &entries[i])
		if err != nil {
			return nil, err
		}
		if m.Mine && m.Kind != "control" && !m.Deleted {
			own = append(own, entries[i].Key)
		}
		all = append(all, m)
	}
	if len(own) == 0 {
		return all, nil
	}
	deliveries, err := t.room.Deliveries(ctx, own...)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if m := &all[i]; m.Mine && m.Kind != "control" && !m.Deleted {
			m.Delivery = t.delivery(deliveries[0])
			deliveries = deliveries[1:]
		}
	}
	return all, nil
}

func (t *teller) one(ctx context.Context, x chat.Entry) (api.RoomMessage, error) {
	all, err := t.tell(ctx, []chat.Entry{x})
	if err != nil {
		return api.RoomMessage{}, err
	}
	return all[0], nil
}

func (t *teller) message(ctx context.Context, x *chat.Entry) (api.RoomMessage, error) {
	m := api.RoomMessage{ID: x.ID.String(), Room: t.info.ID.String(), Time: event.Time(x.Time), Kind: "text", From: t.names.call(x.Author),
		FromID: personID(x.Author), Mine: x.Author == t.r.me(), Late: x.Late, Waiting: x.Waiting, Erased: x.Erased}
	if x.Kind.Control() {
		m.Kind = "control"
		return m, t.control(ctx, x, &m)
	}
	if x.Kind == event.KindFile {
		m.Kind = "file"
	}
	m.Deleted, m.Pinned, m.Reactions = x.Message.Deleted, x.Message.Pinned, t.reactions(x.Message.Reactions)
	if m.Deleted || m.Waiting || m.Erased {
		return m, nil
	}
	m.Text = text(x.Message.Text)
	if x.Message.Edited != (event.Key{}) {
		m.Edited = event.Time(x.Message.Edited.Time)
	}
	if f, ok := x.Message.Body.(*event.File); ok {
		m.File = &api.RoomFile{Name: neutral.Line(f.Name), Size: sizeOf(f), Media: neutral.Line(f.Media), Ticket: neutral.Line(f.Ticket), Here: t.r.sharesHere(f)}
	}
	for _, who := range x.Message.Mentions {
		m.Mentions = append(m.Mentions, t.names.call(who))
		m.MentionMe = m.MentionMe || who == t.r.me()
	}
	if !x.Reply.IsZero() {
		m.Reply = t.quote(ctx, x.Reply)
	}
	return m, nil
}

// maxQuote is how many characters of what is answered are shown.
const maxQuote = 200

func (t *teller) quote(ctx context.Context, id event.ID) *api.RoomQuote {
	q := &api.RoomQuote{ID: id.String()}
	x, err := t.room.Get(ctx, id)
	if err != nil {
		return q
	}
	q.From = t.names.call(x.Author)
	if !x.Message.Deleted && !x.Waiting && !x.Erased {
		line, _, _ := strings.Cut(strings.TrimSpace(x.Message.Text), "\n")
		if utf8.RuneCountInString(line) > maxQuote {
			line = neutral.Cut(line, len(string([]rune(line)[:maxQuote]))) + "…"
		}
		q.Text = neutral.Prose(strings.TrimSpace(line))
	}
	return q
}

func (t *teller) reactions(all map[string][]event.Identity) (told []api.RoomReaction) {
	for _, emoji := range slices.Sorted(maps.Keys(all)) {
		x := api.RoomReaction{Emoji: neutral.Prose(emoji)}
		for _, who := range all[emoji] {
			x.From = append(x.From, t.names.call(who))
			x.Mine = x.Mine || who == t.r.me()
		}
		told = append(told, x)
	}
	return told
}

func (t *teller) delivery(d chat.Delivery) *api.RoomDelivery {
	out := &api.RoomDelivery{State: "sent", Kept: d.Kept, Delivered: d.Delivered, Read: d.Read, Others: others(&t.info) - 1}
	switch {
	case d.Read > 0:
		out.State = "read"
	case d.Delivered > 0:
		out.State = "delivered"
	case d.Queued:
		out.State = "queued"
	}
	return out
}

// others counts the devices in a room, and those who have not come with one yet.
func others(i *chat.Info) (n int) {
	for _, m := range i.Members {
		n += max(len(m.Devices), 1)
	}
	return n
}

// control says what was done to the room.
func (t *teller) control(ctx context.Context, x *chat.Entry, m *api.RoomMessage) error {
	say := func(done string, whom event.Identity, format string, args ...any) error {
		if m.Done = done; whom != (event.Identity{}) {
			m.Whom = t.names.call(whom)
		}
		m.Text = m.From + " " + fmt.Sprintf(format, args...)
		return nil
	}
	switch b := x.Body.(type) {
	case *event.Create:
		return say("create", event.Identity{}, "made the room")
	case *event.Enter:
		if b.Proof == [64]byte{} {
			if via, err := t.room.Get(ctx, b.Via); err == nil && (via.Kind == event.KindEnter || via.Kind == event.KindCreate) {
				return say("device", x.Author, "has come with another device")
			}
		}
		if who, err := t.room.Inviter(ctx, b); err == nil && who != (event.Identity{}) {
			m.Inviter = t.names.call(who)
			return say("join", x.Author, "joined by an invite of %s", m.Inviter)
		}
		return say("join", x.Author, "joined")
	case *event.Add:
		return say("add", b.Member, "added %s", t.names.call(b.Member))
	case *event.Remove:
		if b.Member == x.Author {
			return say("leave", x.Author, "left")
		}
		return say("remove", b.Member, "removed %s", t.names.call(b.Member))
	case *event.SetRole:
		return say("role", b.Member, "made %s %s", t.names.call(b.Member), article(b.Role))
	case *event.RemoveDevice:
		return say("device", event.Identity{}, "removed a device")
	case *event.Meta:
		return t.meta(b, say)
	}
	return say("other", event.Identity{}, "has done something that this version does not know")
}

func (t *teller) meta(b *event.Meta, say func(done string, whom event.Identity, format string, args ...any) error) error {
	switch value := neutral.Line(string(b.Value)); b.Property {
	case event.PropertyName:
		return say("name", event.Identity{}, "named the room %s", value)
	case event.PropertyTopic:
		if value == "" {
			return say("topic", event.Identity{}, "took the topic away")
		}
		return say("topic", event.Identity{}, "set the topic: %s", value)
	case event.PropertyTTL:
		if d := vanishing(b.Value); d > 0 {
			return say("vanish", event.Identity{}, "has messages disappear after %s", api.Duration(d))
		}
		return say("vanish", event.Identity{}, "has messages kept")
	case event.PropertyHistory:
		if bytes.Equal(b.Value, []byte{1}) {
			return say("history", event.Identity{}, "lets who enters read what was said before")
		}
		return say("history", event.Identity{}, "lets nobody who enters read what was said before")
	case event.PropertyMailboxes:
		switch all, err := event.ParseMailboxes(b.Value); {
		case err == nil && len(all) == 1:
			return say("mailbox", event.Identity{}, "has a mailbox keep what is said for those who are away")
		case err == nil && len(all) > 1:
			return say("mailbox", event.Identity{}, "has %d mailboxes keep what is said for those who are away", len(all))
		}
		return say("mailbox", event.Identity{}, "has no mailbox keep what is said")
	}
	return say("other", event.Identity{}, "has changed what the room is")
}

func article(role event.Role) string {
	if role == event.Owner {
		return "an owner"
	}
	return "a " + role.String()
}

func vanishing(value []byte) time.Duration {
	if len(value) != 8 {
		return 0
	}
	var seconds uint64
	for _, b := range value {
		seconds = seconds<<8 | uint64(b)
	}
	return time.Duration(min(seconds, uint64(maxVanish/time.Second))) * time.Second
}

const maxVanish = 100 * 365 * 24 * time.Hour
