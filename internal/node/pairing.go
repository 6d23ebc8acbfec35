package node

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/pair"
	"github.com/tenon-net/tenon/transport"
)

// errNoMeeting: the presence knows no way to meet somebody by a number.
var errNoMeeting = transport.WithHint(transport.Mark(errors.New("there is no way to meet: no local network and no relay"), api.ErrUnreachable),
	"a relay, which tenon relay runs, is named by relays in tenon.toml")

func (n *Node) meeter() (Meeter, error) {
	p, err := n.here()
	if err != nil {
		return nil, err
	}
	if m, ok := p.(Meeter); ok {
		return m, nil
	}
	return nil, errNoMeeting
}

// A pairing is what both sides of one have in common.
type pairing struct {
	n    *Node
	as   peer.Name // what this user will call the other side; "" = what that suggests
	side pair.Side
	at   Meeter
	tell func(api.PairEvent)
}

func (n *Node) pairing(r api.PairRequest, tell func(api.PairEvent)) (p pairing, err error) {
	p = pairing{n: n, tell: tell, side: pair.Side{Key: n.key(), Name: r.Self}}
	if p.as, err = wantedName(r.As); err != nil {
		return p, err
	}
	if _, err = wantedName(r.Self); err != nil {
		return p, err
	}
	if r.Self == "" {
		p.side.Name = n.suggested()
	}
	p.at, err = n.meeter()
	return p, err
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

// attempt tells that there is a connection.
func (p pairing) attempt(s transport.Stream) {
	p.tell(api.PairEvent{Type: api.PairAttempt, Text: neutral.Line(s.RemoteAddr().String())})
}

// PairOffer shows a code, and tells what happens until somebody has used it, or it is of
// no use any more.
func (n *Node) PairOffer(ctx context.Context, r api.PairRequest, tell func(api.PairEvent)) error {
	var mu sync.Mutex // one event after another
	p, err := n.pairing(r, func(e api.PairEvent) {
		mu.Lock()
		defer mu.Unlock()
		tell(e)
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(n.life, cancel)()
	meeting, err := p.at.OfferMeeting(ctx)
	if err != nil {
		return err
	}
	defer meeting.Close() //nolint:errcheck // nothing comes of it
	n.waiting.Add(1)
	defer n.waiting.Add(-1)
	offer := pair.NewOffer(pair.NewCode(meeting.Channel()), p.side)
	defer offer.Close() //nolint:errcheck // it returns nil
	for _, err := range meeting.Missing() {
		p.tell(api.PairEvent{Type: api.PairWarning, Text: neutral.Line(err.Error())})
	}
	p.tell(api.PairEvent{Type: api.PairCode, Code: offer.Code().String()})
	var attempts sync.WaitGroup
	defer attempts.Wait()
	attempts.Go(func() { p.accept(ctx, meeting, offer, &attempts) })
	result, err := offer.Wait(ctx)
	cancel()
	if err != nil {
		return err
	}
	return p.done(ctx, result)
}

// accept lets those who come try the code.
func (p pairing) accept(ctx context.Context, meeting Meeting, offer *pair.Offer, attempts *sync.WaitGroup) {
	for {
		s, err := meeting.Accept(ctx)
		if err != nil {
			return // the offer ends by itself
		}
		p.attempt(s)
		attempts.Go(func() {
			// Who has taken the code gets to the end, though nobody waits any more.
			offer.Accept(context.WithoutCancel(ctx), s) //nolint:errcheck // Wait tells
		})
	}
}

// PairJoin uses a code that somebody shows.
func (n *Node) PairJoin(ctx context.Context, r api.PairRequest, tell func(api.PairEvent)) error {
	code, corrections, err := pair.ParseCode(r.Code)
	if err != nil {
		return transport.Usage(err)
	}
	p, err := n.pairing(r, tell)
	if err != nil {
		return err
	}
	for _, c := range corrections {
		tell(api.PairEvent{Type: api.PairCorrection, Text: fmt.Sprintf("%q is taken for %q", c.Typed, c.Word)})
	}
	result, err := pair.JoinFound(ctx, func(ctx context.Context) (transport.Stream, error) {
		s, err := p.at.JoinMeeting(ctx, code.Channel)
		if err == nil {
			p.attempt(s)
		}
		return s, err
	}, code, p.side)
	if err != nil {
		return err
	}
	return p.done(ctx, result)
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
