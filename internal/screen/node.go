package screen

import (
	"context"
	"iter"

	"github.com/tenon-net/tenon/internal/node/api"
)

// A Node is what the screen asks and tells. Its methods may be called at the same time; what they promise stands
// at those of [api.Client].
type Node interface {
	Reader
	Talker
	Keeper
	Fetcher
}

// A Reader tells what there is.
type Reader interface {
	Rooms(ctx context.Context) ([]api.Room, error)
	Room(ctx context.Context, room string) (api.Room, error)
	RoomMembers(ctx context.Context, room string) ([]api.RoomMember, error)
	RoomMessages(ctx context.Context, room string, q api.RoomQuery) (api.RoomPage, error)
	RoomMessage(ctx context.Context, room, message string) (api.RoomMessage, error)
	RoomOffers(ctx context.Context) ([]api.RoomOffer, error)
	RoomEvents(ctx context.Context, after uint64) iter.Seq2[api.RoomEvent, error]
	Peers(ctx context.Context) ([]api.Peer, error)
}

// A Talker says things.
type Talker interface {
	RoomDrafts(ctx context.Context) ([]api.RoomDraft, error)
	KeepRoomDraft(ctx context.Context, room string, d api.RoomDraft) error
	SayInRoom(ctx context.Context, room string, r api.RoomSay) (api.RoomMessage, error)
	DeleteRoomMessage(ctx context.Context, room, message string) error
	ReactInRoom(ctx context.Context, room, message, emoji string, off bool) error
	PinInRoom(ctx context.Context, room, message string, off bool) error
	ReadRoom(ctx context.Context, room, message string) error
	TypingInRoom(ctx context.Context, room string) error
}

// A Fetcher fetches what others have shared.
type Fetcher interface {
	RoomFiles(ctx context.Context, room string) ([]api.RoomFileSaid, error)
	Fetch(ctx context.Context, r api.FetchRequest) iter.Seq2[api.FetchEvent, error]
}

// A Keeper changes rooms, and who is in them.
type Keeper interface {
	CreateRoom(ctx context.Context, r api.NewRoom) (api.Room, error)
	DirectRoom(ctx context.Context, peer string) (api.Room, error)
	JoinRoom(ctx context.Context, ticket string) (api.Room, error)
	AcceptRoom(ctx context.Context, offer string) (api.Room, error)
	DeclineRoom(ctx context.Context, offer string) error
	ChangeRoom(ctx context.Context, room string, r api.RoomChange) (api.Room, error)
	LeaveRoom(ctx context.Context, room string, anyway bool) error
	ForgetRoom(ctx context.Context, room string, anyway bool) error
	InviteToRoom(ctx context.Context, room string, r api.RoomInvite) (api.RoomInvited, error)
	SetRoomRole(ctx context.Context, room, who, role string) error
	RemoveFromRoom(ctx context.Context, room, who string) error
	Block(ctx context.Context, peer string) error
	Unblock(ctx context.Context, peer string) error
}

var _ Node = (*api.Client)(nil)
