package chat

import (
	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/peer"
)

// A NoticeKind says what has happened.
type NoticeKind string

// The kinds of notices.
const (
	NewMessage     NoticeKind = "message"   // Key is of it, which may be the user's own, or something that was done to the room
	MessageChanged NoticeKind = "changed"   // Key.ID is of the message that was edited, deleted, or reacted to, or can be read now
	RoomChanged    NoticeKind = "room"      // members, roles, the name
	MarksChanged   NoticeKind = "marks"     // somebody has got or read more
	ReadChanged    NoticeKind = "read"      // the user has read more
	Offered        NoticeKind = "offered"   // somebody offers a room: [Chat.Offers]
	Typing         NoticeKind = "typing"    // Who is writing
	MailboxChanged NoticeKind = "mailbox"   // one cannot be used any more, or can again: [Room.Mailboxes]
	Connected      NoticeKind = "connected" // or not any more: [Room.Connected]
	DevicesChanged NoticeKind = "devices"   // one was linked or removed, or this one is [Chat.Outdated]; the Room does not matter
)

// A Notice says that something has happened. It is a hint: what is true is in the Room.
type Notice struct {
	Seq  uint64
	Kind NoticeKind
	Room event.ID
	Key  event.Key
	Who  event.Identity
	Peer peer.ID
}

// Notices returns the notices above a number, at most limit, and the number of the last of them; the error is nil
// or that some are lost: see package internal/event.
func (c *Chat) Notices(seq uint64, limit int) ([]Notice, uint64, error) {
	return c.notices.Since(seq, limit)
}

// LastNotice returns the number of the latest one.
func (c *Chat) LastNotice() uint64 { return c.notices.Last() }

// NoticesChanged returns a channel that is closed at the next notice.
func (c *Chat) NoticesChanged() <-chan struct{} { return c.notices.Changed() }

func (c *Chat) tell(n Notice) {
	c.notices.Publish(func(seq uint64) Notice { n.Seq = seq; return n })
}

func (r *Room) tell(kind NoticeKind, k event.Key, who event.Identity) {
	r.chat.tell(Notice{Kind: kind, Room: r.id, Key: k, Who: who})
}
