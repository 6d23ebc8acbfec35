// Package ends has the kinds of ends that come of being a peer: peer dials a service
// of another peer, peer-listen offers one for as long as it is open. They reach the
// network through a [Via]: a node in this process, or the client of one that runs.
package ends

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/join"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// DefaultSurvive is for how long a connection outlives the loss of all ways to the peer.
const DefaultSurvive = 60 * time.Second

// A Via is how ends reach other peers. An [api.Client] is one.
type Via interface {
	Dial(context.Context, api.DialRequest) (transport.Conn, error)
	Offer(context.Context, api.OfferRequest) (transport.Acceptor, error)
}

// A Holder is a Via that can open what another process holds until it is known whether that
// can join it to a socket. What it returns may be an [api.Held].
type Holder interface {
	Hold(context.Context, api.DialRequest) (transport.Conn, error)
}

var (
	_ Via    = (*api.Client)(nil)
	_ Holder = (*api.Client)(nil)
)

// Kinds returns the kinds, whose ends go through via.
func Kinds(via Via) transport.Kinds {
	traits := transport.Traits{HalfClose: true, Deadlines: true}
	listens := traits
	listens.Listens = true
	return transport.Kinds{
		{Name: "peer", Syntax: "peer:NAME/SERVICE", Example: "peer:alice/db", Traits: traits,
			Doc: "Uses a service of another peer, wherever it is, by its name or by a ticket.",
			New: func() transport.Endpoint { return &Dial{Via: via} }},
		{Name: "peer-listen", Syntax: "peer-listen:SERVICE", Example: "peer-listen:web,to=alice", Traits: listens,
			Doc: "Offers a service to other peers for as long as it is open; nobody may use it but those of to= and those it is granted to.",
			New: func() transport.Endpoint { return &Listen{Via: via} }},
	}
}

// Dial uses a service of a peer. What it opens carries bytes or messages, as the
// service does.
type Dial struct {
	Via     Via
	To      string        // NAME/SERVICE, ID/SERVICE, or a ticket
	Survive time.Duration // see DefaultSurvive, which 0 stands for; less than 0 is off
}

// Listen offers a service.
type Listen struct {
	Via      Via
	Service  string
	To       []string // peers, or "paired"
	Anyone   bool
	Messages bool

	// Datagrams is Messages that may be lost or overtake each other, as those of UDP, so
	// that none waits behind a lost one.
	Datagrams bool
}

var (
	_ transport.Dialer    = (*Dial)(nil)
	_ transport.Listener  = (*Listen)(nil)
	_ transport.Validator = (*Dial)(nil)
	_ transport.Validator = (*Listen)(nil)
	_ transport.Guard     = (*Listen)(nil)
)

// Bind binds the target and the options.
func (d *Dial) Bind(s *opt.Set) {
	s.Target(opt.Text, "NAME/SERVICE or TICKET", func(t address.Target) error {
		d.To = strings.TrimSpace(t.Text)
		return nil
	})
	s.Duration(&d.Survive, "survive", DefaultSurvive, -1, "outlive the loss of all ways to the peer for so long; 0 is off")
}

// Validate finds fault with the target.
func (d *Dial) Validate() error {
	_, err := api.ParseTo(d.To)
	return err
}

// Dial opens the service. If it is for a socket, the node may join the two itself.
func (d *Dial) Dial(ctx context.Context) (transport.Conn, error) {
	r := api.DialRequest{To: d.To}
	if d.Survive != 0 {
		survive := api.Duration(max(d.Survive, 0))
		r.Survive = &survive
	}
	if h, ok := d.Via.(Holder); ok {
		if other := transport.Other(ctx); other != nil && join.Adoptable(other) {
			return hold(ctx, h, r)
		}
	}
	return d.Via.Dial(ctx, r)
}

// Bind binds the target and the options.
func (l *Listen) Bind(s *opt.Set) {
	s.Target(opt.Text, "SERVICE", func(t address.Target) error {
		l.Service = t.Text
		return nil
	})
	s.Strings(&l.To, "to", "peer", "let this peer use it, or paired for all that are; may be given again")
	s.Bool(&l.Anyone, "anyone", "let everybody use it, also those who are not known")
	s.Bool(&l.Messages, "messages", "carry messages, not bytes")
	s.Bool(&l.Datagrams, "datagrams", "carry messages that may be lost, as those of UDP, so that none waits behind one that was")
}

// Validate finds fault with the options.
func (l *Listen) Validate() error {
	if l.Messages && l.Datagrams {
		return transport.Usage(errors.New("messages, none of which is lost, or datagrams"))
	}
	return api.CheckService(l.Service)
}

// Authenticates tells that nobody comes who has not proved a key; but anyone has one.
func (l *Listen) Authenticates() bool { return !l.Anyone }

// Listen offers the service.
func (l *Listen) Listen(ctx context.Context) (transport.Acceptor, error) {
	r := api.OfferRequest{Service: l.Service, To: l.To, Anyone: l.Anyone}
	switch {
	case l.Datagrams:
		r.Carries = api.Datagrams
	case l.Messages:
		r.Carries = api.Messages
	}
	return l.Via.Offer(ctx, r)
}
