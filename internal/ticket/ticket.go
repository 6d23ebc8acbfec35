// Package ticket has the one form of every ticket of the program: a word that
// begins with tenon1, in an alphabet without case, safe to read aloud and small as
// a QR code, with a checksum that tells where a slip is. docs/protocol/ticket.md
// is the format.
//
// A ticket is a kind, a version and fields. What the fields mean, who signs them
// and who may use them is for the packages that hand tickets out; what text is a
// ticket of which kind, and what a person does with it, is here. It imports
// nothing but the standard library, so that every program can afford it.
package ticket

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Prefix is what every ticket begins with.
const Prefix = "tenon1"

// Limits of the content.
const (
	MaxFields = 64
	MaxValue  = 1024 // bytes of a field
)

// Kind is what a ticket is for.
type Kind byte

// The kinds. Numbers are never used again.
const (
	Service Kind = 1 // a service of a peer
	Share   Kind = 2 // files
	Room    Kind = 3 // a conversation
	Contact Kind = 4 // a peer, who it is and where
	Relay   Kind = 5 // a relay's invitation
)

// kinds says for each what it is called and what a person types who has one.
var kinds = map[Kind]struct{ name, use string }{
	Service: {"service", "tenon add TICKET, or the address peer:TICKET"},
	Share:   {"share", "tenon get TICKET"},
	Room:    {"room", "tenon room join TICKET"},
	Contact: {"contact", "tenon add TICKET"},
	Relay:   {"relay", "tenon up --relays TICKET"},
}

// String returns the kind's name: "service".
func (k Kind) String() string {
	if info, ok := kinds[k]; ok {
		return info.name
	}
	return fmt.Sprintf("kind %d", byte(k))
}

// Use returns what to type with a ticket of this kind, with TICKET in its place.
func (k Kind) Use() string { return kinds[k].use }

// A Ticket is what the text says. Fields stand in the order of their types.
type Ticket struct {
	Kind    Kind
	Version byte
	Fields  []Field
}

// Version is that of the tickets of this program.
const Version = 1

// Errors about tickets.
var (
	// ErrNotTicket: the text does not begin with tenon1.
	ErrNotTicket = errors.New("not a ticket: tickets begin with " + Prefix)

	// ErrNewer: its kind, its version or a field that must be understood is
	// not known.
	ErrNewer = errors.New("the ticket was made by a newer version of tenon")

	// ErrContent: the text is right, but there is no sense in it.
	ErrContent = errors.New("no sense in the ticket")
)

// A KindError is returned for a ticket that is all right and of no use here.
type KindError struct {
	Got  Kind
	Want []Kind
}

func (e *KindError) Error() string {
	want := make([]string, len(e.Want))
	for i, k := range e.Want {
		want[i] = k.String()
	}
	return fmt.Sprintf("this is the ticket of a %s, not of a %s", e.Got, strings.Join(want, " or a "))
}

// Hint says what to type with the ticket that was given.
func (e *KindError) Hint() string { return "for a " + e.Got.String() + ": " + e.Got.Use() }

// Is tells whether text claims to be a ticket, right or wrong, in upper or lower
// case, so that it is not taken for a name.
func Is(text string) bool {
	return len(text) >= len(Prefix) && strings.EqualFold(text[:len(Prefix)], Prefix)
}

// Decode reads the text of a ticket of one of the kinds that are wanted, or of any
// kind if none is named. White space around it does not matter.
func Decode(text string, want ...Kind) (Ticket, error) {
	text = strings.TrimSpace(text)
	payload, err := DecodeText(Prefix, text)
	switch {
	case errors.Is(err, ErrPrefix):
		return Ticket{}, ErrNotTicket
	case err != nil:
		return Ticket{}, fmt.Errorf("the ticket has a mistake: %w", err)
	}
	t, err := parse(payload)
	if err != nil {
		return Ticket{}, err
	}
	if len(want) > 0 && !slices.Contains(want, t.Kind) {
		return Ticket{}, &KindError{t.Kind, want}
	}
	return t, nil
}

// parse takes the payload apart. There is one way only to write a ticket: a payload
// that would be written in another way is refused.
func parse(payload []byte) (Ticket, error) {
	if len(payload) < 2 {
		return Ticket{}, ErrContent
	}
	t := Ticket{Kind: Kind(payload[0]), Version: payload[1]}
	if _, ok := kinds[t.Kind]; !ok || t.Version != Version {
		return Ticket{}, ErrNewer
	}
	rest := payload[2:]
	for len(rest) > 0 && rest[0] != 0 {
		if len(t.Fields) == MaxFields {
			return Ticket{}, ErrContent
		}
		n, used := binary.Uvarint(rest[1:])
		if used <= 0 || n > MaxValue || n > uint64(len(rest)-1-used) {
			return Ticket{}, ErrContent
		}
		value := rest[1+used:][:n:n]
		t.Fields = append(t.Fields, Field{Type(rest[0]), value})
		rest = rest[1+used+int(n):]
	}
	if err := t.check(); err != nil {
		return Ticket{}, err
	}
	if !slices.Equal(t.payload(), payload) {
		return Ticket{}, ErrContent
	}
	return t, nil
}

// check finds what must not be in a ticket.
func (t Ticket) check() error {
	if _, ok := kinds[t.Kind]; !ok || t.Version != Version {
		return ErrNewer
	}
	if len(t.Fields) > MaxFields {
		return fmt.Errorf("%w: more than %d fields", ErrContent, MaxFields)
	}
	last := Type(0)
	for _, f := range t.Fields {
		info, known := types[f.Type]
		switch {
		case f.Type < last, f.Type == 0:
			return fmt.Errorf("%w: fields in disorder", ErrContent)
		case f.Type == last && known && !info.many:
			return fmt.Errorf("%w: field %v stands there twice", ErrContent, f.Type)
		case len(f.Value) > MaxValue:
			return fmt.Errorf("%w: field %v is too long", ErrContent, f.Type)
		case known && !info.ok(f.Value):
			return fmt.Errorf("%w: field %v", ErrContent, f.Type)
		case !known && f.Type.Critical():
			return ErrNewer
		}
		last = f.Type
	}
	return nil
}

// Encode writes the ticket as text.
func (t Ticket) Encode() (string, error) {
	t.Fields = t.sorted()
	if err := t.check(); err != nil {
		return "", err
	}
	text := EncodeText(Prefix, t.payload())
	if len(text) > MaxText {
		return "", fmt.Errorf("%w: the ticket would have %d characters, and may have %d", ErrContent, len(text), MaxText)
	}
	return text, nil
}

// payload is the ticket in bytes, filled up with zeros to a length that the text
// can have.
func (t Ticket) payload() []byte {
	b := t.bytes(0)
	for len(b)%5 > 2 {
		b = append(b, 0)
	}
	return b
}

// bytes is the ticket without the fields of one type.
func (t Ticket) bytes(without Type) []byte {
	b := []byte{byte(t.Kind), t.Version}
	for _, f := range t.Fields {
		if f.Type != without {
			b = binary.AppendUvarint(append(b, byte(f.Type)), uint64(len(f.Value)))
			b = append(b, f.Value...)
		}
	}
	return b
}

// Signed returns what the signature of the ticket is made over: all of it but the
// signature.
func (t Ticket) Signed() []byte {
	t.Fields = t.sorted()
	return t.bytes(Signature)
}

func (t Ticket) sorted() []Field {
	f := slices.Clone(t.Fields)
	slices.SortStableFunc(f, func(a, b Field) int { return int(a.Type) - int(b.Type) })
	return f
}
