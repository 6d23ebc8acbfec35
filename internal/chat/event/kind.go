package event

import "fmt"

// A Kind says what an event does. Those below 128 are control kinds, which decide who
// is in the room and with what keys: their bodies are plain to all who are in the room and
// are never erased. The others are content: their bodies are sealed and can be erased.
type Kind uint8

// The control kinds.
const (
	KindCreate       Kind = 1  // the first event of a room
	KindEnter        Kind = 2  // the first event of every other device
	KindAdd          Kind = 3  // a member is added
	KindRemove       Kind = 4  // a member is removed, or leaves
	KindRole         Kind = 5  // a member has another role
	KindInvite       Kind = 6  // who has the key of the invite may enter
	KindRevoke       Kind = 7  // an invite ends
	KindRemoveDevice Kind = 8  // a device is removed
	KindEpoch        Kind = 9  // a secret for those who are in the room
	KindShare        Kind = 10 // the secret of an epoch for more devices
	KindMeta         Kind = 11 // a property of the room
)

// The content kinds.
const (
	KindText   Kind = 128
	KindEdit   Kind = 129
	KindDelete Kind = 130
	KindReact  Kind = 131
	KindFile   Kind = 132
	KindPin    Kind = 133
)

// Control tells whether it is a control kind, known or not.
func (k Kind) Control() bool { return k < 128 }

var kindNames = map[Kind]string{
	KindCreate: "create", KindEnter: "enter", KindAdd: "add", KindRemove: "remove", KindRole: "role", KindInvite: "invite",
	KindRevoke: "revoke", KindRemoveDevice: "remove-device", KindEpoch: "epoch", KindShare: "share", KindMeta: "meta",
	KindText: "text", KindEdit: "edit", KindDelete: "delete", KindReact: "react", KindFile: "file", KindPin: "pin",
}

// Known tells whether this version knows the kind. Events of other kinds are kept and
// passed on, and not shown.
func (k Kind) Known() bool { return kindNames[k] != "" }

func (k Kind) String() string {
	if name := kindNames[k]; name != "" {
		return name
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// A Role is what a member may do. A greater one may do all that a lesser one may.
type Role uint8

// The roles. The zero Role is that of somebody who is not in the room.
const (
	Nobody Role = iota
	Reader      // reads
	Member      // writes
	Owner       // adds, removes, invites, moderates and names the room
)

func (r Role) String() string {
	if r <= Owner {
		return [...]string{"nobody", "reader", "member", "owner"}[r]
	}
	return fmt.Sprintf("role %d", uint8(r))
}
