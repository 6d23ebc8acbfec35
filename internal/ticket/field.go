package ticket

import (
	"fmt"
	"unicode"
	"unicode/utf8"
)

// Type says what a field means. One with an even number must be understood; one
// with an odd number may be ignored, and is kept.
type Type byte

// The types. Numbers are never used again, and mean the same in every kind.
const (
	Issuer    Type = 2   // the ID of who made the ticket
	Serial    Type = 4   // 16 random bytes, which name the ticket
	Name      Type = 6   // of the service, the share or the room
	NotAfter  Type = 8   // when it ends, in seconds since 1970
	Uses      Type = 10  // how many may redeem it; absent = any number
	For       Type = 12  // the ID of the only one who may
	FirstOnly Type = 14  // empty: only the first who redeems it may, whatever Uses says
	Root      Type = 16  // the hash of what is shared
	Secret    Type = 18  // a key that opens it
	Listed    Type = 20  // empty: it is for those alone whom the issuer has named
	Signature Type = 254 // of the issuer, over all the rest

	Address Type = 33 // where the issuer may be; several
	Via     Type = 35 // a relay by which it may be reached; several
	Called  Type = 37 // what the issuer suggests to be called
	Also    Type = 39 // the ID of another peer that may be asked; several
	Holder  Type = 41 // the ID of a peer that has a sealed copy, and where it may be; several
)

// types says what a value must look like, whatever the ticket is for.
var types = map[Type]struct {
	name string
	many bool
	ok   func([]byte) bool
}{
	Issuer:    {"issuer", false, size(32)},
	Serial:    {"serial", false, size(16)},
	Name:      {"name", false, text(64)},
	NotAfter:  {"not-after", false, number},
	Uses:      {"uses", false, number},
	For:       {"for", false, size(32)},
	FirstOnly: {"first-only", false, size(0)},
	Root:      {"root", false, size(32)},
	Secret:    {"secret", false, size(32)},
	Listed:    {"listed", false, size(0)},
	Signature: {"signature", false, size(64)},
	Address:   {"address", true, text(256)},
	Via:       {"via", true, text(256)},
	Called:    {"called", false, text(64)},
	Also:      {"also", true, size(32)},
	Holder:    {"holder", true, func(v []byte) bool { return len(v) > 32 && len(v) <= 1024 }},
}

// Critical tells whether a ticket is of no use to who does not know the type.
func (t Type) Critical() bool { return t%2 == 0 }

func (t Type) String() string {
	if info, ok := types[t]; ok {
		return info.name
	}
	return fmt.Sprintf("%d", byte(t))
}

// A Field is a part of a ticket.
type Field struct {
	Type  Type
	Value []byte
}

// Get returns the value of the first field of type typ, and whether there is one.
func (t Ticket) Get(typ Type) ([]byte, bool) {
	for _, f := range t.Fields {
		if f.Type == typ {
			return f.Value, true
		}
	}
	return nil, false
}

// All returns the values of every field of type typ, as text.
func (t Ticket) All(typ Type) []string {
	var all []string
	for _, f := range t.Fields {
		if f.Type == typ {
			all = append(all, string(f.Value))
		}
	}
	return all
}

// Number returns the value of a field that is a number, and whether there is one.
func (t Ticket) Number(typ Type) (uint64, bool) {
	v, ok := t.Get(typ)
	var n uint64
	for _, b := range v {
		n = n<<8 | uint64(b)
	}
	return n, ok
}

// NumberField returns a field whose value is a number: big-endian, in as few bytes as it
// takes.
func NumberField(typ Type, n uint64) Field {
	var v []byte
	for shift := 56; shift >= 0; shift -= 8 {
		if b := byte(n >> shift); b != 0 || len(v) > 0 {
			v = append(v, b)
		}
	}
	return Field{typ, v}
}

func number(v []byte) bool { return len(v) <= 8 && (len(v) == 0 || v[0] != 0) }

func size(n int) func([]byte) bool { return func(v []byte) bool { return len(v) == n } }

// text is something that is written in one line.
func text(most int) func([]byte) bool {
	return func(v []byte) bool {
		if len(v) == 0 || len(v) > most || !utf8.Valid(v) {
			return false
		}
		for _, r := range string(v) {
			if !unicode.IsPrint(r) {
				return false
			}
		}
		return true
	}
}
