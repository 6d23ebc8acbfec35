package peer

import (
	"encoding/binary"
	"errors"
)

// Errors of every Datagrammer. Test for them with [errors.Is]; what is too long is
// [transport.ErrMsgTooLong].
var (
	// ErrNoDatagrams: no way to the peer carries datagrams now.
	ErrNoDatagrams = errors.New("no way to the peer carries datagrams")

	// ErrDropped: more was to be sent than the way takes.
	ErrDropped = errors.New("the datagram was dropped: the way to the peer takes no more now")
)

// A Datagrammer is a [Network] that carries datagrams, too, over those ways to a peer that
// can. A datagram may be lost, and may overtake others and whatever streams carry. It comes
// whole, once, from a peer that has proved who it is, and only the two can read it. All
// methods may be called from any goroutine at any time.
type Datagrammer interface {
	// MaxDatagram returns how many bytes a datagram to the peer may have now; 0 is none,
	// because no way carries any. That can change when the links do. Who asks is taken to
	// have some to send, and the Network may look for a way that carries them.
	MaxDatagram(to ID) int

	// SendDatagram sends p, which may be empty, with a label that says what it is for:
	// the peer has chosen it. The call waits for nothing and does not keep p. Errors match
	// [ErrNoDatagrams], [ErrDropped] or [transport.ErrMsgTooLong]. That there is none
	// does not mean that it arrives.
	SendDatagram(to ID, label uint32, p []byte) error

	// ServeDatagrams has h called for each datagram of an admitted peer: those of one
	// way one after the other, those of several at the same time. h owns p, must not
	// wait for anything, and must not call stop. After stop has returned h is not called
	// any more. Who serves twice at a time has a bug: ServeDatagrams panics.
	ServeDatagrams(h func(from ID, label uint32, p []byte)) (stop func())
}

// DatagramHead is the length of what stands in front of a datagram's bytes on the wire.
const DatagramHead = 4

// AppendDatagram appends a datagram to b, as it is on the wire: docs/protocol/datagram.md.
func AppendDatagram(b []byte, label uint32, p []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, label), p...)
}

// ParseDatagram is the reverse of AppendDatagram; p is a part of b. What is too short for a
// head is none.
func ParseDatagram(b []byte) (label uint32, p []byte, ok bool) {
	if len(b) < DatagramHead {
		return 0, nil, false
	}
	return binary.BigEndian.Uint32(b), b[DatagramHead:], true
}
