package node

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/ticket"
	"github.com/tenon-net/tenon/transport"
)

// DefaultExpires is how long a ticket is good for.
const DefaultExpires = time.Hour

// ticketStore is the Node as a [peer.TicketStore].
type ticketStore Node

var _ peer.TicketStore = (*ticketStore)(nil)

// Update changes the record of a ticket.
func (s *ticketStore) Update(ctx context.Context, serial peer.Serial, f func(*peer.TicketRecord) (*peer.TicketRecord, error)) error {
	n := (*Node)(s)
	n.mu.Lock()
	defer n.mu.Unlock()
	was := n.facts.tickets[serial]
	var given *peer.TicketRecord
	if was != nil {
		clone := *was
		clone.Redeemed = slices.Clone(was.Redeemed)
		given = &clone
	}
	r, err := f(given)
	if err != nil {
		return err
	}
	if was != nil && r.Revoked == was.Revoked && slices.Equal(r.Redeemed, was.Redeemed) {
		return nil
	}
	if was == nil && len(n.facts.tickets) >= maxTickets {
		return transport.WithHint(fmt.Errorf("there are %d tickets already", maxTickets), "tenon ticket revoke ends one; those that are over are forgotten after a while")
	}
	made := time.Now()
	if was != nil {
		made = n.facts.made[serial]
	}
	_, err = n.change(ctx, func(tx *sql.Tx) error { return putTicket(ctx, tx, serial, made, r) }, func() { n.facts.tickets[serial], n.facts.made[serial] = r, made })
	return err
}

// An expectation is who may come though nobody knows it, because of a ticket.
type expectation struct {
	anyone bool
	never  time.Time             // when nobody is expected by anyone any more; zero = it does not end
	only   map[peer.ID]time.Time // the same for those whom a ticket is for
}

// expectations works out who may come with a ticket. It is called with mu held.
func (n *Node) expectations() *expectation {
	e := &expectation{only: map[peer.ID]time.Time{}}
	later := func(a, b time.Time) time.Time {
		if a.IsZero() || b.IsZero() || a.After(b) {
			return a
		}
		return b
	}
	for _, r := range n.facts.tickets {
		in, ends := &r.Invite, time.Time{}
		if !in.NotAfter.IsZero() {
			ends = in.NotAfter.Add(ticketGrace)
		}
		// One that is used up lets strangers in too, to be told that it is; and so does
		// one that is revoked or has run out, for a while.
		switch {
		case r.Revoked && in.NotAfter.IsZero():
		case in.For.IsZero() && !e.anyone:
			e.anyone, e.never = true, ends
		case in.For.IsZero():
			if e.never = later(e.never, ends); ends.IsZero() {
				e.never = ends
			}
		default:
			was, ok := e.only[in.For]
			if e.only[in.For] = ends; ok && !was.IsZero() && !ends.IsZero() && was.After(ends) || ok && was.IsZero() {
				e.only[in.For] = was
			}
		}
	}
	return e
}

// expects tells whether a peer that is not known may come: to show a ticket, for a share, or for a room.
func (n *Node) expects(id peer.ID) bool {
	if s := n.shares.Load(); s != nil && s.Expects(id) {
		return true
	}
	if r := n.rooms.Load(); r != nil && r.Expects(id) {
		return true
	}
	e, now := n.expected.Load(), time.Now()
	if e.anyone && (e.never.IsZero() || now.Before(e.never)) {
		return true
	}
	ends, ok := e.only[id]
	return ok && (ends.IsZero() || now.Before(ends))
}

// ticketGrace is how long those who come with a ticket that has run out are still told so.
const ticketGrace = time.Hour

// forgetAfter is when the record of a ticket that is over goes.
const forgetAfter = 30 * 24 * time.Hour

// MakeTicket makes a ticket.
func (n *Node) MakeTicket(ctx context.Context, r api.TicketRequest) (api.Ticket, error) {
	addrs := n.addrs()
	if r.Service == "" {
		return n.contact(addrs)
	}
	service, err := peer.ParseService(r.Service)
	if err != nil {
		return api.Ticket{}, transport.Usage(err)
	}
	in := peer.Invite{Service: service, Uses: r.Uses, FirstOnly: r.FirstOnly, Called: n.suggested()}
	if r.Expires >= 0 {
		life := cmp.Or(time.Duration(r.Expires), DefaultExpires)
		in.NotAfter = time.Now().Add(life + time.Second - 1) // a ticket has whole seconds, and is good for no less
	}
	n.mu.Lock()
	served := n.isServed(service)
	relays := n.settings.Network.Relays
	if r.For != "" {
		in.For, err = n.facts.find(r.For)
	}
	n.mu.Unlock()
	if err == nil {
		relays, err = relayAddrs(relays)
	}
	in.Addresses, in.Via = places(addrs, relays)
	switch {
	case err != nil:
		return api.Ticket{}, err
	case !served:
		return api.Ticket{}, n.noService(service)
	}
	text, serial, err := peer.Issue(ctx, n.key(), (*ticketStore)(n), in)
	if err != nil {
		return api.Ticket{}, err
	}
	n.audit.add(entry{event: "ticket", service: string(service), right: "ticket " + serial.String()})
	n.mu.Lock()
	defer n.mu.Unlock()
	t := n.describeTicket(serial)
	t.Text = text
	return t, nil
}

func (n *Node) key() *peer.Key {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.identity.Key()
}

// contact makes a ticket that only says who and where this node is.
func (n *Node) contact(addrs []string) (api.Ticket, error) {
	n.mu.Lock()
	id, relays, called := n.identity.ID(), n.settings.Network.Relays, n.suggested()
	n.mu.Unlock()
	relays, err := relayAddrs(relays)
	if err != nil {
		return api.Ticket{}, err
	}
	own, via := places(addrs, relays)
	t := ticket.Ticket{Kind: ticket.Contact, Version: ticket.Version, Fields: []ticket.Field{{Type: ticket.Issuer, Value: id.Bytes()}}}
	for _, a := range own {
		t.Fields = append(t.Fields, ticket.Field{Type: ticket.Address, Value: []byte(a)})
	}
	for _, a := range via {
		t.Fields = append(t.Fields, ticket.Field{Type: ticket.Via, Value: []byte(a)})
	}
	if called != "" {
		t.Fields = append(t.Fields, ticket.Field{Type: ticket.Called, Value: []byte(called)})
	}
	text, err := t.Encode()
	return api.Ticket{Text: text, State: "good"}, err
}

// Tickets lists what was given out, the latest first.
func (n *Node) Tickets() []api.Ticket {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := []api.Ticket{}
	serials := slices.SortedFunc(mapKeys(n.facts.tickets), func(a, b peer.Serial) int {
		if c := n.facts.made[b].Compare(n.facts.made[a]); c != 0 {
			return c
		}
		return compare(a.String(), b.String())
	})
	for _, serial := range serials {
		all = append(all, n.describeTicket(serial))
	}
	return all
}

func (n *Node) describeTicket(serial peer.Serial) api.Ticket {
	r := n.facts.tickets[serial]
	in := r.Invite
	t := api.Ticket{Serial: serial.String(), Service: string(in.Service), NotAfter: in.NotAfter, Uses: in.Uses,
		FirstOnly: in.FirstOnly, Revoked: r.Revoked, State: "good"}
	if !in.For.IsZero() {
		t.For = n.facts.call(in.For)
	}
	for _, id := range r.Redeemed {
		t.Redeemed = append(t.Redeemed, n.facts.call(id))
	}
	switch {
	case r.Revoked:
		t.State = "revoked"
	case !in.NotAfter.IsZero() && time.Now().After(in.NotAfter):
		t.State = "expired"
	case len(r.Redeemed) >= in.Uses || in.FirstOnly && len(r.Redeemed) > 0:
		t.State = "used up"
	}
	return t
}

// RevokeTicket ends a ticket, and cuts who came by it.
func (n *Node) RevokeTicket(ctx context.Context, text string) (cut int, err error) {
	serial, err := peer.ParseSerial(text)
	if ticket.Is(text) {
		var t peer.Ticket
		if t, err = peer.ParseTicket(text); err == nil && !n.access.Load().IsSelf(t.Issuer) {
			return 0, transport.Usage(errors.New("somebody else has given out this ticket, and only he can revoke it"))
		}
		serial = t.Serial
	}
	if err != nil {
		return 0, transport.WithHint(transport.Usage(err), "tenon tickets lists those of tickets; a grant is taken back with tenon revoke SERVICE PEER")
	}
	cut = n.joints.cut(func(j *joint) error {
		if j.right.Ticket == serial {
			return peer.TicketRevoked
		}
		return nil
	})
	if err := peer.Revoke(ctx, (*ticketStore)(n), serial); err != nil {
		if errors.Is(err, peer.TicketUnknown) {
			err = transport.Mark(err, api.ErrNotFound)
		}
		return 0, err
	}
	n.audit.add(entry{event: "revoke", right: "ticket " + serial.String()})
	n.tell(api.Event{Type: "ticket", Text: "ticket " + serial.String()[:8] + "… is revoked"})
	return cut, nil
}

// forgetTickets drops what is long over.
func (n *Node) forgetTickets(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	var over []peer.Serial
	for serial, r := range n.facts.tickets {
		if !r.Invite.NotAfter.IsZero() && time.Since(r.Invite.NotAfter) > forgetAfter {
			over = append(over, serial)
		}
	}
	if len(over) == 0 {
		return nil
	}
	_, err := n.change(ctx, func(tx *sql.Tx) error {
		for _, serial := range over {
			if _, err := tx.ExecContext(ctx, `DELETE FROM tickets WHERE serial = ?`, serial.String()); err != nil {
				return err
			}
		}
		return nil
	}, func() {
		for _, serial := range over {
			delete(n.facts.tickets, serial)
			delete(n.facts.made, serial)
		}
	})
	return err
}

// borrow takes note of a ticket that is used without being added: its issuer may be
// turned to until the node ends.
func (n *Node) borrow(t peer.Ticket, text string) error {
	if n.access.Load().IsSelf(t.Issuer) {
		return transport.Mark(errors.New("this node has given out the ticket itself"), transport.ErrUsage)
	}
	n.addAddrs(t.Issuer, reached(t.Addresses, t.Via))
	n.mu.Lock()
	defer n.mu.Unlock()
	key := heldKey{t.Issuer, t.Service}
	if _, ok := n.facts.held[key]; ok {
		return nil
	}
	if len(n.facts.held) >= maxHeld {
		return fmt.Errorf("there are %d tickets of others already", maxHeld)
	}
	n.facts.held[key] = held{t.Issuer, t.Service, text, t.NotAfter}
	n.decide()
	return nil
}

// AddTicket keeps a ticket, and redeems it if its issuer is there.
func (n *Node) AddTicket(ctx context.Context, text, as string) (api.Added, error) {
	raw, err := ticket.Decode(text, ticket.Service, ticket.Contact)
	if err != nil {
		if k := (*ticket.KindError)(nil); errors.As(err, &k) {
			err = transport.WithHint(err, k.Hint())
		}
		return api.Added{}, transport.Usage(err)
	}
	t := peer.Ticket{}
	if raw.Kind == ticket.Service {
		if t, err = peer.ParseTicket(text); err != nil {
			return api.Added{}, err
		}
	} else {
		issuer, _ := raw.Get(ticket.Issuer)
		called, _ := raw.Get(ticket.Called)
		if t.Issuer, err = peer.NewID(issuer); err != nil {
			return api.Added{}, transport.Usage(peer.TicketForged)
		}
		t.Addresses, t.Via, t.Called = raw.All(ticket.Address), raw.All(ticket.Via), string(called)
	}
	if n.access.Load().IsSelf(t.Issuer) {
		return api.Added{}, transport.Usage(errors.New("this node has given out the ticket itself"))
	}
	wanted, _ := peer.Suggested(t.Called)
	if as != "" {
		if wanted, err = peer.ParseName(as); err != nil {
			return api.Added{}, transport.Usage(err)
		}
	}
	t.Issuer = n.heir(t.Issuer)
	if err := n.keep(ctx, t, text, wanted, as != ""); err != nil {
		return api.Added{}, err
	}
	out := api.Added{Service: string(t.Service), NotAfter: t.NotAfter}
	if raw.Kind == ticket.Service {
		var s transport.Stream
		err := n.turnTo(func() (peer.ID, error) {
			t.Issuer = n.heir(t.Issuer)
			return t.Issuer, nil
		}, func(id peer.ID) (err error) {
			s, _, err = n.ask(ctx, id, request{sort: askRedeem, service: string(t.Service), ticket: text}, nil)
			return err
		})
		if err == nil {
			out.Redeemed = true
			s.Close() //nolint:errcheck // all is said
		} else if out.Text = neutral.Line(err.Error()); errors.As(err, new(peer.Refusal)) {
			return out, errors.Join(err, n.drop(ctx, t))
		}
	}
	links := n.linksNow()
	n.mu.Lock()
	defer n.mu.Unlock()
	out.Peer = n.describePeer(t.Issuer, links)
	if t.Service != "" {
		out.Address = "peer:" + out.Peer.Name + "/" + string(t.Service)
	}
	return out, nil
}

// keep puts a ticket and its issuer on record.
func (n *Node) keep(ctx context.Context, t peer.Ticket, text string, wanted peer.Name, typed bool) error {
	n.addAddrs(t.Issuer, reached(t.Addresses, t.Via))
	n.mu.Lock()
	defer n.mu.Unlock()
	p := person{id: t.Issuer}
	if was := n.facts.people[t.Issuer]; was != nil {
		p = *was
	} else if len(n.facts.people) >= maxPeople {
		return fmt.Errorf("%d peers are known already", maxPeople)
	}
	if typed {
		if err := n.mayCall(p.id, wanted); err != nil {
			return err
		}
		p.name = wanted
	} else if p.name == "" {
		p.name = n.nameFor(p.id, wanted)
	}
	p.said = neutral.Line(t.Called)
	if len(n.facts.held) >= maxHeld {
		return fmt.Errorf("there are %d tickets of others already", maxHeld)
	}
	p.addrs = mergeAddrs(reached(t.Addresses, t.Via), p.addrs)
	_, err := n.change(ctx, func(tx *sql.Tx) error {
		if err := put(ctx, tx, &p); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO held VALUES (?, ?, ?, ?)`, p.id.String(), string(t.Service), text, unix(t.NotAfter))
		return err
	}, func() {
		n.facts.people[p.id] = &p
		n.facts.held[heldKey{p.id, t.Service}] = held{p.id, t.Service, text, t.NotAfter}
	})
	return err
}

// drop forgets a ticket that its issuer does not take.
func (n *Node) drop(ctx context.Context, t peer.Ticket) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, err := n.change(ctx, exec(ctx, `DELETE FROM held WHERE issuer = ? AND service = ?`, t.Issuer.String(), string(t.Service)),
		func() { delete(n.facts.held, heldKey{t.Issuer, t.Service}) })
	return err
}
