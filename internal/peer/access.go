package peer

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// A Subject is who a grant is for: one peer, all that are paired, or anyone. The zero
// Subject is nobody. Subjects are compared with ==.
type Subject struct {
	class class
	id    ID
}

type class byte

const (
	one class = iota + 1
	paired
	anyone
)

// Paired is every peer that is paired, also those that will be. Anyone is whoever
// comes, paired or not.
var (
	Paired = Subject{class: paired}
	Anyone = Subject{class: anyone}
)

// Only is one peer.
func Only(id ID) Subject { return Subject{one, id} }

// String returns the ID, "paired" or "anyone": the form of configuration and audit.
func (s Subject) String() string {
	switch s.class {
	case one:
		return s.id.String()
	case paired:
		return "paired"
	case anyone:
		return "anyone"
	}
	return "nobody"
}

// ParseSubject reads what String has written.
func ParseSubject(text string) (Subject, error) {
	switch text {
	case "paired":
		return Paired, nil
	case "anyone":
		return Anyone, nil
	}
	id, err := ParseID(text)
	if err != nil {
		return Subject{}, err
	}
	return Only(id), nil
}

// A Refusal says why somebody may not do what he wants to. The number goes over the
// wire, so that both sides can say it.
type Refusal byte

// The refusals. Numbers are never used again.
const (
	NotGranted    Refusal = 1 // nothing lets the peer use it; or there is no such service
	Blocked       Refusal = 2 // the peer is on the block list
	Oneself       Refusal = 3 // the peer has our own key, or one that we have had
	TicketForged  Refusal = 4 // the ticket's signature is not ours, or it makes no sense
	TicketUnknown Refusal = 5 // we have no record of the ticket
	TicketExpired Refusal = 6
	TicketRevoked Refusal = 7
	TicketUsedUp  Refusal = 8
	TicketOthers  Refusal = 9 // the ticket is for another peer
)

var refusals = map[Refusal]string{
	NotGranted:    "no right to use this service",
	Blocked:       "the peer is blocked",
	Oneself:       "the peer has the same key as this node",
	TicketForged:  "the ticket is not genuine",
	TicketUnknown: "the ticket is not known here",
	TicketExpired: "the ticket has run out",
	TicketRevoked: "the ticket was revoked",
	TicketUsedUp:  "the ticket is used up",
	TicketOthers:  "the ticket is for another peer",
}

// Error says it in words.
func (r Refusal) Error() string {
	if s, ok := refusals[r]; ok {
		return s
	}
	return fmt.Sprintf("refused for reason %d", byte(r))
}

// Is makes every refusal match [transport.ErrDenied].
func (r Refusal) Is(target error) bool { return target == transport.ErrDenied }

// Public returns what the peer is told: all about its ticket, but not that it is
// blocked, and not whether a service that it may not use is there.
func (r Refusal) Public() Refusal {
	if r == Blocked || r == Oneself {
		return NotGranted
	}
	return r
}

// A Right is why somebody may use a service, for the audit log, and to find what
// must be cut when it is taken back. The zero Right is none.
type Right struct {
	Service Service
	Grant   Subject // to whom the service was granted; the zero Subject if it was by ticket
	Ticket  Serial  // or the ticket
}

// String returns "grant to paired" or "ticket 0123abcd…".
func (r Right) String() string {
	switch {
	case !r.Ticket.IsZero():
		return "ticket " + r.Ticket.String()
	case r.Grant != Subject{}:
		return "grant to " + r.Grant.String()
	}
	return "no right"
}

// Access is what is known about peers and their rights at one moment. It is made
// from what is stored, and not changed afterwards: a change makes a new one, by
// which everything that is going on is decided anew. The zero Access refuses all.
//
// A grant lets others use what is here. It gives them nothing else, and gives this
// node nothing there: for each direction the side that is used has the say.
type Access struct {
	Self    ID
	Earlier map[ID]bool // keys that this node has had: whoever has one now is not this node
	Paired  map[ID]bool
	Blocked map[ID]bool // wins over everything
	Grants  map[Service][]Subject
	Hold    []Subject       // for whom sealed copies of shares are held
	Revoked map[Serial]bool // tickets
	Held    map[ID]bool     // peers of whom this user has been given a ticket
}

// A Request is a wish to use a service.
type Request struct {
	Peer    ID // who has proved to be at the other side
	Service Service
	Ticket  *Redemption // what its ticket gave it, if it has shown one
	Now     time.Time
}

// Decide tells by which right the peer at the other side may use a service of this
// node. The error is a [Refusal]. Of several rights it takes the one that says most
// about the peer, and a ticket only if it needs one.
func (a *Access) Decide(r Request) (Right, error) {
	if err := a.outcast(r.Peer); err != nil {
		return Right{}, err
	}
	grants := a.Grants[r.Service]
	for _, s := range []Subject{Only(r.Peer), Paired, Anyone} {
		if slices.Contains(grants, s) && (s != Paired || a.Paired[r.Peer]) {
			return Right{Service: r.Service, Grant: s}, nil
		}
	}
	t := r.Ticket
	switch {
	case t == nil || t.Peer != r.Peer || t.Service != r.Service || t.Serial.IsZero():
		return Right{}, NotGranted
	case a.Revoked[t.Serial]:
		return Right{}, TicketRevoked
	case !t.NotAfter.IsZero() && r.Now.After(t.NotAfter):
		return Right{}, TicketExpired
	}
	return Right{Service: r.Service, Ticket: t.Serial}, nil
}

// Still tells whether a right that was given before is one now. What it was given
// for is to be cut if not.
func (a *Access) Still(peer ID, right Right, ticket *Redemption, now time.Time) error {
	_, err := a.Decide(Request{peer, right.Service, ticket, now})
	return err
}

// DecideOut tells whether this node may turn to a peer: to one that is paired, or of
// whom its user has a ticket. The error is a [Refusal].
func (a *Access) DecideOut(peer ID) error {
	if err := a.outcast(peer); err != nil {
		return err
	}
	if !a.Paired[peer] && !a.Held[peer] {
		return NotGranted
	}
	return nil
}

// MayHold tells whether sealed copies of shares are held for a peer.
func (a *Access) MayHold(peer ID) bool {
	return a.outcast(peer) == nil && (slices.Contains(a.Hold, Only(peer)) || a.Paired[peer] && slices.Contains(a.Hold, Paired))
}

// IsSelf tells whether it is the key of this node, or an earlier one.
func (a *Access) IsSelf(id ID) bool { return id == a.Self || a.Earlier[id] }

// Knows tells whether anything is on record of a peer: that it is paired or blocked, that
// something was granted to it alone, or that it has given this user a ticket.
func (a *Access) Knows(peer ID) bool {
	if a.Paired[peer] || a.Blocked[peer] || a.Held[peer] {
		return true
	}
	for _, grants := range a.Grants {
		if slices.Contains(grants, Only(peer)) {
			return true
		}
	}
	return slices.Contains(a.Hold, Only(peer))
}

// outcast finds those with whom there is nothing to decide.
func (a *Access) outcast(peer ID) error {
	switch {
	case peer.IsZero():
		return NotGranted
	case a.IsSelf(peer):
		return Oneself
	case a.Blocked[peer]:
		return Blocked
	}
	return nil
}

// Services returns what the peer may use, in order: all that it is told of.
func (a *Access) Services(peer ID, now time.Time) []Service {
	var all []Service
	for s := range a.Grants {
		if _, err := a.Decide(Request{Peer: peer, Service: s, Now: now}); err == nil {
			all = append(all, s)
		}
	}
	slices.Sort(all)
	return all
}

// An Admission says how far a peer is let in, before anything of it is read.
type Admission byte

// The admissions.
const (
	Refused Admission = iota
	Guest             // may pair, show a ticket, and use what anyone may
	Known
)

// Admit tells how far a peer is let in. A peer that is neither paired nor granted
// anything is a stranger, who is refused unless it is one whose ticket this user has,
// or strangers are waited for: while pairing is open, while a ticket is out that
// somebody unknown may redeem, and where a service is for anyone.
func (a *Access) Admit(peer ID, waiting bool) Admission {
	if a.outcast(peer) != nil {
		return Refused
	}
	if a.Paired[peer] {
		return Known
	}
	guests := waiting || a.Held[peer]
	for _, grants := range a.Grants {
		if slices.Contains(grants, Only(peer)) {
			return Known
		}
		guests = guests || slices.Contains(grants, Anyone)
	}
	if guests {
		return Guest
	}
	return Refused
}

// AsRefusal returns the Refusal in err, or NotGranted for another error: what the
// peer is told says no more than that.
func AsRefusal(err error) Refusal {
	var r Refusal
	if errors.As(err, &r) {
		return r
	}
	return NotGranted
}
