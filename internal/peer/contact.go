package peer

import (
	"encoding/binary"
	"errors"
)

// Limits of contacts, as those who take part in something tell each other of them.
const (
	MaxContacts     = 32  // in a list
	MaxContactAddrs = 8   // of one peer
	MaxContactAddr  = 256 // bytes of an address
)

// ErrContacts: bytes are not a list of contacts.
var ErrContacts = errors.New("not a list of peers and where they are")

// A Contact is a peer, and where it may be reached. What its addresses mean is for a Network to know, and whether they
// may be dialed for a node to judge.
type Contact struct {
	ID    ID
	Addrs []string // at most MaxContactAddrs, for each of which IsContactAddr is true
}

// AppendContacts appends contacts to b: of each the ID (32 bytes), how many addresses (1 byte), and each of these behind
// its length, which is an unsigned LEB128.
func AppendContacts(b []byte, contacts ...Contact) []byte {
	for _, c := range contacts {
		b = append(append(b, c.ID.Bytes()...), byte(len(c.Addrs)))
		for _, a := range c.Addrs {
			b = append(binary.AppendUvarint(b, uint64(len(a))), a...)
		}
	}
	return b
}

// ParseContacts reads what AppendContacts has written, and nothing else: at most MaxContacts of them. An error matches
// ErrContacts.
func ParseContacts(p []byte) (all []Contact, err error) {
	for len(p) > 0 {
		if len(all) == MaxContacts || len(p) < 33 || p[32] > MaxContactAddrs {
			return nil, ErrContacts
		}
		c, count := Contact{}, int(p[32])
		if c.ID, err = NewID(p[:32]); err != nil {
			return nil, ErrContacts
		}
		p = p[33:]
		for range count {
			n, size := binary.Uvarint(p)
			if size <= 0 || size > 1 && p[size-1] == 0 || n > uint64(len(p)-size) {
				return nil, ErrContacts
			}
			a := string(p[size:][:min(n, MaxContactAddr+1)])
			if !IsContactAddr(a) {
				return nil, ErrContacts
			}
			c.Addrs, p = append(c.Addrs, a), p[size:][n:]
		}
		all = append(all, c)
	}
	return all, nil
}

// IsContactAddr tells whether something can be an address of a contact: 1 to MaxContactAddr visible characters of ASCII.
func IsContactAddr(a string) bool {
	for i := range len(a) {
		if a[i] <= ' ' || a[i] > '~' {
			return false
		}
	}
	return len(a) > 0 && len(a) <= MaxContactAddr
}

// ContactAddrs returns those of the addresses, in their order, that a Contact has room for.
func ContactAddrs(addrs []string) (some []string) {
	for _, a := range addrs {
		if IsContactAddr(a) && len(some) < MaxContactAddrs {
			some = append(some, a)
		}
	}
	return some
}
