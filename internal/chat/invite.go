package chat

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/chat/room"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/ticket"
)

// maxHosts is how many members an invite names who may let somebody in.
const maxHosts = 4

// An Invite is what somebody needs to enter a room. Whoever has it can.
type Invite struct {
	Event    event.ID // of a new one, to revoke it; it is not in the ticket
	Room     event.ID
	Seed     [32]byte  // of the key of the invite
	Hosts    []peer.ID // who lets him in: any of them
	Name     string    // of the room; only shown
	NotAfter time.Time // zero: it does not end

	Addresses []string // where the first host may be
	Via       []string // relays
}

// Encode writes the invite as a ticket.
func (i Invite) Encode() (string, error) {
	if len(i.Hosts) == 0 {
		return "", ticket.ErrContent
	}
	f := []ticket.Field{
		{Type: ticket.Issuer, Value: i.Hosts[0].Bytes()},
		{Type: ticket.Root, Value: i.Room[:]},
		{Type: ticket.Secret, Value: i.Seed[:]},
	}
	if i.Name != "" {
		f = append(f, ticket.Field{Type: ticket.Name, Value: []byte(i.Name)})
	}
	if !i.NotAfter.IsZero() {
		f = append(f, ticket.NumberField(ticket.NotAfter, uint64(i.NotAfter.Unix())))
	}
	for _, h := range i.Hosts[1:] {
		f = append(f, ticket.Field{Type: ticket.Also, Value: h.Bytes()})
	}
	for _, a := range i.Addresses {
		f = append(f, ticket.Field{Type: ticket.Address, Value: []byte(a)})
	}
	for _, v := range i.Via {
		f = append(f, ticket.Field{Type: ticket.Via, Value: []byte(v)})
	}
	return ticket.Ticket{Kind: ticket.Room, Version: ticket.Version, Fields: f}.Encode()
}

// ParseInvite reads what Encode has written. Errors are those of package ticket.
func ParseInvite(text string) (Invite, error) {
	raw, err := ticket.Decode(text, ticket.Room)
	if err != nil {
		return Invite{}, err
	}
	var i Invite
	issuer, _ := raw.Get(ticket.Issuer)
	hosts := []string{string(issuer)}
	for _, h := range append(hosts, raw.All(ticket.Also)...) {
		id, err := peer.NewID([]byte(h))
		if err != nil {
			return Invite{}, fmt.Errorf("%w: it does not say who lets you in", ticket.ErrContent)
		}
		if len(i.Hosts) < maxHosts {
			i.Hosts = append(i.Hosts, id)
		}
	}
	if seconds, ok := raw.Number(ticket.NotAfter); ok {
		if seconds > 1<<40 {
			return Invite{}, fmt.Errorf("%w: it runs out in a time that is too far", ticket.ErrContent)
		}
		i.NotAfter = time.Unix(int64(seconds), 0).UTC()
	}
	root, _ := raw.Get(ticket.Root)
	secret, _ := raw.Get(ticket.Secret)
	if copy(i.Room[:], root) == 0 || copy(i.Seed[:], secret) == 0 || i.Seed == [32]byte{} {
		return Invite{}, fmt.Errorf("%w: it does not say which room it is for", ticket.ErrContent)
	}
	name, _ := raw.Get(ticket.Name)
	i.Name, i.Addresses, i.Via = string(name), raw.All(ticket.Address), raw.All(ticket.Via)
	return i, nil
}

// Terms say for whom an invite is good.
type Terms struct {
	Role     event.Role // 0: a member
	Uses     int        // 0: any number
	NotAfter time.Time  // zero: it does not end
}

// Invite makes an invite, by which anybody enters who has it; any member that it names lets him in.
func (r *Room) Invite(ctx context.Context, t Terms) (Invite, error) {
	if t.Role == event.Nobody {
		t.Role = event.Member
	}
	i := Invite{Room: r.id, NotAfter: t.NotAfter}
	rand.Read(i.Seed[:]) //nolint:errcheck // it does not fail
	body := &event.Invite{Key: [32]byte(peer.KeyFromSeed(i.Seed).ID().Bytes()), Role: t.Role, Uses: uint64(max(t.Uses, 0))}
	if !t.NotAfter.IsZero() {
		body.Expiry = uint64(t.NotAfter.UnixMilli())
	}
	e, err := r.act(ctx, event.Owner, func() (event.Body, error) { return body, nil })
	if err != nil {
		return Invite{}, err
	}
	i.Event = e.ID
	s := r.now.Load()
	i.Hosts = []peer.ID{r.chat.Network.Self()}
	for _, p := range r.Connected() {
		if len(i.Hosts) < maxHosts {
			i.Hosts = append(i.Hosts, p.ID)
		}
	}
	for _, id := range s.meet {
		if len(i.Hosts) < maxHosts && !slices.Contains(i.Hosts, id) {
			i.Hosts = append(i.Hosts, id)
		}
	}
	if len(s.Name) <= maxName {
		i.Name = s.Name
	}
	return i, nil
}

// Invites returns the invites by which somebody could enter now.
func (r *Room) Invites(ctx context.Context) (all []room.Invitation, err error) {
	give, err := r.take(ctx)
	if err != nil {
		return nil, err
	}
	defer give()
	for _, id := range r.state.Invites(time.Now()) {
		all = append(all, r.state.Invitation(id))
	}
	return all, nil
}

// Revoke ends an invite.
func (r *Room) Revoke(ctx context.Context, invite event.ID) error {
	_, err := r.act(ctx, event.Owner, func() (event.Body, error) { return &event.Revoke{Invite: invite}, nil })
	return err
}

// Join enters a room by an invite: as soon as one of those whom it names lets us in. The room is there at
// once, and [Joining].
func (c *Chat) Join(ctx context.Context, i Invite) (*Room, error) {
	if r, err := c.Room(i.Room); err == nil && r.Info().Role > event.Nobody {
		return r, nil
	} else if err == nil {
		give, err := r.take(ctx)
		if err != nil {
			return nil, err
		}
		defer give()
		p := r.place
		p.state, p.seed, p.hosts = Joining, i.Seed, i.Hosts
		r.asked.Store(true)
		return r, r.keep(ctx, p)
	}
	return c.join(ctx, place{room: i.Room, state: Joining, seed: i.Seed, hosts: i.Hosts, name: i.Name})
}
