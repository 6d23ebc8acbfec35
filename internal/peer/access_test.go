package peer

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/tenon-net/tenon/transport"
)

var (
	self, alice, bob, mallory, stranger = key(100).ID(), key(101).ID(), key(102).ID(), key(103).ID(), key(104).ID()
	now                                 = time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	goodTicket, revokedTicket           = Serial{1}, Serial{2}
)

func access() *Access {
	return &Access{
		Self:    self,
		Paired:  map[ID]bool{alice: true, bob: true, mallory: true},
		Blocked: map[ID]bool{mallory: true},
		Grants: map[Service][]Subject{
			"db":     {Only(alice)},
			"web":    {Paired},
			"public": {Anyone},
			"all":    {Anyone, Paired, Only(alice), Only(mallory)},
			"odd":    {Only(stranger)},
			"zero":   {{}},
			"empty":  nil,
		},
		Revoked: map[Serial]bool{revokedTicket: true},
		Held:    map[ID]bool{stranger: true},
	}
}

func TestDecide(t *testing.T) {
	ticket := func(p ID, s Service, serial Serial, until time.Time) *Redemption {
		return &Redemption{p, s, serial, until}
	}
	for _, c := range []struct {
		name    string
		peer    ID
		service Service
		ticket  *Redemption
		right   Right
		err     error
	}{
		{"granted to the peer", alice, "db", nil, Right{Service: "db", Grant: Only(alice)}, nil},
		{"granted to another", bob, "db", nil, Right{}, NotGranted},
		{"granted to the paired", bob, "web", nil, Right{Service: "web", Grant: Paired}, nil},
		{"a stranger is not paired", stranger, "web", nil, Right{}, NotGranted},
		{"granted to anyone", stranger, "public", nil, Right{Service: "public", Grant: Anyone}, nil},
		{"granted to a stranger by key", stranger, "odd", nil, Right{Service: "odd", Grant: Only(stranger)}, nil},
		{"the closest of several rights", alice, "all", nil, Right{Service: "all", Grant: Only(alice)}, nil},
		{"the next one", bob, "all", nil, Right{Service: "all", Grant: Paired}, nil},
		{"no such service", alice, "nothing", nil, Right{}, NotGranted},
		{"granted to nobody", alice, "empty", nil, Right{}, NotGranted},
		{"granted to a zero subject", alice, "zero", nil, Right{}, NotGranted},
		{"blocked wins over a grant", mallory, "all", nil, Right{}, Blocked},
		{"blocked wins over anyone", mallory, "public", nil, Right{}, Blocked},
		{"blocked wins over a ticket", mallory, "db", ticket(mallory, "db", goodTicket, time.Time{}), Right{}, Blocked},
		{"our own key", self, "public", nil, Right{}, Oneself},
		{"nobody", ID{}, "public", nil, Right{}, NotGranted},
		{"by ticket", stranger, "db", ticket(stranger, "db", goodTicket, now), Right{Service: "db", Ticket: goodTicket}, nil},
		{"by ticket that has run out", stranger, "db", ticket(stranger, "db", goodTicket, now.Add(-1)), Right{}, TicketExpired},
		{"by ticket that was revoked", stranger, "db", ticket(stranger, "db", revokedTicket, time.Time{}), Right{}, TicketRevoked},
		{"by ticket for another service", stranger, "web", ticket(stranger, "db", goodTicket, time.Time{}), Right{}, NotGranted},
		{"by another's ticket", stranger, "db", ticket(bob, "db", goodTicket, time.Time{}), Right{}, NotGranted},
		{"by a ticket without number", stranger, "db", ticket(stranger, "db", Serial{}, time.Time{}), Right{}, NotGranted},
		{"a ticket is not needed", alice, "db", ticket(alice, "db", revokedTicket, time.Time{}), Right{Service: "db", Grant: Only(alice)}, nil},
	} {
		right, err := access().Decide(Request{c.peer, c.service, c.ticket, now})
		if right != c.right || err != c.err { //nolint:errorlint // a Refusal and nothing around it
			t.Errorf("%s: %v, %v, want %v, %v", c.name, right, err, c.right, c.err)
		}
		if err != nil && !errors.Is(err, transport.ErrDenied) {
			t.Errorf("%s: %v is not an ErrDenied", c.name, err)
		}
		if err == nil {
			if err := access().Still(c.peer, right, c.ticket, now); err != nil {
				t.Errorf("%s: the right is none any more: %v", c.name, err)
			}
		}
	}
}

func TestTheZeroAccessRefusesAll(t *testing.T) {
	a := &Access{}
	if right, err := a.Decide(Request{Peer: alice, Service: "db"}); err == nil {
		t.Errorf("%v", right)
	}
	if err := a.DecideOut(alice); err == nil {
		t.Error("it turns to a peer")
	}
	if got := a.Admit(alice, false); got != Refused {
		t.Errorf("it admits: %v", got)
	}
}

// What alice may use here says nothing about what may be used at alice's.
func TestAGrantIsForOneDirection(t *testing.T) {
	mine := &Access{Self: self, Paired: map[ID]bool{alice: true}, Grants: map[Service][]Subject{"db": {Only(alice)}}}
	hers := &Access{Self: alice, Paired: map[ID]bool{self: true}}
	if _, err := mine.Decide(Request{Peer: alice, Service: "db"}); err != nil {
		t.Error(err)
	}
	if right, err := hers.Decide(Request{Peer: self, Service: "db"}); err == nil {
		t.Errorf("the granter got %v", right)
	}
}

func TestDecideOut(t *testing.T) {
	a := access()
	for peer, want := range map[ID]error{alice: nil, stranger: nil, mallory: Blocked, self: Oneself, {}: NotGranted, key(105).ID(): NotGranted} {
		if err := a.DecideOut(peer); err != want { //nolint:errorlint // a Refusal and nothing around it
			t.Errorf("%s: %v, want %v", peer.Short(), err, want)
		}
	}
}

func TestOnlyWhatIsGrantedIsVisible(t *testing.T) {
	for peer, want := range map[ID][]Service{
		alice:    {"all", "db", "public", "web"},
		bob:      {"all", "public", "web"},
		stranger: {"all", "odd", "public"},
		mallory:  nil,
		self:     nil,
	} {
		if got := access().Services(peer, now); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", peer.Short(), got, want)
		}
	}
}

func TestAdmit(t *testing.T) {
	closed := access()
	closed.Grants = map[Service][]Subject{"db": {Only(bob)}, "odd": {Only(stranger)}}
	nobody := key(105).ID()
	for _, c := range []struct {
		name    string
		a       *Access
		peer    ID
		waiting bool
		want    Admission
	}{
		{"paired", closed, alice, false, Known},
		{"granted by key", closed, stranger, false, Known},
		{"stranger", closed, nobody, false, Refused},
		{"stranger, waited for", closed, nobody, true, Guest},
		{"stranger, something is for anyone", access(), nobody, false, Guest},
		{"we have its ticket", &Access{Held: map[ID]bool{nobody: true}}, nobody, false, Guest},
		{"blocked", access(), mallory, true, Refused},
		{"our own key", access(), self, true, Refused},
	} {
		if got := c.a.Admit(c.peer, c.waiting); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestWhatThePeerIsTold(t *testing.T) {
	for r := range refusals {
		if r.Error() == "" || r.Public().Error() == "" {
			t.Errorf("%d: no words", r)
		}
	}
	if Blocked.Public() != NotGranted || Oneself.Public() != NotGranted || TicketUsedUp.Public() != TicketUsedUp {
		t.Error("the peer is told too much, or too little")
	}
	if AsRefusal(errors.New("disk full")) != NotGranted || AsRefusal(TicketExpired) != TicketExpired {
		t.Error("AsRefusal")
	}
}

func TestSubjectTextAndBack(t *testing.T) {
	for _, s := range []Subject{Paired, Anyone, Only(alice)} {
		if back, err := ParseSubject(s.String()); err != nil || back != s {
			t.Errorf("%v: %v, %v", s, back, err)
		}
	}
	for _, text := range []string{"", "nobody", "Anyone", "alice"} {
		if s, err := ParseSubject(text); err == nil {
			t.Errorf("%q: %v", text, s)
		}
	}
	if s := (Subject{}).String(); s != "nobody" {
		t.Errorf("the zero Subject is %q", s)
	}
}
