package irc

import (
	"context"
	"iter"

	"github.com/tenon-net/tenon/internal/node/api"
)

// A Node is what is asked of the node whose rooms are shown; an [api.Client] is one. Its methods may be called at the
// same time.
type Node interface {
	ID(context.Context) (api.Identity, error)
	Peers(context.Context) ([]api.Peer, error)

	Rooms(context.Context) ([]api.Room, error)
	Room(ctx context.Context, room string) (api.Room, error)
	DirectRoom(ctx context.Context, peer string) (api.Room, error)
	ChangeRoom(ctx context.Context, room string, c api.RoomChange) (api.Room, error)
	RoomMembers(ctx context.Context, room string) ([]api.RoomMember, error)
	InviteToRoom(ctx context.Context, room string, i api.RoomInvite) (api.RoomInvited, error)
	SetRoomRole(ctx context.Context, room, who, role string) error
	RemoveFromRoom(ctx context.Context, room, who string) error
	RoomOffers(context.Context) ([]api.RoomOffer, error)
	AcceptRoom(ctx context.Context, offer string) (api.Room, error)

	RoomMessages(ctx context.Context, room string, q api.RoomQuery) (api.RoomPage, error)
	RoomMessage(ctx context.Context, room, message string) (api.RoomMessage, error)
	SayInRoom(ctx context.Context, room string, s api.RoomSay) (api.RoomMessage, error)
	DeleteRoomMessage(ctx context.Context, room, message string) error
	ReactInRoom(ctx context.Context, room, message, emoji string, off bool) error
	ReadRoom(ctx context.Context, room, message string) error
	TypingInRoom(ctx context.Context, room string) error
	RoomEvents(ctx context.Context, after uint64) iter.Seq2[api.RoomEvent, error]
}

var _ Node = (*api.Client)(nil)
