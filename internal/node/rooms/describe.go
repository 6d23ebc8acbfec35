package rooms

import (
	"cmp"
	"context"
	"slices"

	"github.com/tenon-net/tenon/internal/chat"
	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
)

// List tells of all rooms: those that have something new first, then the others, the latest first.
func (r *Rooms) List(ctx context.Context) ([]api.Room, error) {
	c, err := r.now()
	if err != nil {
		return nil, err
	}
	all := []api.Room{}
	for _, room := range c.Rooms() {
		if r.setting(room.ID()).forget {
			continue
		}
		x, err := r.describe(ctx, room)
		if err != nil {
			return nil, explain(err)
		}
		all = append(all, x)
	}
	slices.SortStableFunc(all, func(a, b api.Room) int {
		return cmp.Or(-cmp.Compare(min(a.Unread, 1), min(b.Unread, 1)), -lastOf(a).Time.Compare(lastOf(b).Time))
	})
	return all, nil
}

func lastOf(r api.Room) api.RoomMessage {
	if r.Last == nil {
		return api.RoomMessage{}
	}
	return *r.Last
}

// Room tells of one.
func (r *Rooms) Room(ctx context.Context, text string) (api.Room, error) {
	_, room, err := r.find(text)
	if err != nil {
		return api.Room{}, err
	}
	return r.describeWhole(ctx, room)
}

// describeWhole tells all of a room, also what takes longer to find out.
func (r *Rooms) describeWhole(ctx context.Context, room *chat.Room) (api.Room, error) {
	x, err := r.describe(ctx, room)
	if err != nil {
		return x, explain(err)
	}
	x.Mailboxes = r.mailboxes(room)
	pinned, err := room.Pinned(ctx)
	if err == nil {
		x.Pinned, err = r.teller(room).tell(ctx, pinned)
	}
	return x, explain(err)
}

func (r *Rooms) describe(ctx context.Context, room *chat.Room) (api.Room, error) {
	t := r.teller(room)
	i := &t.info
	s := r.setting(i.ID)
	x := api.Room{ID: i.ID.String(), Name: r.roomName(i), Topic: text(i.Topic), State: state(i), Direct: i.Direct || i.Name == "" && s.other != (event.Identity{}),
		History: i.History, Role: role(i.Role), Members: len(i.Members), Receipts: i.Receipts, Muted: s.muted, Vanish: api.Duration(i.Vanish)}
	online := r.online(room)
	for _, m := range i.Members {
		if m.Identity != r.me() && online[m.Identity] {
			x.Online++
		}
	}
	last, err := room.Before(ctx, event.Key{}, 1)
	if err != nil {
		return x, err
	}
	if len(last) > 0 {
		m, err := t.one(ctx, last[0])
		if err != nil {
			return x, err
		}
		x.Last = &m
	}
	read, unread, err := room.Unread(ctx)
	if err != nil {
		return x, err
	}
	if x.Unread = unread; !read.ID.IsZero() {
		x.Read = read.ID.String()
	}
	if unread > 0 && len(last) > 0 {
		x.Mentions, err = r.countMentions(ctx, room, mentioned{read: read, last: last[0].Key, unread: unread})
	}
	return x, err
}

// mentioned is how many messages that are not read name the user, as of a state of the room.
type mentioned struct {
	read, last event.Key
	unread     int
	n          int
}

// maxMentioned is how many messages are looked at for mentions.
const maxMentioned = 500

func (r *Rooms) countMentions(ctx context.Context, room *chat.Room, is mentioned) (int, error) {
	r.mu.Lock()
	was := r.mentions[room.ID()]
	r.mu.Unlock()
	if is.n = was.n; is == was {
		return is.n, nil
	}
	is.n = 0
	entries, err := room.After(ctx, is.read, min(is.unread*2+50, maxMentioned))
	if err != nil {
		return 0, err
	}
	for i := range entries {
		if x := &entries[i]; x.Author != r.me() && slices.Contains(x.Message.Mentions, r.me()) {
			is.n++
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mentions[room.ID()] = is
	return is.n, nil
}

func state(i *chat.Info) string {
	if i.State == chat.Inside && i.Role == event.Nobody {
		return api.RoomLeft // somebody has removed the user
	}
	return i.State.String()
}

func role(x event.Role) string {
	if x == event.Nobody {
		return ""
	}
	return x.String()
}

// connected returns the devices with which a room is connected, by their latest keys, and whose they are.
func (r *Rooms) connected(room *chat.Room) map[peer.ID]event.Identity {
	all := map[peer.ID]event.Identity{}
	connected := map[peer.ID]bool{}
	for _, p := range room.Connected() {
		connected[p.ID] = true
	}
	for _, m := range room.Info().Members {
		for _, d := range m.Devices {
			if id, err := peer.NewID(d[:]); err == nil && connected[id] {
				all[r.heir(id)] = m.Identity
			}
		}
	}
	return all
}

// online returns whose devices those are.
func (r *Rooms) online(room *chat.Room) map[event.Identity]bool {
	all := map[event.Identity]bool{}
	for _, who := range r.connected(room) {
		all[who] = true
	}
	return all
}

// Members lists who is in a room, the most senior first.
func (r *Rooms) Members(ctx context.Context, text string) ([]api.RoomMember, error) {
	_, room, err := r.find(text)
	if err != nil {
		return nil, err
	}
	i := room.Info()
	names, online := r.names(&i), r.online(room)
	marks, err := room.Marks(ctx)
	if err != nil {
		return nil, explain(err)
	}
	read := map[event.Device]event.Key{}
	for _, m := range marks {
		read[m.Device] = m.Read
	}
	all := make([]api.RoomMember, 0, len(i.Members))
	for _, m := range i.Members {
		x := api.RoomMember{ID: personID(m.Identity), Name: names.call(m.Identity), Role: role(m.Role), Me: m.Identity == r.me(), Online: online[m.Identity] || m.Identity == r.me(),
			Forked: m.Forked, Blocked: r.blocked(m.Identity), Devices: []string{}}
		var most event.Key
		for _, d := range m.Devices {
			if id, err := peer.NewID(d[:]); err == nil {
				x.Devices = append(x.Devices, id.String())
			}
			if most.Less(read[d]) {
				most = read[d]
			}
		}
		if !most.ID.IsZero() {
			x.Read = most.ID.String()
		}
		all = append(all, x)
	}
	return all, nil
}

// Offers lists the rooms that were offered.
func (r *Rooms) Offers() ([]api.RoomOffer, error) {
	c, err := r.now()
	if err != nil {
		return nil, err
	}
	all := []api.RoomOffer{}
	for _, o := range c.Offers() {
		all = append(all, r.offer(o))
	}
	return all, nil
}

func (r *Rooms) offer(o chat.Offer) api.RoomOffer {
	x := api.RoomOffer{ID: o.Room.String(), Name: neutral.Line(o.Name), From: r.names(nil).call(o.Inviter)}
	if len(o.At) > 0 {
		x.Peer = o.At[0].String()
	}
	return x
}
