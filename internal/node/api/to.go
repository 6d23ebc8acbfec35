package api

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tenon-net/tenon/internal/ticket"
	"github.com/tenon-net/tenon/transport"
)

// A To is what an address of the kind peer names.
type To struct {
	Peer    string // a name or an ID
	Service string
	Ticket  string // in place of both
}

// ParseTo reads NAME/SERVICE, ID/SERVICE or a ticket. Whether there is such a peer is
// for the node to know.
func ParseTo(text string) (To, error) {
	if ticket.Is(text) {
		_, err := ticket.Decode(text, ticket.Service)
		if k := (*ticket.KindError)(nil); errors.As(err, &k) {
			err = transport.WithHint(err, k.Hint())
		}
		if err != nil {
			return To{}, transport.Usage(err)
		}
		return To{Ticket: strings.TrimSpace(text)}, nil
	}
	peer, service, ok := strings.Cut(text, "/")
	if !ok || peer == "" {
		return To{}, transport.Usage(errors.New("it is NAME/SERVICE, as in alice/db, or a ticket"))
	}
	return To{Peer: peer, Service: service}, CheckService(service)
}

// CheckService finds fault with the name of a service.
func CheckService(name string) error {
	ok := len(name) > 0 && len(name) <= 63
	for i, c := range []byte(name) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case (c == '-' || c == '.' || c == '_') && i > 0 && i < len(name)-1:
		default:
			ok = false
		}
	}
	if !ok {
		return transport.Usage(fmt.Errorf("%q is not the name of a service: up to 63 letters and digits, and - . _ between them", name))
	}
	return nil
}
