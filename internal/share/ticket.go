package share

import (
	"fmt"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/share/tree"
	"github.com/tenon-net/tenon/internal/ticket"
)

// A Ticket is what somebody needs to fetch a share: which one it is, its secret, and
// where its sharer may be. Whoever has it can fetch the share, and hand it on.
type Ticket struct {
	ID       ID
	Sharer   peer.ID
	Secret   []byte    // 32 bytes; none if the share is for everybody
	Root     tree.Hash // zero while the share is being hashed: what the sharer signs is believed
	Listed   bool      // it is for those alone whom the sharer has named, though others have the ticket
	Name     string    // what is shared, in a word; only shown
	NotAfter time.Time // in whole seconds; zero = it does not run out

	Holders   []peer.Contact // who has sealed copies, and where they may be; not of a share without a secret
	Addresses []string       // where the sharer may be
	Via       []string       // relays
	Called    string         // what the sharer suggests to be called
}

// maxTicketHolders is how many holders of a ticket are asked.
const maxTicketHolders = 8

// Encode writes the ticket as text.
func (t Ticket) Encode() (string, error) {
	f := []ticket.Field{
		{Type: ticket.Issuer, Value: t.Sharer.Bytes()},
		{Type: ticket.Serial, Value: t.ID[:]},
	}
	if t.Name != "" {
		f = append(f, ticket.Field{Type: ticket.Name, Value: []byte(t.Name)})
	}
	if !t.NotAfter.IsZero() {
		f = append(f, ticket.NumberField(ticket.NotAfter, uint64(t.NotAfter.Unix())))
	}
	if t.Root != (tree.Hash{}) {
		f = append(f, ticket.Field{Type: ticket.Root, Value: t.Root[:]})
	}
	if len(t.Secret) > 0 {
		f = append(f, ticket.Field{Type: ticket.Secret, Value: t.Secret})
	}
	if t.Listed {
		f = append(f, ticket.Field{Type: ticket.Listed})
	}
	for _, a := range t.Addresses {
		f = append(f, ticket.Field{Type: ticket.Address, Value: []byte(a)})
	}
	for _, v := range t.Via {
		f = append(f, ticket.Field{Type: ticket.Via, Value: []byte(v)})
	}
	if t.Called != "" {
		f = append(f, ticket.Field{Type: ticket.Called, Value: []byte(t.Called)})
	}
	for _, h := range t.Holders {
		f = append(f, ticket.Field{Type: ticket.Holder, Value: peer.AppendContacts(nil, h)})
	}
	return ticket.Ticket{Kind: ticket.Share, Version: ticket.Version, Fields: f}.Encode()
}

// ParseTicket reads a ticket. Errors are those of package ticket.
func ParseTicket(text string) (Ticket, error) {
	raw, err := ticket.Decode(text, ticket.Share)
	if err != nil {
		return Ticket{}, err
	}
	var t Ticket
	sharer, _ := raw.Get(ticket.Issuer)
	id, _ := raw.Get(ticket.Serial)
	if t.Sharer, err = peer.NewID(sharer); err != nil || copy(t.ID[:], id) < len(t.ID) || t.ID == (ID{}) {
		return Ticket{}, fmt.Errorf("%w: it does not say whose share it is, and which", ticket.ErrContent)
	}
	if seconds, ok := raw.Number(ticket.NotAfter); ok {
		if seconds > 1<<40 {
			return Ticket{}, fmt.Errorf("%w: it runs out in a time that is too far", ticket.ErrContent)
		}
		t.NotAfter = time.Unix(int64(seconds), 0).UTC()
	}
	for _, h := range raw.All(ticket.Holder) {
		if c, err := peer.ParseContacts([]byte(h)); err == nil && len(c) == 1 && len(t.Holders) < maxTicketHolders {
			t.Holders = append(t.Holders, c[0])
		}
	}
	root, _ := raw.Get(ticket.Root)
	copy(t.Root[:], root)
	t.Secret, _ = raw.Get(ticket.Secret)
	_, t.Listed = raw.Get(ticket.Listed)
	name, _ := raw.Get(ticket.Name)
	called, _ := raw.Get(ticket.Called)
	t.Name, t.Called = string(name), string(called)
	t.Addresses, t.Via = raw.All(ticket.Address), raw.All(ticket.Via)
	return t, nil
}
