package peer_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/internal/ticket"
)

var now = time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)

func key(n byte) *peer.Key { return peer.KeyFromSeed([32]byte{n}) }

// issue makes a ticket and reads it again.
func issue(t *testing.T, store peer.TicketStore, in peer.Invite) (string, peer.Ticket) {
	t.Helper()
	text, serial, err := peer.Issue(context.Background(), key(1), store, in)
	if err != nil {
		t.Fatal(err)
	}
	got, err := peer.ParseTicket(text)
	if err != nil {
		t.Fatal(err)
	}
	if got.Serial != serial || got.Issuer != key(1).ID() {
		t.Fatalf("%+v", got)
	}
	return text, got
}

func redeem(store peer.TicketStore, t peer.Ticket, n byte, at time.Time) error {
	a := &peer.Access{Self: key(1).ID(), Blocked: map[peer.ID]bool{key(99).ID(): true}}
	r, err := a.Redeem(context.Background(), store, key(n).ID(), t, at)
	if err == nil && (r.Peer != key(n).ID() || r.Serial != t.Serial || r.Service != t.Service || !r.NotAfter.Equal(t.NotAfter)) {
		return errors.New("the redemption is of something else")
	}
	return err
}

func TestTicketTextAndBack(t *testing.T) {
	in := peer.Invite{Service: "db", NotAfter: now.Add(time.Hour), Uses: 3, For: key(2).ID(), FirstOnly: true,
		Addresses: []string{"192.0.2.1:1", "[2001:db8::1]:1"}, Via: []string{"relay.example:443"}, Called: "alice"}
	text, got := issue(t, &peertest.Tickets{}, in)
	if !reflect.DeepEqual(got.Invite, in) {
		t.Errorf("%+v, want %+v", got.Invite, in)
	}
	if again, err := peer.ParseTicket(strings.ToUpper(text)); err != nil || !reflect.DeepEqual(again, got) {
		t.Errorf("in capitals: %+v, %v", again, err)
	}
	if _, got := issue(t, &peertest.Tickets{}, peer.Invite{Service: "db"}); got.Uses != 1 || !got.NotAfter.IsZero() {
		t.Errorf("the defaults are %+v", got)
	}
}

func TestTicketsThatAreNotGenuine(t *testing.T) {
	_, genuine := issue(t, &peertest.Tickets{}, peer.Invite{Service: "db"})
	fields := func(change func(ticket.Type, []byte) []byte) string {
		raw := ticket.Ticket{Kind: ticket.Service, Version: ticket.Version}
		text, _ := issue(t, &peertest.Tickets{}, peer.Invite{Service: "db"})
		from, err := ticket.Decode(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range from.Fields {
			if v := change(f.Type, f.Value); v != nil {
				raw.Fields = append(raw.Fields, ticket.Field{Type: f.Type, Value: v})
			}
		}
		text, err = raw.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	without := func(gone ticket.Type) func(ticket.Type, []byte) []byte {
		return func(typ ticket.Type, v []byte) []byte {
			if typ == gone {
				return nil
			}
			return v
		}
	}
	set := func(typ ticket.Type, value []byte) func(ticket.Type, []byte) []byte {
		return func(other ticket.Type, v []byte) []byte {
			if other == typ {
				return value
			}
			return v
		}
	}
	for name, text := range map[string]string{
		"no signature":   fields(without(ticket.Signature)),
		"no issuer":      fields(without(ticket.Issuer)),
		"no serial":      fields(without(ticket.Serial)),
		"no uses":        fields(without(ticket.Uses)),
		"another serial": fields(set(ticket.Serial, genuine.Serial[:])),
		"another issuer": fields(set(ticket.Issuer, key(2).ID().Bytes())),
		"more uses":      fields(set(ticket.Uses, []byte{100})),
		"another name":   fields(set(ticket.Name, []byte("root"))),
	} {
		if got, err := peer.ParseTicket(text); !errors.Is(err, peer.TicketForged) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	share, _ := ticket.Ticket{Kind: ticket.Share, Version: ticket.Version}.Encode()
	var kind *ticket.KindError
	if _, err := peer.ParseTicket(share); !errors.As(err, &kind) {
		t.Errorf("the ticket of a share: %v", err)
	}
}

func TestRedeem(t *testing.T) {
	store := &peertest.Tickets{}
	_, once := issue(t, store, peer.Invite{Service: "db", NotAfter: now})
	_, thrice := issue(t, store, peer.Invite{Service: "db", Uses: 3})
	_, first := issue(t, store, peer.Invite{Service: "db", Uses: 3, FirstOnly: true})
	_, bound := issue(t, store, peer.Invite{Service: "db", Uses: 3, For: key(3).ID()})
	_, revoked := issue(t, store, peer.Invite{Service: "db", Uses: 3})
	_, elsewhere := issue(t, &peertest.Tickets{}, peer.Invite{Service: "db"})
	changed := once
	changed.Service = "root"
	for i, c := range []struct {
		name   string
		ticket peer.Ticket
		by     byte
		at     time.Time
		want   error
	}{
		{"the record decides, not the ticket", changed, 2, now, peer.TicketForged},
		{"by somebody who is blocked", once, 99, now, peer.Blocked},
		{"too late by a nanosecond", once, 2, now.Add(1), peer.TicketExpired},
		{"in the last moment", once, 2, now, nil},
		{"again by the same", once, 2, now, nil},
		{"replayed by another", once, 3, now, peer.TicketUsedUp},
		{"by the same, too late", once, 2, now.Add(1), peer.TicketExpired},
		{"first of three", thrice, 2, now, nil},
		{"second of three", thrice, 3, now, nil},
		{"third of three", thrice, 4, now, nil},
		{"fourth of three", thrice, 5, now, peer.TicketUsedUp},
		{"the first one", first, 2, now, nil},
		{"the first one again", first, 2, now, nil},
		{"another than the first", first, 3, now, peer.TicketUsedUp},
		{"not who it is for", bound, 2, now, peer.TicketOthers},
		{"who it is for", bound, 3, now, nil},
		{"before it is revoked", revoked, 2, now, nil},
		{"of another state directory", elsewhere, 2, now, peer.TicketUnknown},
		{"by the issuer", thrice, 1, now, peer.Oneself},
	} {
		if err := redeem(store, c.ticket, c.by, c.at); !errors.Is(err, c.want) {
			t.Errorf("%d %s: %v, want %v", i, c.name, err, c.want)
		}
	}
	for range 2 {
		if err := peer.Revoke(context.Background(), store, revoked.Serial); err != nil {
			t.Fatal(err)
		}
	}
	for _, by := range []byte{2, 3} {
		if err := redeem(store, revoked, by, now); !errors.Is(err, peer.TicketRevoked) {
			t.Errorf("revoked: %v", err)
		}
	}
	if err := peer.Revoke(context.Background(), store, peer.Serial{9}); !errors.Is(err, peer.TicketUnknown) {
		t.Errorf("revoked, and not known: %v", err)
	}
	elsewhereAccess := &peer.Access{Self: key(9).ID()}
	if _, err := elsewhereAccess.Redeem(context.Background(), store, key(2).ID(), thrice, now); !errors.Is(err, peer.TicketUnknown) {
		t.Errorf("at another node: %v", err)
	}
}

// Many peers want the same few uses at once.
func TestRedeemRaces(t *testing.T) {
	for _, in := range []peer.Invite{{Service: "db", Uses: 5}, {Service: "db", Uses: 5, FirstOnly: true}} {
		want := int32(in.Uses)
		if in.FirstOnly {
			want = 1
		}
		store := &peertest.Tickets{}
		_, ticket := issue(t, store, in)
		var got atomic.Int32
		var wg sync.WaitGroup
		for n := byte(2); n < 42; n++ {
			for again := range 2 { // each tries twice, as after an answer that was lost
				wg.Go(func() {
					if redeem(store, ticket, n, now) == nil && again == 0 {
						got.Add(1)
					}
				})
			}
		}
		wg.Wait()
		if got.Load() != want {
			t.Errorf("%+v: redeemed by %d peers, want %d", in, got.Load(), want)
		}
	}
}

func TestIssueRefusesNonsense(t *testing.T) {
	for name, in := range map[string]peer.Invite{
		"no service":    {},
		"bad service":   {Service: "a\nb"},
		"too many uses": {Service: "db", Uses: peer.MaxUses + 1},
		"negative uses": {Service: "db", Uses: -1},
		"bad address":   {Service: "db", Addresses: []string{"a\nb"}},
	} {
		store := &peertest.Tickets{}
		if text, _, err := peer.Issue(context.Background(), key(1), store, in); err == nil {
			t.Errorf("%s: %s", name, text)
		}
	}
}

func FuzzParseTicket(f *testing.F) {
	text, _, err := peer.Issue(context.Background(), key(1), &peertest.Tickets{}, peer.Invite{Service: "db"})
	if err != nil {
		f.Fatal(err)
	}
	raw, err := ticket.Decode(text)
	if err != nil {
		f.Fatal(err)
	}
	for _, field := range raw.Fields {
		f.Add(byte(field.Type), field.Value)
	}
	// One field is replaced, and everything signed again.
	f.Fuzz(func(t *testing.T, typ byte, value []byte) {
		changed := raw
		changed.Fields = nil
		for _, field := range raw.Fields {
			if byte(field.Type) != typ && field.Type != ticket.Signature {
				changed.Fields = append(changed.Fields, field)
			}
		}
		if ticket.Type(typ) != ticket.Signature {
			changed.Fields = append(changed.Fields, ticket.Field{Type: ticket.Type(typ), Value: value})
		}
		changed.Fields = append(changed.Fields, ticket.Field{Type: ticket.Signature, Value: key(1).SignAs(peer.ContextTicket, changed.Signed())})
		text, err := changed.Encode()
		if err != nil {
			return
		}
		if got, err := peer.ParseTicket(text); err == nil && (got.Uses < 1 || got.Uses > peer.MaxUses || got.Service == "" || got.Serial.IsZero()) {
			t.Fatalf("%+v", got)
		}
	})
}
