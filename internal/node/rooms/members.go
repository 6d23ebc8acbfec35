package rooms

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tenon-net/tenon/internal/chat"
	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/transport"
)

var roles = map[string]event.Role{"owner": event.Owner, "member": event.Member, "reader": event.Reader}

func parseRole(text string) (event.Role, error) {
	if role, ok := roles[text]; ok {
		return role, nil
	}
	return 0, transport.Usage(fmt.Errorf("a role is owner, member or reader, not %q", text))
}

// Invite makes an invite, or a peer a member.
func (r *Rooms) Invite(ctx context.Context, name string, in api.RoomInvite) (out api.RoomInvited, err error) {
	c, room, err := r.find(name)
	if err != nil {
		return out, err
	}
	if in.Role == "" {
		in.Role = "member"
	}
	role, err := parseRole(in.Role)
	switch {
	case err != nil:
		return out, err
	case in.Uses < 0 || in.Expires < 0:
		return out, transport.Usage(errors.New("an invite is good for somebody, and for a while"))
	case room.Info().Direct:
		return out, transport.WithHint(transport.Mark(errors.New("it is a conversation of two"), api.ErrConflict), "tenon room new NAME makes a room for more")
	}
	if in.Peer != "" {
		if in.Uses > 0 || in.Expires > 0 {
			return out, transport.Usage(errors.New("who is made a member needs no ticket, which has uses or an end"))
		}
		return r.add(ctx, c, room, in.Peer, role)
	}
	terms := chat.Terms{Role: role, Uses: in.Uses}
	if in.Expires > 0 {
		terms.NotAfter = time.Now().Add(time.Duration(in.Expires) + time.Second - 1).Truncate(time.Second)
	}
	i, err := room.Invite(ctx, terms)
	if err != nil {
		return out, explain(err)
	}
	if i.Addresses, i.Via, err = r.Host.Ticket(); err != nil {
		return out, err
	}
	out.ID = i.Event.String()
	out.Ticket, err = i.Encode()
	return out, err
}

// add makes a peer a member.
func (r *Rooms) add(ctx context.Context, c *chat.Chat, room *chat.Room, name string, role event.Role) (out api.RoomInvited, err error) {
	who, at, err := r.who(ctx, c, name)
	if err != nil {
		return out, err
	}
	i := room.Info()
	out.Member = r.names(&i).call(who)
	for _, m := range i.Members {
		if m.Identity == who {
			return out, transport.WithHint(transport.Mark(fmt.Errorf("%s is a member already", out.Member), api.ErrConflict), "tenon room role ROOM WHO ROLE changes the role")
		}
	}
	return out, explain(room.Add(ctx, who, role, at))
}

// Invites lists those by which somebody could enter now.
func (r *Rooms) Invites(ctx context.Context, name string) ([]api.RoomInvited, error) {
	_, room, err := r.find(name)
	if err != nil {
		return nil, err
	}
	invites, err := room.Invites(ctx)
	info := room.Info()
	names, all := r.names(&info), make([]api.RoomInvited, 0, len(invites))
	for _, i := range invites {
		v := api.RoomInvited{ID: i.ID.String(), Role: i.Role.String(), Uses: int(i.Uses), Used: int(i.Used), By: names.call(i.By)}
		if i.Expiry > 0 {
			v.Expires = new(time.UnixMilli(int64(i.Expiry)))
		}
		all = append(all, v)
	}
	return all, explain(err)
}

// Revoke ends an invite.
func (r *Rooms) Revoke(ctx context.Context, name, text string) error {
	_, room, err := r.find(name)
	if err != nil {
		return err
	}
	invites, err := room.Invites(ctx)
	if err != nil {
		return explain(err)
	}
	var found []event.ID
	for _, i := range invites {
		if begins(i.ID.String(), text) {
			found = append(found, i.ID)
		}
	}
	switch len(found) {
	case 1:
		return explain(room.Revoke(ctx, found[0]))
	case 0:
		return transport.Mark(fmt.Errorf("there is no invite %s", strings.TrimSpace(text)), api.ErrNotFound)
	}
	return transport.Usage(fmt.Errorf("%d invites have IDs that begin with %s", len(found), text))
}

// SetRole changes the role of a member.
func (r *Rooms) SetRole(ctx context.Context, name, who, text string) error {
	role, err := parseRole(text)
	if err != nil {
		return err
	}
	_, room, err := r.find(name)
	if err != nil {
		return err
	}
	i := room.Info()
	id, err := r.findMember(&i, who)
	if err != nil {
		return err
	}
	return explain(room.SetRole(ctx, id, role))
}

// Remove removes a member.
func (r *Rooms) Remove(ctx context.Context, name, who string) error {
	_, room, err := r.find(name)
	if err != nil {
		return err
	}
	i := room.Info()
	id, err := r.findMember(&i, who)
	switch {
	case err != nil:
		return err
	case id == r.me():
		return transport.WithHint(transport.Usage(errors.New("that is you")), "tenon room leave ROOM")
	}
	return explain(room.Remove(ctx, id))
}
