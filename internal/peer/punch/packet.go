package punch

import (
	"crypto/hmac"
	"crypto/sha256"
)

// Lengths of a probe and of its parts.
const (
	idLen     = 8
	tagLen    = 16
	packetLen = 4 + idLen + tagLen
	nodeLen   = 16
)

// An id names a probe.
type id [idLen]byte

// A key is what the two sides know and nobody else.
type key [sha256.Size]byte

// newKey makes the key of an attempt out of what each side contributes.
func newKey(opener, accepter [nodeLen]byte) key {
	h := sha256.New()
	h.Write([]byte("tenon punch 1"))
	h.Write(opener[:])
	h.Write(accepter[:])
	return key(h.Sum(nil))
}

func (k key) tag(b []byte) [tagLen]byte {
	m := hmac.New(sha256.New, k[:])
	m.Write(b)
	return [tagLen]byte(m.Sum(nil))
}

// packet makes a probe, an echo or a choice.
func (k key) packet(typ byte, n id) []byte {
	b := make([]byte, packetLen)
	copy(b, magic[:])
	b[3] = typ
	copy(b[4:], n[:])
	t := k.tag(b[:4+idLen])
	copy(b[4+idLen:], t[:])
	return b
}

// open returns what a packet is, if the other side has made it.
func (k key) open(b []byte) (typ byte, n id, ok bool) {
	if len(b) != packetLen || [3]byte(b) != magic {
		return 0, n, false
	}
	t := k.tag(b[:4+idLen])
	if !hmac.Equal(t[:], b[4+idLen:]) {
		return 0, n, false
	}
	return b[3], id(b[4:]), true
}
