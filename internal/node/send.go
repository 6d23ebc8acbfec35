package node

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/pair"
	"github.com/tenon-net/tenon/transport"
)

// Send gives somebody something by a code that either shows. The two are not paired by it, and the other side
// has no right but to what it is given.
func (n *Node) Send(ctx context.Context, r api.SendRequest, tell func(api.SendEvent)) error {
	var mu sync.Mutex // one event after another
	s := &sending{n: n, request: r, tell: func(e api.SendEvent) {
		mu.Lock()
		defer mu.Unlock()
		tell(e)
	}}
	what := 0
	for _, is := range []bool{len(r.Paths) > 0, r.Text != "", r.Service != ""} {
		if is {
			what++
		}
	}
	switch {
	case what != 1:
		return transport.Usage(errors.New("one thing can be sent at a time: files, a text, or a service"))
	case len(r.Name) > maxGiftName:
		return transport.Usage(fmt.Errorf("a name can have %d bytes", maxGiftName))
	case r.Text != "":
		if err := s.meet(ctx, gift{Text: r.Text}); err != nil {
			return err
		}
		s.tell(api.SendEvent{Type: api.SendDone})
		return nil
	case r.Service != "":
		contact, err := n.contact(n.addrs())
		if err != nil {
			return err
		}
		return s.meet(ctx, gift{Contact: contact.Text, Service: r.Service, Name: r.Name})
	}
	return s.files(ctx)
}

// A sending is one that goes on.
type sending struct {
	n       *Node
	request api.SendRequest
	tell    func(api.SendEvent)
}

// meet meets the other side and gives it something, or goes on with who has met this one by the same
// code, and was given the same.
func (s *sending) meet(ctx context.Context, g gift) error {
	n, code := s.n, s.request.Code
	content, err := g.marshal()
	if err != nil {
		return err
	}
	if code != "" && g.Service != "" {
		was, err := n.recall(ctx, code)
		if err != nil {
			return err
		}
		if was != nil && was.given == g.Service {
			if err := n.letIn(peer.Service(g.Service), was.peer); err != nil {
				return err
			}
			e := n.met(was)
			e.Again = true
			s.tell(e)
			return nil
		}
	}
	m, err := n.byCode(s.request.Self, func(e api.PairEvent) {
		if e.Code != "" {
			code = e.Code
		}
		s.tell(ofCode(e))
	})
	if err != nil {
		return err
	}
	if m.side.For = pair.Sending; s.request.Code != "" {
		m.side.For = pair.Receiving
	}
	m.side.Give = func(id peer.ID) ([]byte, error) {
		if g.Service != "" {
			if err := n.letIn(peer.Service(g.Service), id); err != nil {
				return nil, err
			}
		}
		return content, nil
	}
	result, err := m.meet(ctx, s.request.Code)
	if err != nil {
		return err
	}
	e := &encounter{result.Peer, result.Said, result.Words, g.Service}
	n.tell(api.Event{Type: "share", Peer: e.peer.String(), Text: "something was given by a code to " + n.called(e.peer)})
	if g.Service != "" {
		if err := n.recollect(context.WithoutCancel(ctx), code, *e); err != nil {
			return err
		}
	}
	s.tell(n.met(e))
	return nil
}

// letIn has somebody use a service that is offered, for as long as it is.
func (n *Node) letIn(service peer.Service, id peer.ID) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	o := n.live[service]
	switch {
	case o == nil:
		return n.noService(service)
	case n.access.Load().Blocked[id]:
		return peer.Blocked
	}
	o.to = append(o.to, peer.Only(id))
	n.decide()
	return nil
}
