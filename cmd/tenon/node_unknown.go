//go:build node

package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/opt"
)

// unknownPeers returns what is to be said of ends of a service that lead to a name which
// no peer has. The service begins nevertheless: the name is looked up for each client, and
// may be a peer's by then.
func (p *program) unknownPeers(c *call, ends []string) (notices []tenon.Event) {
	var known []string
	for _, text := range ends {
		to, name, ok := namedPeer(text)
		if !ok {
			continue
		}
		if known == nil {
			err := p.withAlone(c, func(t *talk) error {
				peers, err := t.Peers(p.ctx)
				known = []string{}
				for _, other := range peers {
					known = append(known, other.Name)
				}
				return err
			})
			if err != nil {
				return nil // whoever connects is told
			}
		}
		if isCalled(known, name) {
			continue
		}
		hint := "tenon pair makes two computers known to each other, tenon peers lists those that are known"
		if near := opt.Nearest(string(name), known, 1); len(near) > 0 {
			hint = "is it " + near[0] + "?"
		}
		notices = append(notices, tenon.Event{Time: time.Now(), Type: tenon.Notice, End: peerKind + ":" + to,
			Text: fmt.Sprintf("no peer is called %q, and until one is, every connection fails; %s", name, hint)})
	}
	return notices
}

// namedPeer returns the target of an end of a peer that is meant by its name.
func namedPeer(text string) (to string, name peer.Name, ok bool) {
	a, err := address.Parse(text)
	if err != nil || !strings.EqualFold(a.Kind.Name, peerKind) {
		return "", "", false
	}
	parsed, err := api.ParseTo(a.Target.Text)
	if err != nil {
		return "", "", false
	}
	name, err = peer.ParseName(parsed.Peer)
	return a.Target.Text, name, err == nil
}

func isCalled(names []string, name peer.Name) bool {
	for _, known := range names {
		if peer.Name(known).Key() == name.Key() {
			return true
		}
	}
	return false
}
