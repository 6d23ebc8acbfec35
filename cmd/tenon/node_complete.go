//go:build node

package main

import (
	"context"
	"strings"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
)

// completeTime is how long completion waits for a node, or by way of it for a peer.
const completeTime = time.Second

// peerCandidates returns what the node that runs knows of what is wanted. No node is
// started for it.
func (p *program) peerCandidates(w wanted, last string) (found []string) {
	if w == oneOf {
		return []string{"rename", "forget", "block", "unblock"}
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
	if w == ours {
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
		found = append(found, peerWord(w, peer))
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
