package node

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/pair"
	"github.com/tenon-net/tenon/transport"
)

// A pairing is what both sides of one have in common.
type pairing struct {
	byCode
	as peer.Name // what this user will call the other side; "" = what that suggests
}

func (n *Node) pairing(r api.PairRequest, tell func(api.PairEvent)) (p pairing, err error) {
	if p.as, err = wantedName(r.As); err == nil {
		p.byCode, err = n.byCode(r.Self, tell)
	}
	return p, err
}

// PairOffer shows a code, and tells what happens until somebody has used it, or it is of
// no use any more.
func (n *Node) PairOffer(ctx context.Context, r api.PairRequest, tell func(api.PairEvent)) error {
	p, err := n.pairing(r, tell)
	if err != nil {
		return err
	}
	result, err := p.show(ctx)
	if err != nil {
		return err
	}
	return p.done(ctx, result)
}

// PairJoin uses a code that somebody shows.
func (n *Node) PairJoin(ctx context.Context, r api.PairRequest, tell func(api.PairEvent)) error {
	p, err := n.pairing(r, tell)
	if err != nil {
		return err
	}
	result, err := p.use(ctx, r.Code)
	if err != nil {
		return err
	}
	return p.done(ctx, result)
}

// done puts the other side on record, and tells so. Whoever has paired gets to the end,
// though nobody waits any more.
func (p pairing) done(ctx context.Context, r pair.Result) error {
	friend, why, err := p.n.recordPairing(context.WithoutCancel(ctx), r, p.as)
	if err == nil {
		p.tell(api.PairEvent{Type: api.PairDone, Words: r.Words[:], Peer: &friend, Text: why})
	}
	return err
}

func wantedName(text string) (peer.Name, error) {
	if text == "" {
		return "", nil
	}
	name, err := peer.ParseName(text)
	if err != nil {
		return "", transport.Usage(err)
	}
	return name, nil
}

// nameFor returns a name for a peer that suggests one. It is none to which the
// configuration grants something: that would be a right by pairing. It is called with
// mu held.
func (n *Node) nameFor(id peer.ID, suggested peer.Name) peer.Name {
	if suggested != "" && n.settings.reserved(suggested) {
		suggested = ""
	}
	return n.facts.freeName(id, suggested)
}

// recordPairing puts a peer on record with which pairing has succeeded. One that is known
// keeps its name. A name that is taken gets a number: the pairing does not fail for it,
// and why says so.
func (n *Node) recordPairing(ctx context.Context, r pair.Result, as peer.Name) (out api.Peer, why string, err error) {
	links := n.linksNow()
	n.mu.Lock()
	defer n.mu.Unlock()
	p := person{id: r.Peer}
	if was := n.facts.people[r.Peer]; was != nil {
		p = *was
	} else if len(n.facts.people) >= maxPeople {
		return out, "", fmt.Errorf("%d peers are known already", maxPeople)
	}
	p.said, p.paired, p.seen = r.Said, time.Now(), time.Now()
	wanted := as
	switch {
	case as != "":
		p.name = n.facts.freeName(p.id, as)
	case p.name == "":
		wanted = r.Suggested
		p.name = n.nameFor(p.id, wanted)
	}
	if wanted != "" && p.name != wanted {
		why = fmt.Sprintf("another peer, or a grant of the configuration, has the name %s or one like it", wanted)
	}
	_, err = n.change(ctx, func(tx *sql.Tx) error { return put(ctx, tx, &p) }, func() { n.facts.people[p.id] = &p })
	if err != nil {
		return out, "", err
	}
	n.audit.add(entry{event: "pair", peer: p.id.String(), name: string(p.name)})
	n.tell(api.Event{Type: "pair", Peer: p.id.String(), Text: "paired with " + string(p.name)})
	return n.describePeer(p.id, links), why, nil
}
