package share

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/ticket"
)

func TestTicket(t *testing.T) {
	whole := Ticket{ID: ID{1, 2, 3}, Sharer: somebody(), Secret: bytes.Repeat([]byte{7}, 32), Listed: true, Root: [32]byte{9}, Name: "photos",
		NotAfter: time.Unix(2_000_000_000, 0).UTC(), Addresses: []string{"192.0.2.1:4001"}, Via: []string{"relay.example:443/x"}, Called: "alice"}
	held := whole
	held.Listed, held.Holders = false, []peer.Contact{{ID: w0("bob"), Addrs: []string{"192.0.2.1:4001", "192.0.2.2:4001"}}, {ID: w0("carol")}}
	for _, want := range []Ticket{whole, held, {ID: ID{1}, Sharer: somebody()}} {
		text, err := want.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseTicket(strings.ToUpper(text))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v\nwant %+v", got, err, want)
		}
	}
	if text, err := (Ticket{ID: ID{1}, Sharer: somebody(), Secret: []byte("short")}).Encode(); err == nil {
		t.Errorf("%s was made with a secret that is too short", text)
	}
}

func TestTicketsThatAreNone(t *testing.T) {
	for name, fields := range map[string][]ticket.Field{
		"nothing":         nil,
		"no share":        {{Type: ticket.Issuer, Value: somebody().Bytes()}},
		"no sharer":       {{Type: ticket.Serial, Value: bytes.Repeat([]byte{1}, 16)}},
		"share zero":      {{Type: ticket.Issuer, Value: somebody().Bytes()}, {Type: ticket.Serial, Value: make([]byte, 16)}},
		"a sharer's name": {{Type: ticket.Issuer, Value: make([]byte, 32)}, {Type: ticket.Serial, Value: bytes.Repeat([]byte{1}, 16)}},
	} {
		text, err := ticket.Ticket{Kind: ticket.Share, Version: ticket.Version, Fields: fields}.Encode()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, err := ParseTicket(text); !errors.Is(err, ticket.ErrContent) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	var kind *ticket.KindError
	text, err := ticket.Ticket{Kind: ticket.Contact, Version: ticket.Version, Fields: []ticket.Field{{Type: ticket.Issuer, Value: somebody().Bytes()}}}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseTicket(text); !errors.As(err, &kind) {
		t.Errorf("a contact: %v", err)
	}
}
