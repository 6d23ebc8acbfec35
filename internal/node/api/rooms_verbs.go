package api

import (
	"context"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Rooms lists the rooms of the user: those that have something new first, then the others, the latest first.
func (c *Client) Rooms(ctx context.Context) ([]Room, error) { return get[[]Room](ctx, c, "/v1/rooms") }

// Room tells of one room. The name of a peer with whom no conversation is there yet is not found.
func (c *Client) Room(ctx context.Context, room string) (Room, error) {
	return get[Room](ctx, c, roomPath(room))
}

// CreateRoom makes a room, whose owner the user is.
func (c *Client) CreateRoom(ctx context.Context, r NewRoom) (Room, error) {
	return post[Room](ctx, c, "/v1/rooms", r)
}

// DirectRoom returns the conversation with a peer, and begins one if there is none.
func (c *Client) DirectRoom(ctx context.Context, peer string) (Room, error) {
	return post[Room](ctx, c, "/v1/direct", map[string]string{"peer": peer})
}

// JoinRoom enters a room by a ticket. The room is there at once, and joining until somebody lets us in.
func (c *Client) JoinRoom(ctx context.Context, ticket string) (Room, error) {
	return post[Room](ctx, c, "/v1/join", map[string]string{"ticket": ticket})
}

// ChangeRoom changes what a room is, and what it is to the user.
func (c *Client) ChangeRoom(ctx context.Context, room string, r RoomChange) (Room, error) {
	return post[Room](ctx, c, roomPath(room), r)
}

// LeaveRoom ends the user's own membership. What was said can still be read. The only owner leaves others to themselves only
// anyway; otherwise the error matches ErrConflict.
func (c *Client) LeaveRoom(ctx context.Context, room string, anyway bool) error {
	return c.call(ctx, http.MethodPost, roomPath(room, "leave")+"?anyway="+strconv.FormatBool(anyway), nil, nil)
}

// ForgetRoom leaves a room, as LeaveRoom does, and forgets all that was said in it.
func (c *Client) ForgetRoom(ctx context.Context, room string, anyway bool) error {
	return c.call(ctx, http.MethodDelete, roomPath(room)+"?anyway="+strconv.FormatBool(anyway), nil, nil)
}

// RoomMembers lists who is in a room, the most senior first.
func (c *Client) RoomMembers(ctx context.Context, room string) ([]RoomMember, error) {
	return get[[]RoomMember](ctx, c, roomPath(room, "members"))
}

// InviteToRoom makes an invite, or a peer a member.
func (c *Client) InviteToRoom(ctx context.Context, room string, r RoomInvite) (RoomInvited, error) {
	return post[RoomInvited](ctx, c, roomPath(room, "invites"), r)
}

// RoomInvites lists the invites by which somebody could enter now: their IDs.
func (c *Client) RoomInvites(ctx context.Context, room string) ([]RoomInvited, error) {
	return get[[]RoomInvited](ctx, c, roomPath(room, "invites"))
}

// RevokeRoomInvite ends an invite, named by its ID or the beginning of that.
func (c *Client) RevokeRoomInvite(ctx context.Context, room, invite string) error {
	return c.call(ctx, http.MethodDelete, roomPath(room, "invites", invite), nil, nil)
}

// SetRoomRole changes the role of a member, who is named by a name or an ID.
func (c *Client) SetRoomRole(ctx context.Context, room, who, role string) error {
	return c.call(ctx, http.MethodPost, roomPath(room, "members", who), map[string]string{"role": role}, nil)
}

// RemoveFromRoom removes a member: he reads nothing that is said from now on.
func (c *Client) RemoveFromRoom(ctx context.Context, room, who string) error {
	return c.call(ctx, http.MethodDelete, roomPath(room, "members", who), nil, nil)
}

// RoomOffers lists the rooms that were offered, and neither accepted nor declined.
func (c *Client) RoomOffers(ctx context.Context) ([]RoomOffer, error) {
	return get[[]RoomOffer](ctx, c, "/v1/offers")
}

// AcceptRoom joins a room that was offered, named by its name, or its ID or the beginning of that.
func (c *Client) AcceptRoom(ctx context.Context, offer string) (Room, error) {
	return post[Room](ctx, c, "/v1/offers/"+segment(offer), nil)
}

// DeclineRoom forgets an offer.
func (c *Client) DeclineRoom(ctx context.Context, offer string) error {
	return c.call(ctx, http.MethodDelete, "/v1/offers/"+segment(offer), nil, nil)
}

// RoomMessages returns some of a history.
func (c *Client) RoomMessages(ctx context.Context, room string, q RoomQuery) (RoomPage, error) {
	v := url.Values{}
	for name, value := range map[string]string{"before": q.Before, "after": q.After, "search": q.Search, "from": q.From, "older": q.Older} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if !q.Since.IsZero() {
		v.Set("since", q.Since.Format(time.RFC3339Nano))
	}
	if q.Arrived > 0 {
		v.Set("arrived", strconv.FormatInt(q.Arrived, 10))
	}
	if q.Limit > 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	return get[RoomPage](ctx, c, roomPath(room, "messages")+"?"+v.Encode())
}

// RoomMessage returns a message, named by its ID or, if that is long enough to be the only one, the beginning of that.
func (c *Client) RoomMessage(ctx context.Context, room, message string) (RoomMessage, error) {
	return get[RoomMessage](ctx, c, roomPath(room, "messages", message))
}

// SayInRoom says something. When it returns, the message is kept, and goes to others as they are met.
func (c *Client) SayInRoom(ctx context.Context, room string, r RoomSay) (RoomMessage, error) {
	return post[RoomMessage](ctx, c, roomPath(room, "messages"), r)
}

// DeleteRoomMessage takes a message back; an owner takes anybody's away.
func (c *Client) DeleteRoomMessage(ctx context.Context, room, message string) error {
	return c.call(ctx, http.MethodDelete, roomPath(room, "messages", message), nil, nil)
}

// ReactInRoom adds a reaction to a message, or takes it back.
func (c *Client) ReactInRoom(ctx context.Context, room, message, emoji string, off bool) error {
	return c.call(ctx, http.MethodPost, roomPath(room, "messages", message, "reactions"), map[string]any{"emoji": emoji, "off": off}, nil)
}

// PinInRoom puts a message where all see it, or takes it from there.
func (c *Client) PinInRoom(ctx context.Context, room, message string, off bool) error {
	return c.call(ctx, http.MethodPost, roomPath(room, "messages", message, "pin"), map[string]any{"off": off}, nil)
}

// ReadRoom notes up to which message the user has read; "" = all there are.
func (c *Client) ReadRoom(ctx context.Context, room, message string) error {
	return c.call(ctx, http.MethodPost, roomPath(room, "read"), map[string]string{"message": message}, nil)
}

// TypingInRoom tells those who are connected that the user is writing. It is never kept.
func (c *Client) TypingInRoom(ctx context.Context, room string) error {
	return c.call(ctx, http.MethodPost, roomPath(room, "typing"), nil, nil)
}

// RoomFiles lists the latest 500 files that were said in a room and can still be asked for, in the order of the history. Nobody is
// asked who has them.
func (c *Client) RoomFiles(ctx context.Context, room string) ([]RoomFileSaid, error) {
	return get[[]RoomFileSaid](ctx, c, roomPath(room, "files"))
}

// RoomDrafts returns what the user has written in rooms and not said, of the latest 100 rooms.
func (c *Client) RoomDrafts(ctx context.Context) ([]RoomDraft, error) {
	return get[[]RoomDraft](ctx, c, "/v1/drafts")
}

// KeepRoomDraft keeps what the user has written in a room, in place of what was kept of it before. When it returns,
// that is on the disk.
func (c *Client) KeepRoomDraft(ctx context.Context, room string, d RoomDraft) error {
	return c.call(ctx, http.MethodPost, roomPath(room, "draft"), d, nil)
}

// RoomEvents yields what happens in all rooms, after the event with the number after, as far as that is kept; 0 =
// from now on. The first is [RoomsReady]: from its Seq on none is missed. [RoomsLost] stands for those that are
// not kept any more. They are hints: what is true, the other calls tell.
func (c *Client) RoomEvents(ctx context.Context, after uint64) iter.Seq2[RoomEvent, error] {
	return stream[RoomEvent](ctx, c, http.MethodGet, "/v1/room-events?after="+strconv.FormatUint(after, 10), nil)
}

// ExportRoom writes all that there is of a room. Whoever has it can read what the user can. An error says that not all
// of it was written.
func (c *Client) ExportRoom(ctx context.Context, room string, to io.Writer) error {
	return c.copyTo(ctx, http.MethodGet, roomPath(room, "export"), nil, to)
}

// ImportRoom adds what is in a file, absolute, that ExportRoom has written, or that was sealed by package agefile with a password. A room that was not there can be read then;
// if the user is a member of it, it goes on.
func (c *Client) ImportRoom(ctx context.Context, path, password string) (RoomImported, error) {
	return post[RoomImported](ctx, c, "/v1/room-import", map[string]string{"path": path, "password": password})
}

func roomPath(room string, more ...string) string {
	p := "/v1/rooms/" + segment(room)
	for _, m := range more {
		p += "/" + segment(m)
	}
	return p
}
