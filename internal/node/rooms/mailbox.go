package rooms

import (
	"context"
	"errors"

	"github.com/tenon-net/tenon/internal/chat"
	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/ticket"
	"github.com/tenon-net/tenon/transport"
)

// setMailboxes has a room kept by mailboxes that the user names; by none, if there are none.
func (r *Rooms) setMailboxes(ctx context.Context, room *chat.Room, names []string) error {
	if len(names) > event.MaxMailboxes {
		return transport.Usage(errors.New("a room has at most four mailboxes"))
	}
	var all []chat.Mailbox
	for _, name := range names {
		m, err := r.mailboxOf(name)
		if err != nil {
			return err
		}
		for _, other := range all {
			if other.Peer == m.Peer {
				return transport.Usage(errors.New("that mailbox is named twice: " + neutral.Line(name)))
			}
		}
		r.Host.Reach(m.Peer, m.Addresses, nil)
		all = append(all, m)
	}
	return room.SetMailboxes(ctx, all...)
}

// mailboxOf finds the peer that is named, or whose ticket it is: that which tenon relay prints.
func (r *Rooms) mailboxOf(name string) (m chat.Mailbox, err error) {
	var addrs, via []string
	if ticket.Is(name) {
		t, err := ticket.Decode(name, ticket.Relay, ticket.Contact)
		if err != nil {
			return m, transport.Usage(err)
		}
		issuer, _ := t.Get(ticket.Issuer)
		if m.Peer, err = peer.NewID(issuer); err != nil {
			return m, transport.Usage(err)
		}
		addrs, via = t.All(ticket.Address), t.All(ticket.Via)
	} else {
		if m.Peer, err = r.Host.Find(name); err != nil {
			return m, err
		}
		addrs = r.Host.Places(m.Peer)
	}
	for _, a := range append(addrs, via...) {
		if len(m.Addresses) < event.MaxMailboxAddresses && len(a) <= event.MaxMailboxAddress {
			m.Addresses = append(m.Addresses, a)
		}
	}
	return m, nil
}

// reachMailbox is told by a Chat which mailbox it is about to use. An owner of the room has written where it is, who
// may be anybody.
func (r *Rooms) reachMailbox(m chat.Mailbox) { r.Host.Learnt(peer.ID{}, m.Peer, m.Addresses) }

// mailboxes tells of those of a room.
func (r *Rooms) mailboxes(room *chat.Room) (all []api.RoomMailbox) {
	states := map[peer.ID]chat.MailboxState{}
	for _, s := range room.Mailboxes() {
		states[s.Peer] = s
	}
	for _, m := range room.Info().Mailboxes {
		name, _ := r.Host.Called(m.Peer)
		s := states[m.Peer]
		x := api.RoomMailbox{Peer: m.Peer.String(), Name: name, Synced: s.Synced, Missing: s.Missing}
		if s.Err != nil {
			x.Error = neutral.Line(s.Err.Error())
		}
		all = append(all, x)
	}
	return all
}
