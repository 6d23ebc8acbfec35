//go:build node

package main

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
)

// completeTime is how long completion waits for a node, or by way of it for a peer.
const completeTime = time.Second

// peerCandidates returns what the node that runs knows of what is wanted. No node is
// started for it.
func (p *program) peerCandidates(w wanted, words []string, last string) (found []string) {
	switch w {
	case oneOf:
		return []string{"rename", "forget", "block", "unblock"}
	case roomWord:
		for _, w := range roomWords {
			found = append(found, w.word)
		}
		return found
	case deviceWord:
		return deviceWords
	case aRole:
		return []string{"owner", "member", "reader"}
	}
	t, err := p.talkRunning(&call{})
	if err != nil {
		return nil
	}
	defer t.end() //nolint:errcheck // it was only asked
	ctx, cancel := context.WithTimeout(p.ctx, completeTime)
	defer cancel()
	if w == shared {
		shares, _ := t.Shares(ctx) //nolint:errcheck // then there are none
		for _, s := range shares {
			if s.State != api.ShareGetting {
				found = append(found, shareWord(s))
			}
		}
		return found
	}
	switch w {
	case inRooms, roomOrPeer:
		rooms, _ := t.Rooms(ctx) //nolint:errcheck // then there are none
		for _, r := range rooms {
			found = append(found, r.Name)
		}
		if w == inRooms {
			return found
		}
	case inRoom:
		members, _ := t.RoomMembers(ctx, words[len(words)-1]) //nolint:errcheck // then there are none
		for _, m := range members {
			found = append(found, m.Name)
		}
		return found
	case aDevice:
		devices, _ := t.Devices(ctx) //nolint:errcheck // then there are none
		for _, d := range devices {
			if !d.This {
				found = append(found, cmp.Or(d.Name, d.ID))
			}
		}
		return found
	case offered:
		offers, _ := t.RoomOffers(ctx) //nolint:errcheck // then there are none
		for _, o := range offers {
			found = append(found, cmp.Or(o.Name, shortID(o.ID)))
		}
		return found
	}
	if w == grantable {
		found = append(found, string(peer.Hold))
	}
	if w == ours || w == grantable {
		services, _ := t.Services(ctx) //nolint:errcheck // then there are none
		for _, s := range services {
			found = append(found, s.Name)
		}
		return found
	}
	if name, _, ok := strings.Cut(strings.TrimPrefix(last, peerKind+":"), "/"); ok && w == peerEnds {
		services, _ := t.PeerServices(ctx, name) //nolint:errcheck // then there are none
		for _, s := range services {
			found = append(found, peerKind+":"+name+"/"+s.Name)
		}
		return found
	}
	peers, _ := t.Peers(ctx) //nolint:errcheck // then there are none
	for _, peer := range peers {
		if word := peerWord(w, peer); !slices.Contains(found, word) {
			found = append(found, word)
		}
	}
	return found
}

// peerWord is what stands for a peer in what is wanted.
func peerWord(w wanted, peer api.Peer) string {
	name := peer.Name
	if name == "" {
		name = peer.ID
	}
	if w == peerEnds {
		return peerKind + ":" + name + "/"
	}
	return name
}
