package node

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/pair"
	"github.com/tenon-net/tenon/internal/share"
	"github.com/tenon-net/tenon/internal/ticket"
	"github.com/tenon-net/tenon/transport"
)

// ticketsOf returns a contact and the ticket of a share of somebody.
func ticketsOf(t testing.TB, id peer.ID) (contact, shared string) {
	t.Helper()
	contact, err := ticket.Ticket{Kind: ticket.Contact, Version: ticket.Version, Fields: []ticket.Field{
		{Type: ticket.Issuer, Value: id.Bytes()}, {Type: ticket.Address, Value: []byte("/ip4/192.0.2.1/tcp/1")}}}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	shared, err = share.Ticket{ID: share.ID{1}, Sharer: id, Secret: make([]byte, 32)}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return contact, shared
}

// What a peer gives is what docs/protocol/sending.md says, and its own, or it is nothing.
func TestReadGift(t *testing.T) {
	from, other := peer.KeyFromSeed([32]byte{1}).ID(), peer.KeyFromSeed([32]byte{2}).ID()
	contact, shared := ticketsOf(t, from)
	othersContact, othersShare := ticketsOf(t, other)
	for _, g := range []gift{
		{Text: "a text"},
		{Contact: contact, Service: "pipe", Name: "name"},
		{Share: shared, Service: "send-1"},
	} {
		b, err := g.marshal()
		if err != nil {
			t.Fatal(err)
		}
		if back, at, err := readGift(from, string(b)); err != nil || back != g || at.Issuer != from || string(at.Service) != g.Service {
			t.Errorf("%s is %+v at %+v, %v", b, back, at, err)
		}
	}
	quote := func(v any) string {
		b, _ := json.Marshal(v)
		return string(b)
	}
	for name, text := range map[string]string{
		"nothing":                 "",
		"no JSON":                 "hello",
		"an empty one":            "{}",
		"another type":            `{"text": 7}`,
		"a list":                  `[]`,
		"no service":              quote(gift{Share: shared}),
		"no ticket":               quote(gift{Service: "pipe"}),
		"a service with no name":  quote(gift{Share: shared, Service: "../x"}),
		"a service ticket":        quote(gift{Share: contact, Service: "pipe"}),
		"a share as contact":      quote(gift{Contact: shared, Service: "pipe"}),
		"somebody else's share":   quote(gift{Share: othersShare, Service: "pipe"}),
		"somebody else's contact": quote(gift{Contact: othersContact, Service: "pipe"}),
		"a long name":             quote(gift{Contact: contact, Service: "pipe", Name: strings.Repeat("x", 256)}),
		"half":                    quote(gift{Share: shared, Service: "pipe"})[:50],
	} {
		if g, _, err := readGift(from, text); !errors.Is(err, pair.ErrProtocol) || strings.ContainsAny(err.Error(), "\x1b\n") {
			t.Errorf("%s is %+v, %v", name, g, err)
		}
	}
}

func TestMarshalGift(t *testing.T) {
	for _, text := range []string{strings.Repeat("x", pair.MaxGiven), strings.Repeat("\x01", 1000), "\xff"} {
		if _, err := (gift{Text: text}).marshal(); !errors.Is(err, transport.ErrUsage) || transport.Hint(err) == "" {
			t.Errorf("%.10q: %v", text, err)
		}
	}
}

func FuzzGift(f *testing.F) {
	from := peer.KeyFromSeed([32]byte{1}).ID()
	contact, shared := ticketsOf(f, from)
	for _, g := range []gift{{Text: "a text"}, {Contact: contact, Service: "pipe"}, {Share: shared, Service: "send-1"}} {
		b, _ := g.marshal()
		f.Add(string(b))
	}
	f.Fuzz(func(t *testing.T, text string) {
		g, at, err := readGift(from, text)
		if err != nil {
			return
		}
		if at.Issuer != from || g.Text == "" && (at.Service == "" || g.Share == "" && g.Contact == "") {
			t.Fatalf("%q is %+v at %+v", text, g, at)
		}
		if shown := g.given(from); strings.ContainsAny(shown.Name, "\x1b\n\r") {
			t.Fatalf("%q is shown as %+v", text, shown)
		}
	})
}
