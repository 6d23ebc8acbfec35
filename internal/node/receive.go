package node

import (
	"context"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/pair"
)

// Receive meets somebody who sends something, by a code that either shows, and tells what that is.
// Unless it is a text, it can be fetched until ctx ends.
func (n *Node) Receive(ctx context.Context, r api.ReceiveRequest, tell func(api.SendEvent)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(n.life, cancel)()
	var e *encounter
	if r.Code != "" {
		var err error
		if e, err = n.recall(ctx, r.Code); err != nil {
			return err
		}
	}
	again := e != nil && e.given != ""
	if !again {
		var err error
		if e, err = n.encounterSender(ctx, r, tell); err != nil {
			return err
		}
	}
	g, at, err := readGift(e.peer, e.given)
	if err != nil {
		return err
	}
	out := n.met(e)
	out.Again, out.Given = again, g.given(e.peer)
	if g.Text == "" {
		giveBack, err := n.mayTurnTo(at)
		if err != nil {
			return err
		}
		defer giveBack()
	}
	tell(out)
	if g.Text == "" {
		<-ctx.Done()
		last, stop := context.WithTimeout(n.life, lastWords)
		defer stop()
		n.joints.outlast(last, at.Issuer, at.Service) // what was said at the end may be on its way
	}
	return nil
}

// lastWords is how long who is not to be turned to any more is still heard.
const lastWords = 10 * time.Second

// encounterSender meets who sends.
func (n *Node) encounterSender(ctx context.Context, r api.ReceiveRequest, tell func(api.SendEvent)) (*encounter, error) {
	code := r.Code
	m, err := n.byCode(r.Self, func(e api.PairEvent) {
		if e.Code != "" {
			code = e.Code
		}
		tell(ofCode(e))
	})
	if err != nil {
		return nil, err
	}
	if m.side.For = pair.Receiving; r.Code != "" {
		m.side.For = pair.Sending
	}
	result, err := m.meet(ctx, r.Code)
	switch {
	case err != nil:
		return nil, err
	case n.access.Load().Blocked[result.Peer]:
		return nil, peer.Blocked
	}
	e := &encounter{result.Peer, result.Said, result.Words, result.Given}
	g, _, err := readGift(e.peer, e.given)
	if err == nil && g.Text == "" {
		err = n.recollect(context.WithoutCancel(ctx), code, *e)
	}
	return e, err
}

// ofCode is what is told of a code for sending.
func ofCode(e api.PairEvent) api.SendEvent {
	return api.SendEvent{Type: e.Type, Code: e.Code, Text: e.Text}
}

// met tells of who was met. What he says to be called is what he is called, if nobody knows better.
func (n *Node) met(e *encounter) api.SendEvent {
	links := n.linksNow()
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.describePeer(e.peer, links)
	if p.Name == "" {
		p.Said = e.said
	}
	return api.SendEvent{Type: api.SendMet, Words: e.words[:], Peer: &p}
}

// mayTurnTo has this node turn to who sends something, until that is given back by all who go on
// with it.
func (n *Node) mayTurnTo(at peer.Ticket) (giveBack func(), err error) {
	key := heldKey{at.Issuer, at.Service}
	n.mu.Lock()
	n.turnedTo[key]++
	n.mu.Unlock()
	giveBack = func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.turnedTo[key]--; n.turnedTo[key] > 0 {
			return
		}
		delete(n.turnedTo, key)
		if h, ok := n.facts.held[key]; ok && h.ticket == "" {
			delete(n.facts.held, key)
			n.decide()
		}
	}
	if err := n.borrow(at, ""); err != nil {
		giveBack()
		return nil, err
	}
	return giveBack, nil
}
