package node

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tenon-net/tenon/internal/link"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// answerTime is how long a peer may take for an answer: longer than it may take to open
// what it was asked for.
const answerTime = openTime + 15*time.Second

// Dial opens a service of a peer.
func (n *Node) Dial(ctx context.Context, r api.DialRequest) (transport.Conn, error) {
	if r.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(r.Timeout))
		defer cancel()
	}
	var q request
	var s transport.Stream
	var a answer
	var who peer.ID
	err := n.turnTo(func() (id peer.ID, err error) {
		id, q, err = n.locate(ctx, r.To)
		return id, err
	}, func(id peer.ID) (err error) {
		who = id
		s, a, err = n.ask(ctx, id, q, r.Survive)
		return err
	})
	if err != nil {
		return nil, err
	}
	j := &joint{peer: who, service: peer.Service(q.service), out: true, link: n.bestLink(who), stream: s}
	life, err := n.joints.begin(n.life, j, maxJoints)
	if err == nil {
		// Whoever has blocked the peer before the joint was there could not cut it.
		if err = n.access.Load().DecideOut(who); err != nil {
			n.joints.end(j)
		}
	}
	if err != nil {
		transport.Abort(s, err) //nolint:errcheck // err is what counts
		return nil, err
	}
	n.began(j)
	return newUse(life, n.frame(j, s, a), j, func(err error) {
		n.ended(j, err)
		n.joints.end(j)
	}), nil
}

// locate finds out who and what is meant by NAME/SERVICE or a ticket.
func (n *Node) locate(ctx context.Context, text string) (peer.ID, request, error) {
	to, err := api.ParseTo(text)
	if err != nil {
		return peer.ID{}, request{}, err
	}
	if to.Ticket != "" {
		t, err := peer.ParseTicket(to.Ticket)
		if err != nil {
			return peer.ID{}, request{}, err
		}
		t.Issuer = n.heir(t.Issuer)
		return t.Issuer, request{sort: askOpen, service: string(t.Service), ticket: to.Ticket}, n.borrow(t, to.Ticket)
	}
	service, err := peer.ParseService(to.Service)
	if err != nil {
		return peer.ID{}, request{}, transport.Usage(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	id, err := n.facts.find(to.Peer)
	if err != nil {
		return id, request{}, err
	}
	return id, request{sort: askOpen, service: string(service), ticket: n.facts.held[heldKey{id, service}].ticket}, nil
}

// ask opens a stream to a peer, asks for something, and returns the stream behind the
// answer.
func (n *Node) ask(ctx context.Context, id peer.ID, q request, survive *api.Duration) (s transport.Stream, a answer, err error) {
	defer func() { err = n.explain(id, q, err) }()
	q.told = q.sort == askOpen
	s, a, err = n.askOnce(ctx, id, q, survive)
	if errors.Is(err, link.ErrForgotten) { // its way was lost before it came there, or the other side has begun anew
		s, a, err = n.askOnce(ctx, id, q, survive)
	}
	if q.told && errors.Is(err, errNotUnderstood) { // an older peer
		q.told = false
		s, a, err = n.askOnce(ctx, id, q, survive)
	}
	a.told = q.told
	return s, a, err
}

func (n *Node) askOnce(ctx context.Context, id peer.ID, q request, survive *api.Duration) (s transport.Stream, a answer, err error) {
	if err := n.access.Load().DecideOut(id); err != nil {
		return nil, a, err
	}
	p, err := n.here()
	if err != nil {
		return nil, a, err
	}
	if sv, ok := p.(Survivor); ok && survive != nil {
		d := time.Duration(*survive)
		if d <= 0 {
			d = -1
		}
		s, err = sv.OpenSurviving(ctx, id, Protocol, d)
	} else {
		s, err = p.Open(ctx, id, Protocol)
	}
	if err != nil {
		return nil, a, err
	}
	late, cancel := context.WithTimeoutCause(ctx, answerTime, fmt.Errorf("%w: no answer for %v", peer.ErrUnreachable, answerTime))
	defer cancel()
	asked := s                                                                              // s itself is written when this returns
	stop := context.AfterFunc(late, func() { transport.Abort(asked, context.Cause(late)) }) //nolint:errcheck // it ends what is being waited for
	if _, err = s.Write(q.marshal()); err == nil {
		a, err = readAnswer(s, q.sort)
	}
	if !stop() && err != nil {
		return nil, a, context.Cause(late)
	}
	if err != nil {
		s.Close() //nolint:errcheck // err is what counts
		return nil, a, err
	}
	return s, a, nil
}

// explain makes an error of the network or of a peer one for people.
func (n *Node) explain(id peer.ID, q request, err error) error {
	if err == nil {
		return nil
	}
	n.mu.Lock()
	name := n.facts.call(id)
	n.mu.Unlock()
	var refusal peer.Refusal
	switch {
	case errors.Is(err, peer.ErrUnreachable), errors.Is(err, peer.ErrNoProtocol):
		return transport.WithHint(transport.Mark(named(name, err), api.ErrUnreachable), "tenon doctor "+name+" looks for the reason")
	case errors.Is(err, peer.ErrNotAdmitted):
		return transport.WithHint(transport.Mark(fmt.Errorf("%s does not know this node, or has blocked it", name), transport.ErrDenied),
			"pair with each other: tenon pair")
	case errors.Is(err, peer.NotGranted) && n.access.Load().DecideOut(id) != nil:
		return transport.WithHint(transport.Mark(fmt.Errorf("%s is not paired with this node", name), transport.ErrDenied), "tenon pair")
	case errors.Is(err, peer.NotGranted):
		return transport.WithHint(fmt.Errorf("%s says: %w", name, err), "it has to say: tenon grant "+q.service+" and the name that it has for you; tenon services "+name+" lists what you may use")
	case errors.As(err, &refusal) && refusal >= peer.TicketForged:
		return fmt.Errorf("%s says: %w", name, err)
	case errors.Is(err, errUnavailable), errors.Is(err, errBusy):
		return fmt.Errorf("%s: %w", name, err)
	}
	return err
}

// A namedError is an error of the network in which the peer has the name that people
// know it by.
type namedError struct {
	text string
	err  error
}

func (e *namedError) Error() string { return e.text }
func (e *namedError) Unwrap() error { return e.err }

// named leaves out for which protocol a peer was turned to, and says who it is.
func named(name string, err error) error {
	var open *peer.OpenError
	if errors.As(err, &open) {
		err = open.Err
	}
	if what, ok := strings.CutPrefix(err.Error(), "the peer "); ok {
		return &namedError{name + " " + what, err}
	}
	return &namedError{name + ": " + err.Error(), err}
}

// PeerServices lists what a peer lets this node use.
func (n *Node) PeerServices(ctx context.Context, name string) ([]api.RemoteService, error) {
	var s transport.Stream
	var a answer
	err := n.turnTo(func() (peer.ID, error) {
		n.mu.Lock()
		defer n.mu.Unlock()
		return n.facts.find(name)
	}, func(id peer.ID) (err error) {
		s, a, err = n.ask(ctx, id, request{sort: askList}, nil)
		return err
	})
	if err != nil {
		return nil, err
	}
	return a.list, s.Close()
}
