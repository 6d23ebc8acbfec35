package peer

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"github.com/tenon-net/tenon/internal/ticket"
)

// A Serial names a ticket that gives a right. It is no secret.
type Serial [16]byte

// IsZero tells whether it names none.
func (s Serial) IsZero() bool { return s == Serial{} }

// String returns it in hexadecimal, as audit and revocation use it.
func (s Serial) String() string { return hex.EncodeToString(s[:]) }

// ParseSerial reads what String has written.
func ParseSerial(text string) (Serial, error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(Serial{}) || Serial(b).IsZero() {
		return Serial{}, errors.New("not the serial number of a ticket: 32 hexadecimal digits")
	}
	return Serial(b), nil
}

// MaxUses is how many peers may redeem one ticket at most. Each is remembered.
const MaxUses = 1000

// An Invite is what a ticket offers: one service, to whoever shows it.
type Invite struct {
	Service   Service
	NotAfter  time.Time // in whole seconds; zero = it does not run out
	Uses      int       // how many peers may redeem it; 0 means 1, and MaxUses is the most
	For       ID        // only this peer may, if it is not zero
	FirstOnly bool      // only the first peer that redeems it, whatever Uses says
	Addresses []string  // where the issuer may be
	Via       []string  // relays
	Called    string    // what the issuer suggests to be called
}

// A Ticket is an [Invite] with the signature of the peer that offers the service.
// What it gives is a right to use the service: each peer that redeems it takes one
// of its uses, and may then open the service as often as it likes, until the ticket
// runs out or is revoked.
type Ticket struct {
	Invite
	Issuer ID
	Serial Serial
}

// A TicketRecord is what the issuer remembers of a ticket.
type TicketRecord struct {
	Invite   Invite
	Redeemed []ID // in order
	Revoked  bool
}

// A TicketStore remembers the tickets that were given out. It must not forget one
// before it has run out: one that is not known is refused.
type TicketStore interface {
	// Update calls f with the record of a ticket, which is nil if there is none,
	// and keeps the record that f returns; if f returns an error, it keeps what
	// there was, and returns the error. Calls for one ticket happen one after
	// another. When Update returns nil, the record outlives a crash.
	Update(ctx context.Context, serial Serial, f func(*TicketRecord) (*TicketRecord, error)) error
}

// Issue makes a ticket and remembers it.
func Issue(ctx context.Context, key *Key, store TicketStore, in Invite) (text string, serial Serial, err error) {
	switch {
	case in.Uses == 0:
		in.Uses = 1
	case in.Uses < 0 || in.Uses > MaxUses:
		return "", Serial{}, errors.New("a ticket can be used 1 to 1000 times")
	}
	if in.Service, err = ParseService(string(in.Service)); err != nil {
		return "", Serial{}, err
	}
	if !in.NotAfter.IsZero() {
		in.NotAfter = time.Unix(in.NotAfter.Unix(), 0).UTC()
	}
	rand.Read(serial[:]) //nolint:errcheck // it does not fail
	t := ticket.Ticket{Kind: ticket.Service, Version: ticket.Version, Fields: in.fields(key.id, serial)}
	t.Fields = append(t.Fields, ticket.Field{Type: ticket.Signature, Value: key.SignAs(ContextTicket, t.Signed())})
	if text, err = t.Encode(); err != nil {
		return "", Serial{}, err
	}
	err = store.Update(ctx, serial, func(*TicketRecord) (*TicketRecord, error) {
		return &TicketRecord{Invite: in}, nil
	})
	if err != nil {
		return "", Serial{}, err
	}
	return text, serial, nil
}

// fields returns the fields in the order of their types.
func (in Invite) fields(issuer ID, serial Serial) []ticket.Field {
	f := []ticket.Field{
		{Type: ticket.Issuer, Value: issuer.Bytes()},
		{Type: ticket.Serial, Value: serial[:]},
		{Type: ticket.Name, Value: []byte(in.Service)},
	}
	if !in.NotAfter.IsZero() {
		f = append(f, ticket.NumberField(ticket.NotAfter, uint64(in.NotAfter.Unix())))
	}
	f = append(f, ticket.NumberField(ticket.Uses, uint64(in.Uses)))
	if !in.For.IsZero() {
		f = append(f, ticket.Field{Type: ticket.For, Value: in.For.Bytes()})
	}
	if in.FirstOnly {
		f = append(f, ticket.Field{Type: ticket.FirstOnly})
	}
	for _, a := range in.Addresses {
		f = append(f, ticket.Field{Type: ticket.Address, Value: []byte(a)})
	}
	for _, v := range in.Via {
		f = append(f, ticket.Field{Type: ticket.Via, Value: []byte(v)})
	}
	if in.Called != "" {
		f = append(f, ticket.Field{Type: ticket.Called, Value: []byte(in.Called)})
	}
	return f
}

// ParseTicket reads a ticket for a service and checks that its issuer has signed it.
// Whether it is still good only the issuer knows. An error about the text is one of
// package ticket's; if there is no sense in the content, it is [TicketForged].
func ParseTicket(text string) (Ticket, error) {
	raw, err := ticket.Decode(text, ticket.Service)
	if err != nil {
		return Ticket{}, err
	}
	var t Ticket
	issuer, _ := raw.Get(ticket.Issuer)
	serial, _ := raw.Get(ticket.Serial)
	name, _ := raw.Get(ticket.Name)
	signature, _ := raw.Get(ticket.Signature)
	if t.Issuer, err = NewID(issuer); err != nil || !t.Issuer.Verify(ContextTicket, raw.Signed(), signature) {
		return Ticket{}, TicketForged
	}
	if copy(t.Serial[:], serial); t.Serial.IsZero() {
		return Ticket{}, TicketForged
	}
	if t.Service, err = ParseService(string(name)); err != nil || string(t.Service) != string(name) {
		return Ticket{}, TicketForged
	}
	if seconds, ok := raw.Number(ticket.NotAfter); ok {
		if seconds > 1<<40 {
			return Ticket{}, TicketForged
		}
		t.NotAfter = time.Unix(int64(seconds), 0).UTC()
	}
	uses, ok := raw.Number(ticket.Uses)
	if !ok || uses == 0 || uses > MaxUses {
		return Ticket{}, TicketForged
	}
	t.Uses = int(uses)
	if b, ok := raw.Get(ticket.For); ok {
		if t.For, err = NewID(b); err != nil {
			return Ticket{}, TicketForged
		}
	}
	_, t.FirstOnly = raw.Get(ticket.FirstOnly)
	t.Addresses, t.Via = raw.All(ticket.Address), raw.All(ticket.Via)
	if b, ok := raw.Get(ticket.Called); ok {
		t.Called = string(b)
	}
	return t, nil
}

// A Redemption is what a ticket has given a peer.
type Redemption struct {
	Peer     ID
	Service  Service
	Serial   Serial
	NotAfter time.Time
}

// Redeem gives peer, who has proved its key, what its ticket is good for at this node,
// if it is the one that has issued it. A peer that has redeemed it before takes no
// further use, so an answer that was lost can be asked for again; one that is blocked
// takes none either. An error is a [Refusal] or the store's.
func (a *Access) Redeem(ctx context.Context, store TicketStore, peer ID, t Ticket, now time.Time) (*Redemption, error) {
	if err := a.outcast(peer); err != nil {
		return nil, err
	}
	if !a.IsSelf(t.Issuer) {
		return nil, TicketUnknown
	}
	err := store.Update(ctx, t.Serial, func(r *TicketRecord) (*TicketRecord, error) {
		if r == nil {
			return nil, TicketUnknown
		}
		// What counts is the record: the ticket is what the peer says.
		switch in := r.Invite; {
		case r.Revoked:
			return nil, TicketRevoked
		case !in.NotAfter.IsZero() && now.After(in.NotAfter):
			return nil, TicketExpired
		case in.Service != t.Service || !in.NotAfter.Equal(t.NotAfter):
			return nil, TicketForged
		case !in.For.IsZero() && in.For != peer:
			return nil, TicketOthers
		case slices.Contains(r.Redeemed, peer):
			return r, nil
		case len(r.Redeemed) >= in.Uses || in.FirstOnly && len(r.Redeemed) > 0:
			return nil, TicketUsedUp
		}
		next := *r
		next.Redeemed = append(slices.Clip(r.Redeemed), peer)
		return &next, nil
	})
	if err != nil {
		return nil, err
	}
	return &Redemption{peer, t.Service, t.Serial, t.NotAfter}, nil
}

// Revoke ends a ticket for all, those who have redeemed it included. It is no error
// to revoke one twice; one that is not known is [TicketUnknown].
func Revoke(ctx context.Context, store TicketStore, serial Serial) error {
	return store.Update(ctx, serial, func(r *TicketRecord) (*TicketRecord, error) {
		if r == nil {
			return nil, TicketUnknown
		}
		next := *r
		next.Revoked = true
		return &next, nil
	})
}
