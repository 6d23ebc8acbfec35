// Package mailbox lets two peers that know nothing of each other meet at a relay, to be
// paired: one opens a channel and gets a short number, the other one asks for that
// number, and the relay joins their two streams byte for byte. A [Server] is the
// relay's side; [Offer] and [Join] are those of the two. docs/protocol/mailbox.md is
// the protocol.
//
// The relay promises nothing about who is at the other side, and nobody trusts it:
// package pair, which speaks over the joined stream, assumes that the relay itself is
// the attacker. The package speaks over streams that it is given.
package mailbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// Proto is the name of the protocol.
const Proto = "/tenon/mailbox/1"

// MaxChannel is the highest number of a channel.
const MaxChannel = 999999

// Limits of time.
const (
	Lifetime = 10 * time.Minute // of a channel
	MaxRun   = time.Minute      // of two joined streams
	Grace    = 15 * time.Second // a channel is kept for an offerer that was lost
	asking   = 10 * time.Second // for the first frame, and for the answer to it
	queueing = 15 * time.Second // a joiner waits for its turn
	turn     = 10 * time.Second // what a run still has when somebody else waits for it to end
)

// MaxBytes is how many bytes a run may move in each direction. A pairing needs less
// than 1 KiB.
const MaxBytes = 16 << 10

// Errors of both sides.
var (
	ErrProtocol  = errors.New("the other side does not keep to the mailbox protocol")
	ErrNoChannel = errors.New("nobody offers that channel here")
	ErrTaken     = errors.New("somebody else has that channel")
	ErrBusy      = errors.New("others are trying to pair on that channel; try again in a moment")
	ErrTooOften  = transport.Mark(errors.New("too many tries from here; try again in a minute"), transport.ErrDenied)
	ErrFull      = errors.New("the relay has no room for another channel; try again later")
	ErrExpired   = errors.New("the channel has run out")
)

// A frame is a type, the length of what follows in two bytes, big-endian, and that.
type frameType byte

const (
	frameOffer frameType = iota + 1
	frameJoin
	frameOpened
	frameJoined
	frameRefuse
)

// Sizes of what frames hold.
const (
	version    = 1
	secretSize = 16
	offerSize  = 1 + 4 + secretSize
	joinSize   = 1 + 4
	openedSize = 4 + 2
	joinedSize = 4
)

// sizes has the only length that each type may have.
var sizes = map[frameType]int{frameOffer: offerSize, frameJoin: joinSize, frameOpened: openedSize, frameJoined: joinedSize, frameRefuse: 1}

// reasonErrors are what a relay says when it refuses.
var reasonErrors = map[byte]error{1: ErrProtocol, 2: ErrNoChannel, 3: ErrTaken, 4: ErrBusy, 5: ErrTooOften, 6: ErrFull, 7: ErrExpired}

func writeFrame(w io.Writer, typ frameType, content []byte) error {
	b := append([]byte{byte(typ)}, binary.BigEndian.AppendUint16(nil, uint16(len(content)))...)
	_, err := w.Write(append(b, content...))
	return err
}

// refuse tells the other side why. That it may be gone already is no matter.
func refuse(w io.Writer, err error) {
	for reason, e := range reasonErrors {
		if errors.Is(err, e) {
			writeFrame(w, frameRefuse, []byte{reason}) //nolint:errcheck // as said
		}
	}
}

// readFrame reads one frame of the types allowed. What the other side refuses is an
// error.
func readFrame(r io.Reader, allowed ...frameType) (frameType, []byte, error) {
	var head [3]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	typ, n := frameType(head[0]), int(binary.BigEndian.Uint16(head[1:]))
	fits := typ == frameRefuse
	for _, a := range allowed {
		fits = fits || typ == a
	}
	if !fits || n != sizes[typ] {
		return 0, nil, fmt.Errorf("%w: a frame of type %d with %d bytes came", ErrProtocol, typ, n)
	}
	content := make([]byte, n)
	if _, err := io.ReadFull(r, content); err != nil {
		return 0, nil, lost(err)
	}
	if typ != frameRefuse {
		return typ, content, nil
	}
	if err, ok := reasonErrors[content[0]]; ok {
		return 0, nil, err
	}
	return 0, nil, fmt.Errorf("%w: refused for reason %d", ErrProtocol, content[0])
}

// lost says that a stream has ended too early.
func lost(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
