package chat

import (
	"context"
	"slices"
	"time"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/peer"
)

// A Mailbox is a node that keeps what is said in a room, sealed, for members who are away. It learns which devices
// use it, how much and when, and that they belong together; it can lose what it keeps, and neither read
// nor forge it.
type Mailbox struct {
	Peer      peer.ID
	Addresses []string // where it may be
}

// A MailboxState is how a room gets along with one of its mailboxes.
type MailboxState struct {
	Mailbox
	Synced  time.Time // when it last had all that we have, and we all that it gives; zero: not yet
	Err     error     // why not now; nil: there is nothing wrong
	Missing int       // events that came from it, and wait for what stands before them and has not come from anybody
}

// SetMailboxes has the room kept by these mailboxes from now on, at most four; by none, if there are none. Two of
// different people are better than one: what one loses the other has. It takes an owner. Who is away meets only what was said
// after he has last been there with another member or one of the mailboxes.
func (r *Room) SetMailboxes(ctx context.Context, all ...Mailbox) error {
	list := make([]event.Mailbox, len(all))
	for i, m := range all {
		list[i] = event.Mailbox{Peer: [32]byte(m.Peer.Bytes()), Addresses: m.Addresses}
	}
	value, err := event.FormatMailboxes(list)
	if err != nil {
		return err
	}
	return r.SetProperty(ctx, event.PropertyMailboxes, value)
}

// mailboxes returns those that the room says. It is called with the turn.
func (r *Room) mailboxes() (all []Mailbox) {
	list, err := event.ParseMailboxes(r.state.Property(event.PropertyMailboxes))
	if err != nil {
		return nil
	}
	for _, m := range list {
		if id, err := peer.NewID(m.Peer[:]); err == nil && id != r.chat.Network.Self() {
			all = append(all, Mailbox{id, m.Addresses})
		}
	}
	return all
}

// Mailboxes returns how the room gets along with its mailboxes: those of Info, but this device, if it is
// one itself. There are none while the user is not in the room.
func (r *Room) Mailboxes() (all []MailboxState) {
	for _, m := range r.now.Load().Mailboxes {
		if s, ok := r.post.state(m.Peer); ok {
			s.Mailbox = m
			all = append(all, s)
		}
	}
	return all
}

// posts tells whether mailboxes are used: by who is in the room, or has to tell that he is not any more.
func (s *snapshot) posts() bool {
	return len(s.Mailboxes) > 0 && (s.State == Inside && s.Role > event.Nobody || s.State == Leaving)
}

// postsTo tells whether a peer is a mailbox that is used.
func (s *snapshot) postsTo(id peer.ID) bool {
	return s.posts() && slices.ContainsFunc(s.Mailboxes, func(m Mailbox) bool { return m.Peer == id })
}

// prepare makes an epoch for those who have none in common, where mailboxes are used: who is away can read there
// only what he has got a secret for, or the way to one. The most senior one does it at once, the others later, one
// after the other. It returns when it is this one's turn.
func (r *Room) prepare(ctx context.Context) time.Time {
	give, err := r.take(ctx)
	if err != nil {
		return time.Time{}
	}
	defer give()
	if !r.unready || len(r.now.Load().Mailboxes) == 0 || r.may(event.Member) != nil {
		return time.Time{}
	}
	if s, ok := r.state.Sending(r.knows); ok && len(s.Missing) == 0 {
		r.unready, r.preparing = false, time.Time{}
		return time.Time{}
	}
	if !r.due(&r.preparing, r.seniors()) {
		return r.preparing
	}
	r.epoch(ctx) //nolint:errcheck // another try follows
	return time.Time{}
}
