//go:build !nopeer

package main

import "strings"

// peerKind is the kind that opens a service of a peer.
const peerKind = "peer"

// A wanted is what completion needs to know of peers.
type wanted int

const (
	nothing  wanted = iota
	anyPeer         // names of peers
	ours            // names of services of this node
	peerEnds        // addresses of services of peers
	oneOf           // the words of tenon peers
	shared          // what is shared here
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
	case (cmd.name == "share" || cmd.name == "serve") && len(words) > 0 && words[len(words)-1] == "--to":
		return anyPeer
	case cmd.name == "unshare" && n == 0:
		return shared
	case strings.HasPrefix(last, peerKind+":") && !strings.Contains(last, ","):
		return peerEnds
	case cmd.name == "peers" && n == 0:
		return oneOf
	case cmd.name == "peers" && n == 1, cmd.name == "services" && n == 0, cmd.name == "doctor" && n == 0:
		return anyPeer
	case cmd.name == "grant" || cmd.name == "revoke":
		if n == 0 {
			return ours
		}
		return anyPeer
	case (cmd.name == "unserve" || cmd.name == "ticket") && n == 0:
		return ours
	}
	return nothing
}
