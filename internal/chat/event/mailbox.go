package event

import (
	"slices"

	"github.com/tenon-net/tenon/internal/peer"
)

// Limits of [PropertyMailboxes].
const (
	MaxMailboxes        = 4
	MaxMailboxAddresses = 8
	MaxMailboxAddress   = 255 // bytes
)

// A Mailbox is a node that keeps for a room what is said in it, sealed.
type Mailbox struct {
	Peer      [32]byte // who it is
	Addresses []string // where it may be
}

// MailboxKey returns the key of the box that mailboxes have for what is sealed with the secret: whoever
// has it may read and add to what is there.
func (s *Secret) MailboxKey() *peer.Key {
	return peer.KeyFromSeed([32]byte(s.derive("tenon chat mailbox key 1", 32)))
}

// FormatMailboxes returns the value of [PropertyMailboxes]; nil for none.
func FormatMailboxes(all []Mailbox) ([]byte, error) {
	if len(all) > MaxMailboxes {
		return nil, malformed("%d mailboxes", len(all))
	}
	var b []byte
	for _, m := range all {
		if len(m.Addresses) > MaxMailboxAddresses {
			return nil, malformed("a mailbox with %d addresses", len(m.Addresses))
		}
		b = append(append(b, m.Peer[:]...), byte(len(m.Addresses)))
		for _, a := range m.Addresses {
			if len(a) == 0 || len(a) > MaxMailboxAddress {
				return nil, malformed("an address of %d bytes", len(a))
			}
			b = append(append(b, byte(len(a))), a...)
		}
	}
	if len(b) > MaxValue {
		return nil, malformed("%d bytes of mailboxes", len(b))
	}
	return b, nil
}

// ParseMailboxes reads what FormatMailboxes has written, each mailbox once. Addresses are as others have
// written them.
func ParseMailboxes(b []byte) (all []Mailbox, err error) {
	for len(b) > 0 {
		if len(b) < 33 || len(all) == MaxMailboxes || b[32] > MaxMailboxAddresses {
			return nil, malformed("a list of mailboxes")
		}
		m, n := Mailbox{Peer: [32]byte(b)}, int(b[32])
		for b = b[33:]; n > 0; n-- {
			if len(b) == 0 || b[0] == 0 || len(b) <= int(b[0]) {
				return nil, malformed("an address of a mailbox")
			}
			m.Addresses, b = append(m.Addresses, string(b[1:1+b[0]])), b[1+b[0]:]
		}
		if slices.ContainsFunc(all, func(x Mailbox) bool { return x.Peer == m.Peer }) {
			return nil, malformed("a mailbox that is there twice")
		}
		all = append(all, m)
	}
	return all, nil
}
