package api

import (
	"strings"
	"time"
)

// States of a [Room].
const (
	RoomJoining = "joining" // nobody has let us in yet
	RoomInside  = "inside"
	RoomLeaving = "leaving" // nobody has been told yet
	RoomLeft    = "left"    // what was there can still be read
)

// A Room is where people talk. Wherever one is asked for it is named by its name, with or without "#", by its
// ID or the beginning of that, or by the name of a peer with whom one talks in it.
// All texts of it, and of what is in it, are harmless: control characters are shown; those of messages keep
// their line feeds and tabs.
type Room struct {
	ID       string        `json:"id"`
	Name     string        `json:"name"` // of a conversation of two, that of the other one
	Topic    string        `json:"topic,omitempty"`
	State    string        `json:"state"`
	Direct   bool          `json:"direct,omitempty"`  // a conversation of two
	History  bool          `json:"history,omitempty"` // who enters can read what was said before
	Role     string        `json:"role"`              // of the user: "owner", "member", "reader"; "" = not in it
	Members  int           `json:"members"`
	Online   int           `json:"online"` // how many others are connected now
	Unread   int           `json:"unread"`
	Mentions int           `json:"mentions,omitempty"` // how many of the unread ones name the user
	Read     string        `json:"read,omitempty"`     // the last message that was read
	Last     *RoomMessage  `json:"last,omitempty"`     // the last message
	Receipts bool          `json:"receipts"`           // others are told how far the user has read
	Muted    bool          `json:"muted,omitempty"`    // no notifications, but of what names the user
	Vanish   Duration      `json:"vanish,omitempty"`   // how long messages are there; 0 = for good
	Pinned   []RoomMessage `json:"pinned,omitempty"`   // only of one room

	Mailboxes []RoomMailbox `json:"mailboxes,omitempty"` // only of one room
}

// A RoomMailbox is a node that keeps what is said in a room, sealed, for those who are away.
type RoomMailbox struct {
	Peer    string    `json:"peer"`
	Name    string    `json:"name,omitempty"`    // as the user calls it
	Synced  time.Time `json:"synced,omitzero"`   // when it last had all that is here
	Error   string    `json:"error,omitempty"`   // why not now
	Missing int       `json:"missing,omitempty"` // events from it that wait for others, which have not come
}

// NewRoom says what a room is to be.
type NewRoom struct {
	Name     string `json:"name"`
	Topic    string `json:"topic,omitempty"`
	History  bool   `json:"history,omitempty"`  // who enters can read what was said before
	Existing bool   `json:"existing,omitempty"` // one of the name that is there already is no conflict
}

// RoomChange says what is to be different; nil = nothing about that.
type RoomChange struct {
	Name   *string   `json:"name,omitempty"`
	Topic  *string   `json:"topic,omitempty"`
	Vanish *Duration `json:"vanish,omitempty"`

	// Peers, or tickets of tenon relay, that keep what is said for those who are away; none = nobody does.
	Mailboxes *[]string `json:"mailboxes,omitempty"`

	Receipts *bool `json:"receipts,omitempty"` // the user's own, as Muted
	Muted    *bool `json:"muted,omitempty"`
}

// A RoomMember is somebody in a room.
type RoomMember struct {
	ID      string   `json:"id"`   // of the person
	Name    string   `json:"name"` // as the user calls him, or what he suggests, or a short ID
	Role    string   `json:"role"`
	Me      bool     `json:"me,omitempty"`
	Online  bool     `json:"online,omitempty"`
	Forked  bool     `json:"forked,omitempty"` // a device of his shows different things to different people, or was copied
	Blocked bool     `json:"blocked,omitempty"`
	Devices []string `json:"devices"` // peer IDs
	Read    string   `json:"read,omitempty"`
}

// RoomInvite says for whom an invite is good.
type RoomInvite struct {
	Peer    string   `json:"peer,omitempty"` // who is made a member and told, instead of a ticket: a name or an ID
	Role    string   `json:"role,omitempty"` // "" = member
	Uses    int      `json:"uses,omitempty"` // 0 = any number
	Expires Duration `json:"expires,omitempty"`
}

// RoomInvited is what has become of a [RoomInvite].
type RoomInvited struct {
	ID     string `json:"id,omitempty"`     // of the invite, to revoke it
	Ticket string `json:"ticket,omitempty"` // a secret: whoever has it enters
	Member string `json:"member,omitempty"` // the name of who is a member now

	// In a list:
	By      string     `json:"by,omitempty"` // who has made it: a name
	Role    string     `json:"role,omitempty"`
	Uses    int        `json:"uses,omitempty"` // 0 = any number
	Used    int        `json:"used,omitempty"` // how many have come by it
	Expires *time.Time `json:"expires,omitempty"`
}

// A RoomOffer is a room of which somebody has made the user a member.
type RoomOffer struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	From string `json:"from"` // a name, or a short ID
	Peer string `json:"peer"` // a peer ID
}

// A RoomImported is a room that was imported.
type RoomImported struct {
	Room
	Unended bool `json:"unended,omitempty"` // the file does not say where it ends, so it may have been cut: it was made by an earlier version
}

// A RoomMessage is an entry of a history: what somebody has said or done.
type RoomMessage struct {
	ID        string         `json:"id"`
	Room      string         `json:"room"` // its ID
	Time      time.Time      `json:"time"`
	Kind      string         `json:"kind"` // "text", "file", "control"
	From      string         `json:"from"` // a name, or a short ID
	FromID    string         `json:"from_id"`
	Mine      bool           `json:"mine,omitempty"`
	Text      string         `json:"text"`              // of a control entry, what was done, for people: "bob joined"
	Done      string         `json:"done,omitempty"`    // of a control entry, the same for programs: "add", "remove", "join", "leave", "role", "name", "topic", ...
	Whom      string         `json:"whom,omitempty"`    // to whom it was done
	Inviter   string         `json:"inviter,omitempty"` // of "join": by whose invite
	Reply     *RoomQuote     `json:"reply,omitempty"`
	File      *RoomFile      `json:"file,omitempty"`
	Edited    time.Time      `json:"edited,omitzero"`
	Deleted   bool           `json:"deleted,omitempty"` // by its author or an owner
	Pinned    bool           `json:"pinned,omitempty"`
	Late      bool           `json:"late,omitempty"`    // it came when later ones may have been seen
	Waiting   bool           `json:"waiting,omitempty"` // it cannot be read yet, or was said before the user entered
	Erased    bool           `json:"erased,omitempty"`  // what it said is not there any more
	Mentions  []string       `json:"mentions,omitempty"`
	MentionMe bool           `json:"mentions_me,omitempty"`
	Reactions []RoomReaction `json:"reactions,omitempty"`
	Delivery  *RoomDelivery  `json:"delivery,omitempty"` // of the user's own
}

// Action returns what the author of a text does: "/me waves" of alice is to be shown as "* alice waves", as everywhere
// (XEP-0245). What programs ask for, and edit, is the text as it was written.
func Action(text string) (did string, ok bool) {
	did, ok = strings.CutPrefix(text, "/me ")
	return did, ok && strings.TrimSpace(did) != ""
}

// A RoomQuote is what a message answers.
type RoomQuote struct {
	ID   string `json:"id"`
	From string `json:"from,omitempty"` // "" = it is not here
	Text string `json:"text,omitempty"` // its first line
}

// A RoomFile is a share that somebody has put in a room.
type RoomFile struct {
	Name   string `json:"name"`
	Size   int64  `json:"size,omitempty"` // bytes; 0 = not known
	Media  string `json:"media,omitempty"`
	Ticket string `json:"ticket"`         // good for who is in the room, and best used by a [FetchRequest] that names the message
	Here   bool   `json:"here,omitempty"` // this device shares it
}

// A RoomFileSaid is a file that was said in a room and can be asked for.
type RoomFileSaid struct {
	Message RoomMessage `json:"message"`
	Paths   []string    `json:"paths,omitempty"` // where it is on this computer, if this node shares it, or has got it and hands it on
	At      []string    `json:"at,omitempty"`    // who is connected now and has shared it, or got it from here; others may have it, too
}

// A RoomReaction is what some have reacted with.
type RoomReaction struct {
	Emoji string   `json:"emoji"`
	From  []string `json:"from"`
	Mine  bool     `json:"mine,omitempty"`
}

// A RoomDelivery is what has become of a message of the user's.
type RoomDelivery struct {
	State     string `json:"state"`     // "queued", "sent" (somebody keeps it), "delivered", "read": by at least one
	Kept      int    `json:"kept"`      // to how many devices it was given from here
	Delivered int    `json:"delivered"` // how many others say that they have it
	Read      int    `json:"read"`      // how many have read it, of those who tell
	Others    int    `json:"others"`    // how many others there are
}

// A RoomPage is some of a history, the oldest first.
type RoomPage struct {
	Messages []RoomMessage `json:"messages"`
	Older    string        `json:"older,omitempty"` // the Before, or the Older, of the next one; "" = there are no more
	Last     int64         `json:"last"`            // the Arrived from which on what comes later is found
}

// A RoomQuery chooses some of a history: with none of the first five, the last ones.
type RoomQuery struct {
	Before string    `json:"before,omitempty"` // the ID of a message: those before it
	After  string    `json:"after,omitempty"`  // those after it
	Since  time.Time `json:"since,omitzero"`   // the first ones at that time or later

	// Arrived is the Last of a page before: what has come since, in the order in which it came, however old it
	// is, and what was edited, deleted or reacted to since. Who follows it misses nothing, and gets
	// nothing twice, whatever happens to the node. A page that has no messages may have a Last that is greater.
	Arrived int64 `json:"arrived,omitempty"`

	Search string `json:"search,omitempty"` // words: "in quotes", begin*
	From   string `json:"from,omitempty"`   // of a search, who has written it
	Older  string `json:"older,omitempty"`  // of a search, how it goes on
	Limit  int    `json:"limit,omitempty"`  // 0 = 50; at most 500
}

// A RoomSay is something to say.
type RoomSay struct {
	Text  string `json:"text"`            // UTF-8, at most 64 KiB with what belongs to it
	Reply string `json:"reply,omitempty"` // the ID of what it answers
	Edit  string `json:"edit,omitempty"`  // the ID of a message of the user's that it replaces

	// Files, absolute, that are shared with who is in the room: a message of kind "file", to which Text, if any, belongs. It is said when they are hashed.
	Paths []string `json:"paths,omitempty"`
}

// A RoomDraft is what the user has written in a room and not said: it stays on this computer, and is in no export.
type RoomDraft struct {
	Room  string `json:"room,omitempty"`  // its ID
	Text  string `json:"text"`            // UTF-8, as long as a message at most; "" = nothing is written
	About string `json:"about,omitempty"` // the ID of the message that it answers, or
	Edit  bool   `json:"edit,omitempty"`  // is to replace
}

// Types of a [RoomEvent].
const (
	RoomNewMessage = "message"   // Message is new
	RoomChanged    = "changed"   // Message is different now: edited, deleted, reacted to, readable
	RoomItself     = "room"      // members, roles, what it is
	RoomMarks      = "marks"     // somebody has got or read more
	RoomRead       = "read"      // the user has read more
	RoomOffered    = "offer"     // somebody offers a room
	RoomTyping     = "typing"    // Who is writing
	RoomPresence   = "connected" // Who has come, or gone
	RoomsReady     = "ready"     // the first one
	RoomsLost      = "lost"      // events in between were lost: what is true must be asked for anew
)

// A RoomEvent says that something has happened in a room.
type RoomEvent struct {
	Seq     uint64       `json:"seq"`
	Type    string       `json:"type"`
	Room    string       `json:"room,omitempty"`    // its ID
	Name    string       `json:"name,omitempty"`    // and its name
	Who     string       `json:"who,omitempty"`     // a name, or a short ID
	Message *RoomMessage `json:"message,omitempty"` // of a change, nil: several have disappeared
}
