//go:build !nopeer

package main

import "strings"

// peerKind is the kind that opens a service of a peer.
const peerKind = "peer"

// A wanted is what completion needs to know of peers.
type wanted int

const (
	nothing    wanted = iota
	anyPeer           // names of peers
	ours              // names of services of this node
	grantable         // those, and hold
	peerEnds          // addresses of services of peers
	oneOf             // the words of tenon peers
	shared            // what is shared here
	roomWord          // the words of tenon room
	inRooms           // names of rooms
	roomOrPeer        // those, and of peers
	inRoom            // members of the room that stands before
	offered           // rooms that are offered
	aRole             // the roles of members
	deviceWord        // the words of tenon device
	aDevice           // devices of the user's
)

// wantedFor finds what may stand behind the words of a command.
func wantedFor(cmd command, words []string, last string) wanted {
	n := 0
	for _, word := range words {
		if !strings.HasPrefix(word, "-") {
			n++
		}
	}
	switch {
	case strings.HasPrefix(last, "-"):
		return nothing
	case (cmd.name == "share" || cmd.name == "serve") && len(words) > 0 && words[len(words)-1] == "--to",
		cmd.name == "share" && len(words) > 0 && words[len(words)-1] == "--hold",
		cmd.name == "ticket" && len(words) > 0 && words[len(words)-1] == "--for":
		return anyPeer
	case cmd.name == "ticket" && len(words) > 0 && words[len(words)-1] == "--service":
		return ours
	case cmd.name == "unshare" && n == 0:
		return shared
	case cmd.name == "say" || cmd.name == "tail":
		switch {
		case n > 0:
			return nothing
		case cmd.name == "say":
			return roomOrPeer
		}
		return inRooms
	case cmd.name == "chat" && n == 0:
		return roomOrPeer
	case cmd.name == "device" && n == 0:
		return deviceWord
	case cmd.name == "device" && n == 1 && words[0] == "remove":
		return aDevice
	case cmd.name == "room":
		return wantedInRoom(words, n)
	case strings.HasPrefix(last, peerKind+":") && !strings.Contains(last, ","):
		return peerEnds
	case cmd.name == "peers" && n == 0:
		return oneOf
	case cmd.name == "peers" && n == 1, cmd.name == "services" && n == 0, cmd.name == "doctor" && n == 0:
		return anyPeer
	case cmd.name == "grant" || cmd.name == "revoke":
		if n == 0 {
			return grantable
		}
		return anyPeer
	case (cmd.name == "unserve" || cmd.name == "ticket") && n == 0:
		return ours
	}
	return nothing
}

// wantedInRoom is wantedFor behind "tenon room".
func wantedInRoom(words []string, n int) wanted {
	if n == 0 {
		return roomWord
	}
	switch word := words[0]; {
	case n == 1 && (word == "join" || word == "decline"):
		return offered
	case n == 1 && word != "new" && word != "offers" && word != "import":
		return inRooms
	case n == 2 && (word == "remove" || word == "role"):
		return inRoom
	case n == 2 && word == "invite":
		return anyPeer
	case n == 3 && word == "role":
		return aRole
	}
	return nothing
}
