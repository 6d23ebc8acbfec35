//go:build node

package main

import (
	"slices"
	"strings"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/opt"
)

// runID is "tenon id".
func runID(p *program, c *call) error {
	if len(c.args) > 0 {
		return usageError("tenon id takes no arguments", "tenon peers lists the IDs of others")
	}
	with, get := p.withAlone, (*api.Client).ID
	if c.peer.rotate {
		with, get = p.with, (*api.Client).Rotate
	}
	return with(c, func(t *talk) error {
		id, err := get(t.Client, p.ctx)
		if err != nil {
			return err
		}
		switch {
		case len(id.Away) > 0:
			p.tell(c, "this is a new key; not reached, and shown it when they meet this computer again: %s", strings.Join(id.Away, ", "))
		case c.peer.rotate:
			peers, err := t.Peers(p.ctx)
			if err != nil {
				return err
			}
			if slices.ContainsFunc(peers, func(other api.Peer) bool { return !other.Paired.IsZero() && !other.Blocked }) {
				p.tell(c, "this is a new key, and all peers follow")
			} else {
				p.tell(c, "this is a new key; there is no peer that would have to follow")
			}
		}
		if id.Unlinked {
			p.tell(c, "this was a device that another one of yours had linked, and is none any more: tenon device join")
		}
		if p.json {
			return p.stdout.json(id)
		}
		p.stdout.line(id.ID)
		return p.showQR(c, id.ID)
	})
}

// runPeers is "tenon peers [rename PEER NAME | forget PEER | block PEER | unblock PEER]".
func runPeers(p *program, c *call) error {
	do, words, err := peersVerb(c.args)
	if err != nil {
		return err
	}
	return p.withAlone(c, func(t *talk) error {
		switch do {
		case "rename":
			peer, err := t.Rename(p.ctx, words[0], words[1])
			if err == nil {
				p.tell(c, "%s is called %s now", words[0], peer.Name)
			}
			return err
		case "forget":
			err := t.Forget(p.ctx, words[0])
			if err == nil {
				p.tell(c, "%s is forgotten, with all that was granted to it", words[0])
			}
			return err
		case "block":
			err := t.Block(p.ctx, words[0])
			if err == nil {
				p.tell(c, "%s is blocked: it gets in nowhere, whatever was granted to it", words[0])
			}
			return err
		case "unblock":
			err := t.Unblock(p.ctx, words[0])
			if err == nil {
				p.tell(c, "%s is not blocked any more", words[0])
			}
			return err
		}
		peers, err := t.Peers(p.ctx)
		if err != nil {
			return err
		}
		return list(p, peers, "no peers yet: tenon pair makes two computers known to each other",
			[]string{"NAME", "ID", "STATE", "ROUND TRIP", "FOR", "OVER"}, peerCells)
	})
}

// peersVerb finds what tenon peers is to do, and to whom.
func peersVerb(args []string) (do string, words []string, err error) {
	if len(args) == 0 {
		return "", nil, nil
	}
	want := map[string]int{"rename": 2, "forget": 1, "block": 1, "unblock": 1}
	n, ok := want[args[0]]
	switch {
	case !ok:
		hint := "tenon peers lists all; see tenon help peers"
		if near := opt.Nearest(args[0], []string{"rename", "forget", "block", "unblock"}, 1); len(near) > 0 {
			hint = "did you mean tenon peers " + near[0] + "?"
		}
		return "", nil, usageError("tenon peers can rename, forget, block and unblock", hint)
	case len(args) != n+1:
		return "", nil, usageError("tenon peers "+args[0]+" needs "+[]string{"", "a peer", "a peer and a name"}[n], "for example: tenon peers "+args[0]+" alice"+[]string{"", "", " alice-laptop"}[n])
	}
	return args[0], args[1:], nil
}

func peerCells(peer api.Peer) []string {
	state, over := string(peer.State), peer.Addr
	switch {
	case peer.Blocked:
		state = "blocked"
	case peer.State == api.Relayed && peer.Via != "":
		over = "by way of " + peer.Via
	}
	since := ago(peer.Since)
	if peer.State == api.Offline {
		since = ""
		if seen := ago(peer.Seen); seen != "" {
			over = "last seen " + seen + " ago"
		}
	}
	if peer.Why != "" && peer.State != api.Direct {
		over = strings.TrimPrefix(over+"; "+peer.Why, "; ")
	}
	return []string{peer.Name, peer.Short, state, trip(peer.RTT), since, over}
}

// tell says on standard error what was done, to those who do not want it quiet.
func (p *program) tell(c *call, format string, args ...any) {
	if !c.global.quiet && !p.json {
		p.stderr.linef("tenon: "+format, args...)
	}
}
